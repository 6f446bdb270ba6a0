import { Chain, type Link } from './chain.js';
import type { CancelTimer, Clock } from './clock.js';

/** What has to happen before a point of time. */
export interface Deadline extends Link<Deadline> {
  /** Local time at which it is missed. */
  readonly deadline: number;
  missed(): void;
}

// A timer for what was met long ago is not left for longer than this.
const LOOK_EVERY = 1_000;

/**
 * Deadlines that nearly all are met, so they share one timer: it is set for the earliest that it knew, but for a second
 * at most, stays when that one is met, and is set again for whatever is open when it fires.
 */
export class Deadlines {
  private readonly open = new Chain<Deadline>();
  private setFor = Infinity;
  private setAfterJumps = 0;
  private cancelTimer: CancelTimer | undefined;
  private closed = false;

  constructor(private readonly clock: Clock) {}

  /** How many are open. */
  get size(): number {
    return this.open.size;
  }

  /** Tells `deadline` when it passes, unless it is removed before. */
  add(deadline: Deadline): void {
    this.open.add(deadline);
    const soonest = deadline.deadline < this.setFor;
    if (!soonest && this.setAfterJumps === this.clock.jumped) return;
    const now = this.clock.now();
    this.set(soonest ? deadline.deadline : now, now); // after a jump it would be late: it looks at once
  }

  delete(deadline: Deadline): void {
    this.open.remove(deadline);
    if (this.closed) this.endTimer();
  }

  /** No timer is left when the last one is met. */
  close(): void {
    this.closed = true;
    this.endTimer();
  }

  private set(at: number, now: number): void {
    this.cancelTimer?.();
    this.setFor = Math.min(at, now + LOOK_EVERY);
    this.setAfterJumps = this.clock.jumped;
    this.cancelTimer = this.clock.after(this.setFor - now, () => this.fire());
  }

  private fire(): void {
    this.setFor = Infinity;
    const now = this.clock.now();
    let next = Infinity;
    const missed: Deadline[] = [];
    for (let each = this.open.first; each; each = each.after) {
      if (each.deadline > now) next = Math.min(next, each.deadline);
      else missed.push(each);
    }
    if (missed.length > 0) this.clock.breathe(() => this.tell(missed));
    // With a clock of tests, what a missed deadline led to may have set the timer already.
    if (next < this.setFor) this.set(next, now);
  }

  /**
   * After a turn of the event loop: when it was late, the answers may be here and unread. Not those that were ended
   * meanwhile, or by what another one led to.
   */
  private tell(missed: readonly Deadline[]): void {
    for (const each of missed) if (this.open.remove(each)) each.missed();
  }

  private endTimer(): void {
    if (this.open.size > 0) return;
    this.cancelTimer?.();
    this.setFor = Infinity;
  }
}
