import fc from 'fast-check';
import type { LatchOperation } from '../../lib/store/latch-machine.js';

const MS = 1_000;
const SECOND = 1_000 * MS;

/** One operation on a latch, and how many microseconds pass before it. */
export interface LatchStep {
  readonly operation: LatchOperation;
  readonly pause: number;
}

const watcher = fc.integer({ min: 0, max: 3 }).map((who) => `hearing${who % 2}.attempt${who}`);
const worker = fc.constantFrom('w', 'worker 1', 'ünï · 2', 'd:w', 'count');

// None is meant, or one of these.
const round = { round: fc.constantFrom('', '', 'a', 'a', 'b', 'b', 'round 3 + 4', 'ünï: 100 %') };

const operation: fc.Arbitrary<LatchOperation> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      ...round,
      kind: fc.constant('set' as const),
      count: fc.integer({ min: 1, max: 3 }),
      ttl: fc.constantFrom(100 * MS, 2 * SECOND, 60 * SECOND),
    }),
  },
  { weight: 5, arbitrary: fc.record({ ...round, kind: fc.constant('down' as const), id: worker }) },
  { weight: 4, arbitrary: fc.record({ ...round, kind: fc.constant('watch' as const), id: watcher }) },
  { weight: 1, arbitrary: fc.record({ ...round, kind: fc.constant('unwatch' as const), id: watcher }) },
  { weight: 1, arbitrary: fc.record({ ...round, kind: fc.constant('read' as const) }) },
);

/** Random histories of one latch: set, counted down, watched and forgotten. */
export const latchHistories: fc.Arbitrary<LatchStep[]> = fc.array(
  fc.record({
    operation,
    pause: fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: 1, max: 300 }) },
      { weight: 2, arbitrary: fc.integer({ min: 1 * MS, max: 900 * MS }) },
      { weight: 1, arbitrary: fc.integer({ min: 1 * SECOND, max: 20 * SECOND }) },
    ),
  }),
  { minLength: 5, maxLength: 30, size: 'max' },
);
