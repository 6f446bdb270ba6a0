#!/usr/bin/env bash
# AbortSignal.any([longLived, AbortSignal.timeout()]): what each call leaves behind, by Node version.
#
# Versions: Node 20.20.2, 22.23.3, 24.21.0 (npm package node-linux-*).
# Guess:    once nobody refers to the combined signal and its timeout has fired, it is collected and
#           leaves nothing on the long-lived one, on any version.
# Seen:     three versions, three rules. On Node 22 a combined signal that nobody listens to is
#           never collected, long after its timeout (about 1.8 kB a call), while one whose listener
#           was added and removed is. On Node 20 it is the other way round for a listener that
#           stays: only that is kept. On Node 24 all are collected. So a call that never waits,
#           and hence never listens, is the one that leaks on 22.
# Output:   v20.20.2   unused 0   listener removed 0   listener stays 150
#           v22.23.3   unused 150   listener removed 0   listener stays 150
#           v24.21.0   unused 0   listener removed 0   listener stays 0
#           (combined signals alive of 150 after all timeouts and collections)
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
arch=$(node -p process.arch)
npm install --prefix "$dir" --no-audit --no-fund --silent --ignore-scripts \
  "n20@npm:node-linux-$arch@20.20.2" "n22@npm:node-linux-$arch@22.23.3" "n24@npm:node-linux-$arch@24.21.0"

cat > "$dir/run.mjs" <<'JS'
const CALLS = 3000;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const uses = {
  unused: () => undefined,
  'listener removed': (signal) => {
    const listener = () => undefined;
    signal.addEventListener('abort', listener);
    signal.removeEventListener('abort', listener);
  },
  'listener stays': (signal) => signal.addEventListener('abort', () => undefined),
};

async function alive(use) {
  const longLived = new AbortController();
  const sample = [];
  for (let call = 0; call < CALLS; call++) {
    const signal = AbortSignal.any([longLived.signal, AbortSignal.timeout(1)]);
    use(signal);
    if (call % 20 === 0) sample.push(new WeakRef(signal));
    if (call % 500 === 0) await pause(5);
  }
  await pause(50);
  for (let i = 0; i < 6; i++) {
    await pause(1);
    globalThis.gc();
  }
  const count = sample.filter((signal) => signal.deref()).length;
  longLived.abort();
  return count;
}

const expected = process.argv[2].split(' ');
const found = [];
for (const use of Object.values(uses)) found.push(await alive(use));
console.log(process.version, Object.keys(uses).map((name, i) => `  ${name} ${found[i]}`).join(' '));
process.exit(found.every((count, i) => (expected[i] === 'kept' ? count > 140 : count < 10)) ? 0 : 1);
JS

run() { "$dir/node_modules/$1/bin/node" --expose-gc "$dir/run.mjs" "$2"; }
changed=0
run n20 'free free kept' || changed=1
run n22 'kept free kept' || changed=1
run n24 'free free free' || changed=1
[ $changed = 0 ] && echo 'as found' || { echo 'CHANGED'; exit 1; }
