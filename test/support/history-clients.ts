import type { LockOperation, StuckHold, TakeOverOperation } from '../../lib/store/lock-operation.js';
import { WHOLE, type LockState } from '../../lib/store/lock-machine.js';
import { attempt, type LockHistory, type Step } from './lock-history.js';

const LONGEST_GUARD = 500_000;

/** The clients of a history: they know their own holds, and never say that they used fewer fences than before. */
export class HistoryClients {
  private readonly used = new Map<string, number>();
  private readonly turns = new Map<string, number>();
  private taken = 0;
  private last: TakeOverOperation | undefined;
  private lastFirst: number | undefined;

  constructor(private readonly history: LockHistory) {}

  /** How long it is from the server time `now` to a step. */
  pause(step: Step, state: LockState, now: number): number {
    if (!step.onTime) return step.pause;
    const next = Math.min(...state.holders.map(({ deadline }) => deadline));
    return Math.max(20, (next < Infinity ? next : state.fence) - now);
  }

  /** The operation that a step stands for. */
  operation(step: Step, state: LockState, now: number): LockOperation {
    const { ttl, wait, subscribed, keep, done, force } = step;
    const id = this.who(step, state);
    const guard = Math.min(LONGEST_GUARD, ttl / 4);
    const block = Math.min(step.block, ttl);
    const used = this.usedBy(step, state, id, now);
    const late = step.late ? { notAfter: now - 1 } : {};
    switch (step.verb) {
      case 'acquire': {
        const capacity = this.history.capacity + (step.otherCapacity ? 1 : 0);
        const asked = {
          units: Math.min(step.units, capacity),
          capacity,
          ttl,
          guard,
          block,
          wait,
          subscribed,
          // Another with each sign of life.
          seal: `${id.slice(-1)}-${now}`,
        };
        const holding = step.holds ? { holding: holdingAt(id, now) } : {};
        return { kind: 'acquire', id, ...asked, identity: `host:1 ${id}`, ...holding, ...late };
      }
      case 'renew':
        return { kind: 'renew', id, ttl, guard, block, used, ...late };
      case 'release':
        return { kind: 'release', id, used, keep, done };
      case 'downgrade':
        return { kind: 'downgrade', id, units: Math.min(step.units, 2), used };
      case 'revoke':
        return { kind: 'revoke', reason: `stuck: 100 % “${step.who}”`, force };
      case 'takeOver':
        return this.takeOver(step, state, { from: id, used, ttl, guard, block, ...late });
      case 'note': {
        const turn = (this.turns.get(id) ?? 0) + 1;
        this.turns.set(id, turn);
        // A copy of an earlier note comes late now and then, and some are taken back.
        const text = step.share === 0 ? '' : `stopped at ${turn}, 100 % “ü”`;
        return { kind: 'note', id, turn: step.late ? Math.max(1, turn - 1) : turn, text };
      }
    }
  }

  /** Somebody new takes a hold over; or the same one asks again; or a second one wants what was taken over already. */
  private takeOver(
    step: Step,
    state: LockState,
    asked: Pick<TakeOverOperation, 'from' | 'used' | 'ttl' | 'guard' | 'block' | 'notAfter'>,
  ): TakeOverOperation {
    // Ids come again in histories, in clients they do not: nobody asks for a later hold as for the one before it.
    const firstOf = (from: string): number | undefined => state.holders.find(({ id }) => id === from)?.first;
    const isAnother =
      this.last !== undefined && ![undefined, this.lastFirst].includes(firstOf(this.last.from));
    const last = isAnother ? undefined : this.last;
    if (last && step.force) return { ...last, ...asked, from: last.from, used: last.used };
    const id = attempt(this.history, (this.taken += 4) + (step.who % 4) + 96);
    const { from, used } = last && step.otherCapacity ? last : asked;
    const units = step.done > 0 ? Math.min(step.units, 2) : WHOLE;
    const operation = {
      kind: 'takeOver',
      id,
      units,
      ...asked,
      from,
      used,
      identity: `host:2 ${id}`,
    } as const;
    this.lastFirst = firstOf(from);
    return (this.last = operation);
  }

  /** Anybody acquires; the rest is mostly done by those who hold. */
  private who(step: Step, state: LockState): string {
    const holder = state.holders[step.who % Math.max(1, state.holders.length)];
    return step.verb !== 'acquire' && step.who < 6 && holder ? holder.id : attempt(this.history, step.who);
  }

  private usedBy(step: Step, state: LockState, id: string, now: number): number {
    const holder = state.holders.find((each) => each.id === id);
    if (!holder) return 0;
    const share = step.verb === 'release' ? step.share : Math.max(step.share, 0.1);
    const hold = `${id} ${holder.first}`;
    // A turn inside a process takes more than a microsecond, so fences of one's own never outrun the clock.
    const turns = Math.floor(share * Math.max(0, now - holder.first));
    const more = share === 0 || holder.last < holder.first ? 0 : Math.min(holder.last, holder.first + turns);
    const used = Math.max(this.used.get(hold) ?? 0, more);
    if (step.verb !== 'acquire') this.used.set(hold, used);
    return used;
  }
}

/** What a process holds while it waits: one name, or one behind another, with every mark that the text of it has. */
function holdingAt(id: string, now: number): readonly StuckHold[] {
  const first = {
    name: 'a: ~row,4:7 @#%“ü”',
    id: `${id}~0`,
    fence: now - 7,
    turn: 1,
    yields: true,
    behind: -1,
  };
  const second = { ...first, name: 'b', id: `${id}1`, turn: now % 3, yields: false, behind: 0 };
  return now % 2 === 0 ? [first] : [first, second];
}
