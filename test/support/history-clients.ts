import type { LockOperation } from '../../lib/store/lock-operation.js';
import type { LockState } from '../../lib/store/lock-machine.js';
import { attempt, type LockHistory, type Step } from './lock-history.js';

const LONGEST_GUARD = 500_000;

/** The clients of a history: they know their own holds, and never say that they used fewer fences than before. */
export class HistoryClients {
  private readonly used = new Map<string, number>();

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
        return { kind: 'acquire', id, ...asked, identity: `host:1 ${id}`, ...late };
      }
      case 'renew':
        return { kind: 'renew', id, ttl, guard, block, used, ...late };
      case 'release':
        return { kind: 'release', id, used, keep, done };
      case 'downgrade':
        return { kind: 'downgrade', id, units: Math.min(step.units, 2), used };
      case 'revoke':
        return { kind: 'revoke', reason: `stuck: 100 % “${step.who}”`, force };
    }
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
