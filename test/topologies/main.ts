// Failovers behind Sentinel, with real processes: npm run test:topologies -- --rounds 20 [--only word].
import { complaints, control, runRound, sentinelRounds } from './sentinel-rounds.js';

function argument(name: string): string | undefined {
  const place = process.argv.indexOf(name);
  return place < 0 ? undefined : process.argv[place + 1];
}

const rounds = Number(argument('--rounds') ?? 1);
const only = argument('--only') ?? '';
let [passed, failed] = [0, 0];

function count(good: boolean, words: string): void {
  if (good) passed += 1;
  else failed += 1;
  console.log(`${good ? 'ok  ' : 'FAIL'} ${words}`);
}

const figure = (values: readonly number[]): string =>
  `${Math.min(...values).toFixed(0)} to ${Math.max(...values).toFixed(0)} ms`;

for (const round of sentinelRounds.filter(({ fault }) => fault.includes(only))) {
  const verdicts = [];
  for (let index = 0; index < rounds; index += 1) {
    const verdict = await runRound(round);
    verdicts.push(verdict);
    const bad = complaints(round, verdict);
    const { overlaps, grants, losses, interruption, blocked, connected, lag } = verdict;
    count(
      bad.length === 0,
      `${round.fault}: overlaps ${overlaps}, grants ${grants}, losses ${losses}, interruption ${interruption.toFixed(0)} ms, ` +
        `longest of a name ${blocked.toFixed(0)} ms, connected after ${connected.toFixed(0)} ms, lag ${lag.toFixed(0)} ms`,
    );
    for (const line of bad.slice(0, 5)) console.log(`       ${line}`);
    if (process.env['SHOW_WARNINGS'])
      for (const line of verdict.warnings) console.log(`       warned: ${line}`);
  }
  console.log(
    `     ${round.fault}: interruption ${figure(verdicts.map((each) => each.interruption))}, ` +
      `longest of a name ${figure(verdicts.map((each) => each.blocked))} in ${rounds} rounds`,
  );
}
if ('control'.includes(only)) {
  const { overlaps } = await runRound(control);
  count(overlaps > 0, `control, planned failover without the detector: ${overlaps} overlaps are seen`);
}
console.log(`Tests: ${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
