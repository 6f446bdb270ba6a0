import { setTimeout as sleep } from 'node:timers/promises';
import { Bed } from '../faults/harness/bed.js';
import { TOPOLOGIES } from './chaos-topologies.js';
import { KINDS, NAMES, RELAY } from './chaos-fixture.js';

/** node main.js [--topology single | sentinel | cluster] [--seed N] [--minutes M] [--fence-memory ms, 60 s by default] */
function word(name: string): string | undefined {
  const place = process.argv.indexOf(name);
  return place < 0 ? undefined : process.argv[place + 1];
}

function argument(name: string, otherwise: number): number {
  const value = word(name);
  return value === undefined ? otherwise : Number(value);
}

const seed = argument('--seed', Math.floor(Math.random() * 1e9));
const minutes = argument('--minutes', 2);
console.log(`seed ${seed}, ${minutes} minutes`);
process.env['KEEP_HISTORY'] ??= '1'; // a violation is rare here, and its seed alone does not bring it back

const fenceMemory = word('--fence-memory');
if (fenceMemory !== undefined) process.env['CHAOS_FENCE_MEMORY'] = fenceMemory; // for all that is started

const topology = word('--topology') ?? 'single';
const open = TOPOLOGIES[topology];
if (!open) {
  console.error(`--topology is one of ${Object.keys(TOPOLOGIES).join(', ')}; it was ${topology}.`);
  process.exit(2);
}
const bed = new Bed(seed);
const chaos = await open(bed).catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});
const { fixture } = chaos;
const counters = await bed.counters();
bed.add({ type: 'rule', name: KINDS.readWrite, capacity: 2 ** 30 });
bed.add({ type: 'rule', name: KINDS.semaphore, capacity: KINDS.capacity });
bed.add({ type: 'rule', name: RELAY.trolley, capacity: 2 ** 30 });
await fixture.start();
await chaos.disturb(performance.now() + minutes * 60_000);

// Everything works again: so must every name.
await chaos.calm();
const counted = [...NAMES, KINDS.readWrite, RELAY.parcel, RELAY.trolley];
const locked = [...counted, KINDS.semaphore];
for (const name of locked) bed.expectGrant('after all faults', name, 5_000);
await fixture.passLatch(5_000);
await sleep(5_500);
await fixture.stop();
for (const name of counted) bed.add({ type: 'counter', name, value: await counters.read(name) });
counters.close();
const verdict = await bed.end();
await chaos.stop();

const { grants, refusals, losses, faults, longestWait, leastMargin, violations } = verdict;
const total = Object.values(faults).reduce((sum, times) => sum + times, 0);
console.log(`operations: ${grants} grants, ${refusals} refusals, ${losses} losses told`);
console.log(
  `grants by kind: ${Object.entries(verdict.kinds)
    .map(([kind, times]) => `${kind} ${times}`)
    .join(', ')}`,
);
console.log(`entries into what was held already: ${verdict.entries}`);
console.log(`resumed a second time, and refused: ${verdict.resumedTwice}`);
console.log(`faults: ${total}`);
for (const kind of Object.keys(faults).sort())
  console.log(`  ${kind}: ${faults[kind]}, longest wait ${(longestWait[kind] ?? 0).toFixed(0)} ms`);
console.log(`longest wait without a fault: ${(longestWait['none'] ?? 0).toFixed(0)} ms`);
console.log(
  `least validity margin: ${leastMargin.toFixed(1)} ms; event-loop lag up to ${verdict.lag.toFixed(0)} ms`,
);
console.log(`violations: ${violations.length}`);
for (const violation of violations.slice(0, 20)) console.log(`  ${violation}`);
if (violations.length > 0) console.log(`  ${bed.path}`);
console.log(`Tests: ${violations.length === 0 ? 1 : 0} passed, ${violations.length === 0 ? 0 : 1} failed`);
process.exit(violations.length === 0 ? 0 : 1);
