import { runInTime } from '../time-bounds.js';
import { controls, type Control } from './controls.js';
import { Bed } from './harness/bed.js';
import type { Row } from './row.js';
import { rows } from './rows/all.js';

/** node main.js [--seed N] [--row N]… */
function argument(name: string): number[] {
  return process.argv.flatMap((word, index) => (process.argv[index - 1] === name ? [Number(word)] : []));
}

const seed = argument('--seed')[0] ?? Math.floor(Math.random() * 1e9);
const only = argument('--row');
console.log(`seed ${seed}`);

interface Seen {
  readonly words: readonly string[];
  readonly violations: readonly string[];
  readonly path: string;
}

async function once(row: Row): Promise<Seen> {
  const began = performance.now();
  const bed = new Bed(seed);
  let failure: string | undefined;
  await row.run(bed).catch((error: Error) => (failure = error.stack ?? error.message));
  const { violations, grants, faults, leastMargin, lag, ping } = await bed.end(failure === undefined);
  if (failure !== undefined) violations.push(failure);
  const injected = Object.values(faults).reduce((sum, times) => sum + times, 0);
  const measured = {
    grants,
    faults: injected,
    ...bed.figures,
    ...(leastMargin < Infinity ? { 'least margin': `${leastMargin.toFixed(1)} ms` } : {}),
    lag: `${lag.toFixed(0)} ms`,
    ping: `${ping.toFixed(0)} ms`,
    took: `${((performance.now() - began) / 1_000).toFixed(1)} s`,
  };
  const words = Object.entries(measured).map(([what, figure]) => `${what} ${figure}`);
  return { words, violations, path: bed.path };
}

async function run(row: Row): Promise<boolean> {
  const seen = await runInTime(
    `row ${row.number}`,
    () => once(row),
    ({ violations }) => violations,
  );
  const { words, violations, path } = seen;
  const good = violations.length === 0;
  console.log(`${good ? 'ok  ' : 'FAIL'} row ${row.number} ${row.fault}: ${words.join(', ')}`);
  for (const violation of violations.slice(0, 10)) console.log(`       ${violation}`);
  if (!good && process.env['KEEP_HISTORY']) console.log(`       ${path}`);
  return good;
}

/** The same row with a library of which it is known what it does: the checker must see it. */
async function runControl({ contender, row, sees }: Control): Promise<boolean> {
  const bed = new Bed(seed, contender);
  const injected = rows.find(({ number }) => number === row);
  let failure = '';
  await injected?.run(bed).catch((error: Error) => (failure = error.message));
  const { violations } = await bed.clear();
  const seen = violations.filter((violation) => sees.test(violation));
  const good = seen.length > 0;
  console.log(
    `${good ? 'ok  ' : 'FAIL'} control ${contender}, row ${row}: flagged ${seen.length} times, as in: ${seen[0]}`,
  );
  if (!good) console.log(`       ${violations.join('\n       ')} ${failure}`);
  return good;
}

let [passed, failed] = [0, 0];
for (const row of rows) {
  if (only.length > 0 && !only.includes(row.number)) continue;
  if (await run(row)) passed += 1;
  else failed += 1;
}
for (const control of controls) {
  if (only.length > 0 && !only.includes(control.row)) continue;
  if (await runControl(control)) passed += 1;
  else failed += 1;
}
console.log(`Tests: ${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
