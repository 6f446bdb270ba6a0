#!/usr/bin/env bash
# CLIENT TRACKING with REDIRECT and ioredis 6: on its default protocol the subscriber hears nothing, and an own write ends tracking.
#
# Versions: ioredis 6.0.0 and 5.11.1, Redis 7.0.15 (Debian 12 redis-server, on PATH; any server with tracking will do).
# Guess:    the redirected connection gets its `__redis__:invalidate` message as an event `message` on either protocol;
#           and NOLOOP means that our own write to a tracked key changes nothing: it stays tracked, and we are not told.
# Seen:     ioredis 6 speaks RESP3, where the server sends a push of the kind `invalidate` in place of a message, and
#           ioredis drops it without an event or an error. With `protocol: 2`, and with ioredis 5, the message comes;
#           the event `message` has all keys in one text joined by commas, `messageBuffer` has them as a list.
#           And our own SET, about which NOLOOP keeps the server silent, makes it forget the key all the same: the DEL
#           of a stranger after it is not told. Read the key again after each write of your own.
# Output:   ioredis 6.0.0, its default: told 0 times of a DEL, 0 times of one after an own SET
#           ioredis 6.0.0, protocol 2: told 1 times of a DEL, 0 times of one after an own SET
#           ioredis 5.11.1: told 1 times of a DEL, 0 times of one after an own SET
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
import { Redis as Six } from 'six';
import { Redis as Five } from 'five';

async function look(title, Client, options) {
  const open = () => new Client({ path: process.argv[2], lazyConnect: true, ...options });
  const [ours, subscriber, stranger] = [open(), open(), open()];
  await Promise.all([ours, subscriber, stranger].map((client) => client.connect()));
  const id = await subscriber.client('ID');
  await subscriber.subscribe('__redis__:invalidate');
  let told = 0;
  subscriber.on('messageBuffer', () => (told += 1));
  await ours.call('CLIENT', 'TRACKING', 'ON', 'REDIRECT', String(id), 'OPTIN', 'NOLOOP');
  const times = async (between) => {
    told = 0;
    await stranger.set('key', '1');
    await ours.call('CLIENT', 'CACHING', 'YES');
    await ours.get('key');
    await between();
    told = 0;
    await stranger.del('key');
    await new Promise((resolve) => setTimeout(resolve, 300));
    return told;
  };
  const plain = await times(async () => undefined);
  const after = await times(() => ours.set('key', '2'));
  for (const client of [ours, subscriber, stranger]) client.disconnect();
  return `${title}: told ${plain} times of a DEL, ${after} times of one after an own SET`;
}

const expected = [
  'ioredis 6.0.0, its default: told 0 times of a DEL, 0 times of one after an own SET',
  'ioredis 6.0.0, protocol 2: told 1 times of a DEL, 0 times of one after an own SET',
  'ioredis 5.11.1: told 1 times of a DEL, 0 times of one after an own SET',
];
const found = [
  await look('ioredis 6.0.0, its default', Six, {}),
  await look('ioredis 6.0.0, protocol 2', Six, { protocol: 2 }),
  await look('ioredis 5.11.1', Five, {}),
];
console.log(found.join('\n'));
process.exit(found.join() === expected.join() ? 0 : 1);
JS
node run.mjs "$dir/socket" && echo 'as found' || { echo 'CHANGED'; exit 1; }
