import { BOUNDS } from './bounds.js';
import { compareWith } from './contenders/before.js';
import { againstBefore } from './measure/against-before.js';
import { figures } from './measure/numbers.js';
import type { Table } from './measure/table.js';
import { type Verdict, verdicts } from './measure/verdict.js';
import { optionsIn } from './options.js';
import { section } from './report/markdown.js';
import { writeResults } from './report/results.js';
import { chosen } from './scenarios/all.js';
import { BenchFixture } from './fixture/bench-fixture.js';

const options = optionsIn(process.argv.slice(2));
if (options.before !== undefined) compareWith(options.before);
const scenarios = chosen(options.only, options.rivals);
const fixture = await BenchFixture.open(options);
const tables: Table[] = [];
let redis = '';
try {
  redis = await fixture.serverVersion();
  for (const scenario of scenarios) {
    const start = performance.now();
    const outcome = await scenario.run(fixture);
    tables.push(...outcome);
    console.log(`\n${outcome.map(section).join('\n\n')}`);
    console.log(`\n(${scenario.id}: ${((performance.now() - start) / 1_000).toFixed(1)} s)`);
  }
} finally {
  await fixture.close();
}
if (options.before !== undefined) {
  const { lines, worse } = againstBefore(tables);
  console.log(`\n${lines.join('\n')}`);
  process.exit(worse > 0 ? 1 : 0);
}
// A round-trip time of its own changes what is compared: the bounds are about loopback and name theirs.
const judged = options.rtt > 0 ? [] : verdicts(tables, BOUNDS, options.quick);
console.log(`\nWritten: ${writeResults(options, redis, tables, judged)}\n`);
for (const verdict of judged) console.log(lineOf(verdict));
if (options.check) {
  const failed = judged.filter(({ met }) => !met).length;
  console.log(`\nTests: ${judged.length - failed} passed, ${failed} failed`);
  if (failed > 0) process.exitCode = 1;
}

function lineOf({ met, says, value, demand, against }: Verdict): string {
  return `${met ? 'met   ' : 'NOT   '} ${says}: ${figures(value)} (${demand}${against ? ` × ${against}` : ''})`;
}
