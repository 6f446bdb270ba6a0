import { Chain, type Link } from './chain.js';
import type { Clock } from './clock.js';
import { SharedTimer } from './shared-timer.js';

/** Something that has to end before a point of time. */
export interface Deadline extends Link<Deadline> {
  /** Local time at which it is missed. */
  readonly deadline: number;
  missed(): void;
}

// After this time at the latest the timer looks again, so that it does not stay set for deadlines met long ago.
const LOOK_EVERY = 1_000;

/**
 * Deadlines that share one timer. Nearly all of them are met, so meeting one does not touch the timer: it fires at its time,
 * and is set again for what is still open.
 */
export class Deadlines extends SharedTimer {
  private readonly open = new Chain<Deadline>();
  private closed = false;

  constructor(clock: Clock) {
    super(clock, LOOK_EVERY);
  }

  /** How many are open. */
  get size(): number {
    return this.open.size;
  }

  /** Calls `missed` of the deadline when it passes, unless it is removed before. */
  add(deadline: Deadline): void {
    this.open.add(deadline);
    this.setBy(deadline.deadline);
  }

  delete(deadline: Deadline): void {
    this.open.remove(deadline);
    if (this.closed && this.open.size === 0) this.unset();
  }

  /** Leaves no timer once the last deadline is met. */
  close(): void {
    this.closed = true;
    if (this.open.size === 0) this.unset();
  }

  protected fire(now: number): void {
    let next = Infinity;
    const missed: Deadline[] = [];
    for (let each = this.open.first; each; each = each.after) {
      if (each.deadline > now) next = Math.min(next, each.deadline);
      else missed.push(each);
    }
    if (next < Infinity) this.setBy(next, now);
    if (missed.length > 0) this.clock.breathe(() => this.tell(missed));
  }

  /**
   * Called after a turn of the event loop: when the loop was late, answers may have arrived that nobody has read yet. It
   * leaves out deadlines that were met in the meantime, also because of another one.
   */
  private tell(missed: readonly Deadline[]): void {
    for (const each of missed) if (this.open.remove(each)) each.missed();
  }
}
