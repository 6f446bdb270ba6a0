#!/usr/bin/env bash
# MONITOR of ioredis 6 beside a client that writes: many calls of monitor() fail, and what follows ends the process.
#
# Versions: ioredis 6.0.0 and 5.11.1, Redis 7.0.15 (Debian 12 redis-server, on PATH; any server will do).
# Guess:    monitor() resolves with a connection whose event `monitor` has each command, however much is written meanwhile.
# Seen:     lines that the server sends in one piece with the +OK of MONITOR are taken for replies, since the client
#           calls itself monitoring a microtask later. The first of them rejects monitor() with "Command queue state error";
#           each further one is an event `error` that nobody can listen to yet, so it is an uncaught exception. ioredis 5
#           has the same order and fails in the same way.
# Output:   ioredis 6.0.0: monitor() failed in many of 50 calls, uncaught errors after it: yes; without a writer: 0 of 50
#           ioredis 5.11.1: monitor() failed in many of 50 calls, uncaught errors after it: yes; without a writer: 0 of 50
set -euo pipefail
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; wait; rm -rf "$dir"' EXIT
cd "$dir"
npm init -y > npm.log
npm install --no-audit --no-fund six@npm:ioredis@6.0.0 five@npm:ioredis@5.11.1 >> npm.log 2>&1
redis-server --port 0 --unixsocket "$dir/socket" --save '' --dir "$dir" > server.log &
server=$!
until [ -S "$dir/socket" ]; do sleep 0.1; done

cat > run.mjs <<'JS'
import { setTimeout as pause } from 'node:timers/promises';
import { Redis as Six } from 'six';
import { Redis as Five } from 'five';

let uncaught = 0;
process.on('uncaughtException', (error) => {
  if (!/Command queue state error/.test(error.message)) throw error;
  uncaught += 1;
});

async function failures(Client, writes) {
  const options = { path: process.argv[2] };
  const [asker, writer] = [new Client(options), new Client(options)];
  let over = false;
  const write = async () => {
    while (!over) await writer.set('key', 'value');
  };
  const writers = writes ? Array.from({ length: 20 }, write) : [];
  let failed = 0;
  for (let call = 0; call < 50; call += 1) {
    const monitor = await asker.monitor().catch(() => undefined);
    if (monitor) monitor.disconnect();
    else failed += 1;
    await pause(5);
  }
  over = true;
  await Promise.all(writers);
  for (const client of [asker, writer]) client.disconnect();
  return failed;
}

const expected = [
  'ioredis 6.0.0: monitor() failed in many of 50 calls, uncaught errors after it: yes; without a writer: 0 of 50',
  'ioredis 5.11.1: monitor() failed in many of 50 calls, uncaught errors after it: yes; without a writer: 0 of 50',
];
const found = [];
for (const [name, Client] of [['ioredis 6.0.0', Six], ['ioredis 5.11.1', Five]]) {
  uncaught = 0;
  const failed = await failures(Client, true);
  const after = uncaught > 0 ? 'yes' : 'no';
  const quiet = await failures(Client, false);
  const often = failed > 5 ? 'many' : failed;
  found.push(`${name}: monitor() failed in ${often} of 50 calls, uncaught errors after it: ${after}; without a writer: ${quiet} of 50`);
}
console.log(found.join('\n'));
process.exit(found.join() === expected.join() ? 0 : 1);
JS
node run.mjs "$dir/socket" && echo 'as found' || { echo 'CHANGED'; exit 1; }
