import {
  applyLatchOperation,
  emptyLatch,
  latchExpiryOf,
  type LatchAnswer,
  type LatchOperation,
  type LatchState,
} from '../latch-machine.js';

/** The countdown latches of a memory server. */
export class MemoryLatches {
  private readonly latches = new Map<string, LatchState>();

  apply(name: string, operation: LatchOperation, now: number, opened: (id: string) => void): LatchAnswer {
    const state = this.latches.get(name) ?? emptyLatch();
    const answer = applyLatchOperation(state, operation, now, opened);
    if (latchExpiryOf(state) > now) this.latches.set(name, state);
    else this.latches.delete(name);
    return answer;
  }

  has(name: string, now: number): boolean {
    const state = this.latches.get(name);
    return state !== undefined && latchExpiryOf(state) > now;
  }

  get size(): number {
    return this.latches.size;
  }

  /** Forgets what has expired. */
  sweep(now: number): void {
    for (const [name, state] of this.latches) if (latchExpiryOf(state) <= now) this.latches.delete(name);
  }
}
