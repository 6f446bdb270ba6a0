#!/usr/bin/env bash
# swc: when the body and the disposal of `using` both fail, both errors are lost.
#
# Versions: @swc/core 1.16.22 (and 1.15.40 as the last one tried that is right; 1.15.46 is wrong).
# Guess:    a SuppressedError arrives with both errors, as the standard says, on every target;
#           swc's helper brings its own SuppressedError where the runtime has none.
# Seen:     since some version after 1.15.40 the helper declares `_SuppressedError1` and uses
#           `_SuppressedError`. One error alone is right. Two errors, of the body and the disposal or
#           of two disposals, end in "ReferenceError: _SuppressedError is not defined", and neither
#           error can be found in it. `using` and `await using` both, on target es2022 and esnext
#           (which also compiles `using` away, so a runtime that knows it does not help).
#           A disposal that may meet a failing body must therefore never throw.
# Output:   1.15.40 es2022 body: Error body
#           1.15.40 es2022 body and disposal: SuppressedError of disposal and body
#           1.15.40 es2022 two disposals: SuppressedError of first and second
#           (esnext the same)
#           1.16.22 es2022 body: Error body
#           1.16.22 es2022 body and disposal: ReferenceError _SuppressedError is not defined
#           1.16.22 es2022 two disposals: ReferenceError _SuppressedError is not defined
#           (esnext the same)
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
for version in 1.15.40 1.16.22; do
  npm install --prefix "$dir/$version" --no-audit --no-fund --silent --ignore-scripts "@swc/core@$version"
done

cat > "$dir/run.mjs" <<'JS'
import { createRequire } from 'node:module';
const [version, verdict] = process.argv.slice(2);
const { transformSync } = createRequire(`${import.meta.dirname}/${version}/`)('@swc/core');

const failing = (message) => `{ async [Symbol.asyncDispose]() { throw new Error('${message}'); } }`;
const bodies = {
  body: "await using a = { async [Symbol.asyncDispose]() {} }; throw new Error('body');",
  'body and disposal': `await using a = ${failing('disposal')}; throw new Error('body');`,
  'two disposals': `await using a = ${failing('first')}; await using b = ${failing('second')};`,
};
const symbols = "Symbol.dispose ??= Symbol('dispose'); Symbol.asyncDispose ??= Symbol('asyncDispose');";
let changed = false;
for (const target of ['es2022', 'esnext']) {
  for (const [name, body] of Object.entries(bodies)) {
    const source = `export async function run() { ${body} }`;
    const jsc = { target, parser: { syntax: 'typescript' } };
    const { code } = transformSync(source, { filename: 'run.ts', isModule: true, jsc });
    const { run } = await import(`data:text/javascript,${encodeURIComponent(symbols + code)}`);
    const error = await run().catch((reason) => reason);
    const told = error.suppressed ? `of ${error.error.message} and ${error.suppressed.message}` : error.message;
    console.log(version, target, `${name}:`, error.name, told);
    const right = name === 'body' ? error.message === 'body' : error.name === 'SuppressedError';
    const lost = error.name === 'ReferenceError' && !JSON.stringify([error.message, error.cause]).includes('disposal');
    if (verdict === 'right' || name === 'body' ? !right : !lost) changed = true;
  }
}
process.exit(changed ? 1 : 0);
JS

changed=0
node "$dir/run.mjs" 1.15.40 right || changed=1
node "$dir/run.mjs" 1.16.22 lost || changed=1
[ $changed = 0 ] && echo 'as found' || { echo 'CHANGED'; exit 1; }
