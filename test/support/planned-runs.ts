// A locked method that plans its next run inside itself, RUNS times, as pollers and retry loops do. Prints what the heap
// has grown by, and how the median time of the last tenth of the runs compares with that of the second tenth:
//   node --import ./test/support/typescript.mjs test/support/planned-runs.ts RUNS
import 'reflect-metadata';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import { Locked } from '../../lib/nest/locked.js';
import { withLocks } from '../../lib/testing/distributed-lock-testing-module.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const runs = Number(process.argv[2] ?? 100_000);
const tenth = runs / 10;
const times = new Float64Array(runs);
const locks = createLockService({ log: { warn: () => undefined } });

function heap(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

class Poller {
  count = 0;
  before = 0;
  private began = performance.now();

  constructor(private readonly done: (error?: unknown) => void) {}

  @Locked('poll', { wait: '5s' })
  async poll(): Promise<void> {
    const now = performance.now();
    times[this.count] = now - this.began;
    this.count += 1;
    if (this.count === tenth) this.before = heap();
    this.began = performance.now();
    if (this.count < runs) setImmediate(() => void this.poll().catch(this.done));
    else this.done();
  }
}

const median = (from: number, to: number): number => {
  const sorted = times.slice(from, to).sort();
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
};
let poller!: Poller;
await new Promise<void>((resolve, reject) => {
  poller = withLocks(
    new Poller((error) => (error === undefined ? resolve() : reject(error as Error))),
    locks,
  );
  void poller.poll();
});
const grown = heap() - poller.before;
const ratio = median(runs - tenth, runs) / median(tenth, 2 * tenth);
console.log(`runs ${poller.count}, grown by ${grown} bytes, slower by a factor of ${ratio.toFixed(3)}.`);
await locks.close();
