import { setTimeout as sleep } from 'node:timers/promises';
import { Bed } from '../faults/harness/bed.js';
import { Field, KINDS, NAMES } from './field.js';
import { LARGE, LOSSES, SMALL } from './mischief.js';

/** node main.js [--seed N] [--minutes M] */
function argument(name: string, otherwise: number): number {
  const place = process.argv.indexOf(name);
  return place < 0 ? otherwise : Number(process.argv[place + 1]);
}

const seed = argument('--seed', Math.floor(Math.random() * 1e9));
const minutes = argument('--minutes', 2);
console.log(`seed ${seed}, ${minutes} minutes`);
process.env['KEEP_HISTORY'] ??= '1'; // a violation is rare here, and its seed alone does not bring it back

const bed = new Bed(seed);
const { random } = bed;
const server = await bed.server();
server.measurePing(false);
const counters = await bed.counters();
const field = new Field(bed, server);
bed.add({ type: 'rule', name: KINDS.readWrite, capacity: 2 ** 30 });
bed.add({ type: 'rule', name: KINDS.semaphore, capacity: KINDS.capacity });
await field.start();

const end = performance.now() + minutes * 60_000;
async function disturb(table: typeof SMALL, least: number, most: number): Promise<void> {
  await sleep(random.between(least, most));
  while (performance.now() < end) {
    const kind = random.one(Object.keys(table));
    bed.fault(kind);
    await table[kind]?.(field).catch(() => undefined); // its worker was killed meanwhile
    await sleep(random.between(least, most));
  }
}
async function disturbServer(): Promise<void> {
  for (let calm = 0; performance.now() < end; calm += 1) {
    const table = calm % 12 === 11 ? LOSSES : LARGE;
    const kind = random.one(Object.keys(table));
    bed.fault(kind);
    await table[kind]?.(field).catch(() => undefined); // its worker was killed meanwhile
    await sleep(random.between(200, 1_500));
  }
}
await Promise.all([disturb(SMALL, 50, 1_000), disturb(SMALL, 200, 2_000), disturbServer()]);

// Everything works again: so must every name.
for (const proxy of field.proxies) proxy.pass();
await sleep(200);
const locked = [...NAMES, KINDS.readWrite, KINDS.semaphore];
for (const name of locked) bed.expectGrant('after all faults', name, 5_000);
await field.passLatch(5_000);
await sleep(5_500);
await field.stop();
for (const name of [...NAMES, KINDS.readWrite])
  bed.add({ type: 'counter', name, value: await counters.read(name) });
counters.close();
const verdict = await bed.end();

const { grants, refusals, losses, faults, longestWait, leastMargin, violations } = verdict;
const total = Object.values(faults).reduce((sum, times) => sum + times, 0);
console.log(`operations: ${grants} grants, ${refusals} refusals, ${losses} losses told`);
console.log(
  `grants by kind: ${Object.entries(verdict.kinds)
    .map(([kind, times]) => `${kind} ${times}`)
    .join(', ')}`,
);
console.log(`entries into what was held already: ${verdict.entries}`);
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
