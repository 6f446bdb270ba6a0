#!/usr/bin/env bash
# AsyncLocalStorage: a promise made just before `run` and kept in the store links it to the last store.
#
# Versions: Node 20.20.2, 22.23.3, 24.21.0, 26.10.0 (npm package node-linux-*).
# Guess:    in a chain of runs that plan each other by setImmediate only the current store is alive.
#           Second guess, from a suspicion in a real program: a promise made inside the run and kept
#           in its store holds the older ones.
# Seen:     the other way round. A promise made inside the run is harmless. A promise made before
#           the run, even a settled one, and put into the new store keeps all earlier stores alive
#           on Node 20 and 22: a promise carries the store in which it was made, so each store leads
#           to its predecessor. On Node 24 and 26 a promise carries nothing, and one store is alive.
# Output:   v20.20.2   no promise 1   made inside 1   made before 2000   made before and settled 2000
#           v22.23.3   no promise 1   made inside 1   made before 2000   made before and settled 2000
#           v24.21.0   no promise 1   made inside 1   made before 1   made before and settled 1
#           v26.10.0   no promise 1   made inside 1   made before 1   made before and settled 1
#           (stores alive of 2000)
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
arch=$(node -p process.arch)
npm install --prefix "$dir" --no-audit --no-fund --silent --ignore-scripts \
  "n20@npm:node-linux-$arch@20.20.2" "n22@npm:node-linux-$arch@22.23.3" \
  "n24@npm:node-linux-$arch@24.21.0" "n26@npm:node-linux-$arch@26.10.0"

cat > "$dir/run.mjs" <<'JS'
import { AsyncLocalStorage } from 'node:async_hooks';

const RUNS = 2000;
const turn = () => new Promise((resolve) => setImmediate(resolve));
const shapes = {
  'no promise': [() => ({}), () => undefined],
  'made inside': [() => ({}), (store) => void (store.done = new Promise(() => undefined))],
  'made before': [() => ({ done: new Promise(() => undefined) }), () => undefined],
  'made before and settled': [() => ({ done: Promise.resolve() }), () => undefined],
};

async function alive([make, body]) {
  const storage = new AsyncLocalStorage();
  const stores = [];
  let last;
  await new Promise((resolve) => {
    const plan = (n) => {
      const store = make();
      stores.push(new WeakRef(store));
      storage.run(store, () => {
        body(store);
        if (n < RUNS) setImmediate(plan, n + 1);
        else last = setTimeout(() => undefined, 60_000); // keeps the last store in use
      });
      if (n === RUNS) storage.exit(() => setImmediate(resolve));
    };
    storage.exit(() => setImmediate(plan, 1));
  });
  for (let i = 0; i < 5; i++) {
    await turn();
    globalThis.gc();
  }
  const count = stores.filter((store) => store.deref()).length;
  clearTimeout(last);
  storage.disable();
  return count;
}

const found = {};
for (const [name, shape] of Object.entries(shapes)) found[name] = await alive(shape);
console.log(process.version, Object.entries(found).map(([name, count]) => `  ${name} ${count}`).join(' '));
const all = (name) => found[name] === RUNS;
const few = (name) => found[name] < 20;
const before = process.argv[2] === 'held' ? all : few;
const expected =
  few('no promise') && few('made inside') && before('made before') && before('made before and settled');
process.exit(expected ? 0 : 1);
JS

node_of() { echo "$dir/node_modules/$1/bin/node"; }
changed=0
for n in n20 n22; do "$(node_of $n)" --expose-gc "$dir/run.mjs" held || changed=1; done
for n in n24 n26; do "$(node_of $n)" --expose-gc "$dir/run.mjs" free || changed=1; done
[ $changed = 0 ] && echo 'as found' || { echo 'CHANGED'; exit 1; }
