#!/usr/bin/env bash
# AsyncLocalStorage: a storage that is no longer used still slows every promise of the process.
#
# Versions: Node 20.20.2, 22.23.3, 24.21.0, 26.10.0 (npm package node-linux-*).
# Guess:    a storage costs something only while code runs inside its `run`. 600 storages whose
#           `run` has returned, with no other reference to them, cost nothing.
# Seen:     on Node 20 and 22 every storage that was used once stays in a process-wide list until
#           `disable()`, also after a garbage collection. Each new promise copies the value of each
#           storage in the list, including `undefined`. An await is more than 500 times slower.
#           On Node 24 and 26 the number of storages makes no difference. So a storage per object
#           is a leak of time on 20 and 22: share one, or disable it at the end.
# Output:   v20.20.2  before 1   created 0.9  used once 1341.8  disabled 0.8
#           v22.23.3  before 1   created 1.0  used once 1709.0  disabled 1.7
#           v24.21.0  before 1   created 1.1  used once 1.7  disabled 1.7
#           v26.10.0  before 1   created 1.0  used once 0.5  disabled 0.6
#           (a busy machine: only the powers of ten count)
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
arch=$(node -p process.arch)
npm install --prefix "$dir" --no-audit --no-fund --silent --ignore-scripts \
  "n20@npm:node-linux-$arch@20.20.2" "n22@npm:node-linux-$arch@22.23.3" \
  "n24@npm:node-linux-$arch@24.21.0" "n26@npm:node-linux-$arch@26.10.0"

cat > "$dir/run.mjs" <<'JS'
import { AsyncLocalStorage } from 'node:async_hooks';

async function once() {
  const begin = process.hrtime.bigint();
  for (let i = 0; i < 2000; i++) await undefined;
  return Number(process.hrtime.bigint() - begin);
}
async function best() {
  let least = Infinity;
  for (let i = 0; i < 5; i++) least = Math.min(least, await once());
  return least;
}

await best();
const before = await best();
let storages = Array.from({ length: 600 }, () => new AsyncLocalStorage());
const created = await best();
for (const storage of storages) storage.run(1, () => undefined);
const kept = storages.map((storage) => new WeakRef(storage));
storages = undefined;
await new Promise((resolve) => setImmediate(resolve));
globalThis.gc();
const used = await best();
for (const storage of kept) storage.deref()?.disable();
const disabled = await best();

const times = (time) => (time / before).toFixed(1);
console.log(process.version, ' before 1 ', ' created', times(created), ' used once', times(used), ' disabled', times(disabled));
const slow = used > 50 * before;
const fast = used < 10 * before;
const expected = process.argv[2] === 'slow' ? slow : fast;
process.exit(expected && disabled < 10 * before ? 0 : 1);
JS

node_of() { echo "$dir/node_modules/$1/bin/node"; }
changed=0
for n in n20 n22; do "$(node_of $n)" --expose-gc "$dir/run.mjs" slow || changed=1; done
for n in n24 n26; do "$(node_of $n)" --expose-gc "$dir/run.mjs" fast || changed=1; done
[ $changed = 0 ] && echo 'as found' || { echo 'CHANGED'; exit 1; }
