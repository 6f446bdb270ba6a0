#!/usr/bin/env bash
# ioredis, `failoverDetector: true`: the failover of another master disconnects, too.
#
# Versions: ioredis 6.0.0 and 5.11.1; Redis 7.0.15 as servers and sentinels (Debian 12 redis-server,
#           on PATH; nothing is looked at where it is another version).
# Guess:    three sentinels watch the masters A and B. A client of A does not notice `SENTINEL
#           FAILOVER` of B.
# Seen:     it is disconnected, too, though A is the master all the time: the detector takes every
#           message of +switch-master for its own, whatever name is in it. It may happen more than once,
#           as the sentinels do not all tell at the same moment: in one of the first two runs both
#           clients were disconnected twice (this is not checked here).
# Output:   switch-master of b told by 3 sentinels, A is a master
#           ioredis 6.0.0: disconnected, and again connected to A
#           ioredis 5.11.1: disconnected, and again connected to A
#           ioredis 6.0.0 without the detector: stays connected to A
set -euo pipefail
dir=$(mktemp -d)
pids=()
stop() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait
  pids=()
}
trap 'stop; rm -rf "$dir"' EXIT
if ! redis-server --version 2>/dev/null | grep -q 'v=7\.0\.'; then
  echo 'Redis 7.0: not on PATH, left out'
  exit 0
fi
npm install --prefix "$dir" --no-audit --no-fund --silent --ignore-scripts \
  v6@npm:ioredis@6.0.0 v5@npm:ioredis@5.11.1

cat > "$dir/run.cjs" <<'JS'
const [a, b, ...ports] = process.argv.slice(2).map(Number);
const EXPECTED = [
  'switch-master of b told by 3 sentinels, A is a master',
  'ioredis 6.0.0: disconnected, and again connected to A',
  'ioredis 5.11.1: disconnected, and again connected to A',
  'ioredis 6.0.0 without the detector: stays connected to A',
];
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const until = async (test) => {
  while (!(await test())) await sleep(100);
};

(async () => {
  const { Redis } = require('v6');
  const sentinels = ports.map((port) => ({ host: '127.0.0.1', port }));
  const askers = ports.map((port) => new Redis({ port, enableReadyCheck: false }));
  const told = [];
  for (const [index, port] of ports.entries()) {
    const listener = new Redis({ port, enableReadyCheck: false });
    await listener.subscribe('+switch-master');
    listener.on('message', (_, text) => told.push({ sentinel: index + 1, master: text.split(' ')[0] }));
  }
  for (const asker of askers) {
    for (const name of ['a', 'b']) {
      await until(async () => (await asker.call('SENTINEL', 'SENTINELS', name)).length === 2);
      await until(async () => (await asker.call('SENTINEL', 'REPLICAS', name)).length === 1);
    }
  }

  const clients = [];
  for (const [name, failoverDetector] of [['v6', true], ['v5', true], ['v6', false]]) {
    const { Redis } = require(name);
    const { version } = require(`${name}/package.json`);
    const redis = new Redis({ sentinels, name: 'a', failoverDetector });
    const client = { title: `ioredis ${version}${failoverDetector ? '' : ' without the detector'}`, redis, left: [] };
    redis.on('error', () => undefined);
    // The port of the server that was left, as the sockets know it.
    let port;
    redis.on('connect', () => (port = redis.stream.remotePort));
    redis.on('close', () => client.left.push(port));
    clients.push(client);
    await until(() => redis.status === 'ready');
  }
  await sleep(500);

  await until(() => askers[0].call('SENTINEL', 'FAILOVER', 'b').then(() => true, () => false));
  await until(() => told.length >= 3);
  await sleep(1000);
  const tellers = new Set(told.map(({ sentinel }) => sentinel)).size;
  const masters = [...new Set(told.map(({ master }) => master))].join();
  const [role] = await new Redis({ port: a }).role();
  const lines = [`switch-master of ${masters} told by ${tellers} sentinels, A is a ${role}`];
  for (const { title, redis, left } of clients) {
    await until(() => redis.status === 'ready');
    const from = left.every((port) => port === a) && redis.stream.remotePort === a ? 'A' : 'elsewhere';
    lines.push(`${title}: ${left.length === 0 ? 'stays connected to' : 'disconnected, and again connected to'} ${from}`);
  }
  console.log(lines.join('\n'));
  const changed = lines.join() !== EXPECTED.join();
  console.log(changed ? 'CHANGED' : 'as found');
  process.exit(changed ? 1 : 0);
})();
JS

read -r -a port < <(python3 -c '
import socket
sockets = [socket.socket() for _ in range(7)]
for s in sockets: s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in sockets])')
start() { # start PORT ARGUMENTS: a server of its own directory
  mkdir "$dir/$1"
  (cd "$dir/$1" && exec redis-server "${@:2}" --port "$1" --bind 127.0.0.1 > log) &
  pids+=($!)
}
start "${port[0]}" --save '' --repl-diskless-sync-delay 0
start "${port[1]}" --save '' --repl-diskless-sync-delay 0
start "${port[2]}" --save '' --repl-diskless-sync-delay 0 --replicaof 127.0.0.1 "${port[0]}"
start "${port[3]}" --save '' --repl-diskless-sync-delay 0 --replicaof 127.0.0.1 "${port[1]}"
for sentinel in "${port[@]:4}"; do
  cat > "$dir/$sentinel.conf" <<CONF
sentinel monitor a 127.0.0.1 ${port[0]} 2
sentinel monitor b 127.0.0.1 ${port[1]} 2
sentinel down-after-milliseconds a 5000
sentinel down-after-milliseconds b 5000
CONF
  start "$sentinel" "$dir/$sentinel.conf" --sentinel
done
timeout 100 node "$dir/run.cjs" "${port[0]}" "${port[1]}" "${port[@]:4}"
