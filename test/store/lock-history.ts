import fc from 'fast-check';
import type { LockOperation } from '../../lib/store/lock-operation.js';
import { WHOLE, type LockState } from '../../lib/store/lock-state.js';

const MS = 1_000;
const SECOND = 1_000 * MS;

export interface Step {
  readonly verb: 'acquire' | 'renew' | 'release' | 'downgrade' | 'revoke';
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
  readonly force: boolean;
  readonly late: boolean;
  readonly otherCapacity: boolean;
  /** Microseconds that pass before it. */
  readonly pause: number;
  /** By how much the server's clock jumps before it. */
  readonly jump: number;
}

/** What happens to one name: who asks for what, how much time passes, where the server's clock jumps. */
export interface LockHistory {
  readonly capacity: number;
  readonly fenceMemory: number;
  /** Sessions that nobody listens to, whatever they say. */
  readonly deaf: readonly number[];
  /** Whether the server knows how many listen, as one that stands alone does. */
  readonly counted: boolean;
  readonly steps: readonly Step[];
}

const SESSIONS = 4;

/** The sessions of every history that are listened to. */
export const HEARING = Array.from({ length: SESSIONS }, (_, session) => `hearing${session}`);

export const isHeard = (id: string): boolean => id.startsWith('hearing');

/** Eight attempts, two to a session. */
function attempt(history: LockHistory, who: number): string {
  const session = who % SESSIONS;
  return `${history.deaf.includes(session) ? 'deaf' : 'hearing'}${session}.attempt${who}`;
}

const span = (...spans: number[]) => fc.constantFrom(...spans);
const rarely = fc.integer({ min: 0, max: 19 }).map((drawn) => drawn === 19);

/** Random histories. With `jumps`, the clock also steps: back by any amount, forward by less than a guard. */
export function lockHistories(jumps: boolean, length = 30): fc.Arbitrary<LockHistory> {
  const step = fc.record({
    verb: fc.constantFrom<Step['verb'][]>(
      ...['acquire', 'acquire', 'acquire', 'acquire', 'renew', 'release', 'release', 'downgrade'].map(
        (verb) => verb as Step['verb'],
      ),
      'revoke',
    ),
    who: fc.integer({ min: 0, max: 7 }),
    units: span(1, 1, 2, WHOLE),
    wait: span(0, 300 * MS, 5 * SECOND, 60 * SECOND, 60 * SECOND),
    ttl: span(2 * SECOND, 2 * SECOND, 10 * SECOND),
    block: span(1, 1_000, Infinity),
    subscribed: fc.boolean(),
    share: span(0, 0.1, 1),
    keep: span(0, 0, 0, 200 * MS, 60 * SECOND),
    done: span(0, 0, 0, 1, 30 * SECOND),
    force: rarely,
    late: rarely,
    otherCapacity: rarely,
    pause: fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: 20, max: 300 }) },
      { weight: 2, arbitrary: fc.integer({ min: 1 * MS, max: 900 * MS }) },
      { weight: 2, arbitrary: fc.integer({ min: 1 * SECOND, max: 20 * SECOND }) },
    ),
    jump: jumps
      ? fc.oneof(
          { weight: 8, arbitrary: fc.constant(0) },
          { weight: 1, arbitrary: fc.integer({ min: -100 * SECOND, max: 0 }) },
          { weight: 1, arbitrary: fc.integer({ min: 0, max: 450 * MS }) },
        )
      : fc.constant(0),
  });
  return fc.record({
    capacity: fc.constantFrom(1, 2, 3, WHOLE, WHOLE, WHOLE),
    fenceMemory: fc.constantFrom(0, 60 * SECOND),
    deaf: fc.subarray([0, 1, 2, 3], { maxLength: 2 }),
    counted: fc.integer({ min: 0, max: 3 }).map((drawn) => drawn > 0),
    steps: fc.array(step, { minLength: 10, maxLength: length, size: 'max' }),
  });
}

/** The clients of a history: they know their own holds, and never say that they used fewer fences than before. */
export class HistoryClients {
  private readonly used = new Map<string, number>();

  constructor(private readonly history: LockHistory) {}

  /** The operation that a step stands for. */
  operation(step: Step, state: LockState, now: number): LockOperation {
    const { capacity } = this.history;
    const { ttl, wait, subscribed, keep, done, force } = step;
    const id = attempt(this.history, step.who);
    const guard = Math.min(500 * MS, ttl / 4);
    const block = Math.min(step.block, ttl);
    const used = this.usedBy(
      state,
      id,
      step.verb === 'release' ? step.share : Math.max(step.share, 0.1),
      now,
    );
    const late = step.late ? { notAfter: now - 1 } : {};
    switch (step.verb) {
      case 'acquire': {
        const units = step.otherCapacity ? 1 : Math.min(step.units, capacity);
        const asked = {
          id,
          units,
          capacity: step.otherCapacity ? capacity + 1 : capacity,
          ttl,
          guard,
          block,
        };
        return { kind: 'acquire', ...asked, wait, subscribed, who: `host:1 ${id}`, ...late };
      }
      case 'renew':
        return { kind: 'renew', id, ttl, guard, block, used, ...late };
      case 'release':
        return { kind: 'release', id, used, keep, done };
      case 'downgrade':
        return { kind: 'downgrade', id, units: Math.min(step.units, 2), used };
      case 'revoke':
        return { kind: 'revoke', reason: 'by test', force };
    }
  }

  private usedBy(state: LockState, id: string, share: number, now: number): number {
    const holder = state.holders.find((each) => each.id === id);
    if (!holder) return 0;
    const hold = `${id} ${holder.first}`;
    // A turn inside a process takes more than a microsecond, so fences of one's own never outrun the clock.
    const turns = Math.floor(share * Math.max(0, now - holder.first));
    const more = share === 0 || holder.last < holder.first ? 0 : Math.min(holder.last, holder.first + turns);
    const used = Math.max(this.used.get(hold) ?? 0, more);
    this.used.set(hold, used);
    return used;
  }
}
