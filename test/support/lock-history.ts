import fc from 'fast-check';
import { LINGERS, WHOLE } from '../../lib/store/lock-machine.js';

const MS = 1_000;
const SECOND = 1_000 * MS;

type Verb = 'acquire' | 'renew' | 'release' | 'downgrade' | 'revoke' | 'takeOver' | 'note';

export interface Step {
  readonly verb: Verb;
  readonly who: number;
  readonly units: number;
  readonly wait: number;
  readonly ttl: number;
  readonly block: number;
  readonly subscribed: boolean;
  /** How much of the time that passed was spent on fences of one's own, 0 to 1; 0 uses none. */
  readonly share: number;
  readonly keep: number;
  readonly done: number;
  /** Of a revocation; and whether a take-over is the last one again. */
  readonly force: boolean;
  readonly late: boolean;
  /** Of an acquire: whether it says what its process holds meanwhile. */
  readonly holds: boolean;
  readonly otherCapacity: boolean;
  /** Microseconds that pass before it, at least. */
  readonly pause: number;
  /** It comes in the microsecond in which the next hold ends, or that of the last fence when nobody holds. */
  readonly onTime: boolean;
  /** By how much the server's clock jumps before it. */
  readonly jump: number;
}

/** What happens to one name: who asks for what, how much time passes, where the server's clock jumps. */
export interface LockHistory {
  readonly capacity: number;
  readonly fenceMemory: number;
  /** Sessions that nobody listens to, whatever they say. */
  readonly deaf: readonly number[];
  /** Before which step the last session falls silent. */
  readonly fades: number;
  /** Whether the server knows how many listen, as one that stands alone does. */
  readonly counted: boolean;
  readonly steps: readonly Step[];
}

const SESSIONS = 4;

/** Callers of a mutex who wait for a minute; what a test says otherwise comes over it. */
export function mutexHistory(steps: readonly Partial<Step>[], fades = Infinity): LockHistory {
  const usual: Step = {
    ...{ verb: 'acquire', who: 0, units: WHOLE, wait: 60 * SECOND, ttl: 10 * SECOND, block: Infinity },
    ...{ subscribed: true, share: 0.1, keep: 0, done: 0, force: false, late: false, holds: false },
    ...{ otherCapacity: false, pause: 1 * MS, onTime: false, jump: 0 },
  };
  const terms = { capacity: WHOLE, fenceMemory: 60 * SECOND, deaf: [], counted: true };
  return { ...terms, fades, steps: steps.map((step) => ({ ...usual, ...step })) };
}

/** The sessions that are listened to from beginning to end, and the one that may fall silent on the way. */
export const HEARING = ['hearing0', 'hearing1', 'hearing2'];
export const FADING = 'fading3';

/** Attempts of the sessions in turn; the holds of every third may linger. */
export function attempt(history: LockHistory, who: number): string {
  const session = who % SESSIONS;
  const name = history.deaf.includes(session) ? `deaf${session}` : (HEARING[session] ?? FADING);
  return `${name}.attempt${who}${who % 3 === 2 ? LINGERS : ''}`;
}

/** Whether somebody listens to the session of `id` at a step. */
export function isHeard(history: LockHistory, id: string, step: number): boolean {
  return id.startsWith('hearing') || (id.startsWith('fading') && step < history.fades);
}

const span = (...spans: number[]) => fc.constantFrom(...spans);
const VERBS: readonly Verb[] = [
  ...(['acquire', 'acquire', 'acquire', 'acquire', 'acquire'] as const),
  ...(['renew', 'renew', 'release', 'release', 'downgrade', 'revoke', 'takeOver', 'note'] as const),
];
const CROWD: readonly Verb[] = [
  ...Array<Verb>(14).fill('acquire'),
  ...(['renew', 'release', 'release', 'release', 'release', 'revoke', 'takeOver', 'note'] as const),
];
const rarely = fc.integer({ min: 0, max: 19 }).map((drawn) => drawn === 19);

/**
 * Random histories of eight attempts, two to a session; or of a crowd of sixteen that want a mutex. With `jumps`, the
 * clock also steps: back by any amount, forward by less than a guard.
 */
export function lockHistories(jumps: boolean, length = 30, crowd = false): fc.Arbitrary<LockHistory> {
  const step: fc.Arbitrary<Step> = fc.record({
    verb: fc.constantFrom(...(crowd ? CROWD : VERBS)),
    who: fc.integer({ min: 0, max: crowd ? 15 : 7 }),
    units: crowd ? span(WHOLE) : span(1, 1, 2, WHOLE),
    wait: span(...(crowd ? [] : [0]), 300 * MS, 5 * SECOND, 60 * SECOND, 60 * SECOND),
    ttl: span(2 * SECOND, 2 * SECOND, 10 * SECOND),
    block: span(1, 1_000, Infinity),
    subscribed: crowd ? rarely.map((drawn) => !drawn) : fc.boolean(),
    share: span(0, 0.1, 1),
    keep: crowd ? span(0) : span(0, 0, 0, 200 * MS, 60 * SECOND),
    done: crowd ? span(0) : span(0, 0, 0, 1, 30 * SECOND),
    force: fc.integer({ min: 0, max: 3 }).map((drawn) => drawn === 3),
    late: rarely,
    holds: fc.integer({ min: 0, max: 2 }).map((drawn) => drawn === 2),
    otherCapacity: rarely,
    pause: fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: 20, max: 300 }) },
      { weight: 2, arbitrary: fc.integer({ min: 1 * MS, max: 900 * MS }) },
      { weight: 2, arbitrary: fc.integer({ min: 1 * SECOND, max: 20 * SECOND }) },
    ),
    onTime: rarely,
    jump: jumps
      ? fc.oneof(
          { weight: 8, arbitrary: fc.constant(0) },
          { weight: 1, arbitrary: fc.integer({ min: -100 * SECOND, max: 0 }) },
          { weight: 1, arbitrary: fc.integer({ min: 0, max: 450 * MS }) },
        )
      : fc.constant(0),
  });
  return fc.record({
    capacity: crowd ? span(WHOLE) : span(1, 2, 3, WHOLE, WHOLE, WHOLE),
    fenceMemory: fc.constantFrom(0, 60 * SECOND),
    deaf: fc.subarray([0, 1, 2], { maxLength: 2 }),
    fades: fc.integer({ min: 0, max: 2 * length }),
    counted: fc.integer({ min: 0, max: 3 }).map((drawn) => drawn > 0),
    steps: fc.array(step, { minLength: 10, maxLength: length, size: 'max' }),
  });
}
