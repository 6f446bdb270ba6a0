import { Chain, type Link } from './chain.js';
import type { Clock } from './clock.js';
import { SharedTimer } from './shared-timer.js';

/** What has to happen before a point of time. */
export interface Deadline extends Link<Deadline> {
  /** Local time at which it is missed. */
  readonly deadline: number;
  missed(): void;
}

// A timer for what was met long ago is not left for longer than this.
const LOOK_EVERY = 1_000;

/**
 * Deadlines that nearly all are met, so the timer they share is not touched when one of them is: it fires, and is set
 * again for whatever is open then.
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

  /** Tells `deadline` when it passes, unless it is removed before. */
  add(deadline: Deadline): void {
    this.open.add(deadline);
    this.setBy(deadline.deadline);
  }

  delete(deadline: Deadline): void {
    this.open.remove(deadline);
    if (this.closed && this.open.size === 0) this.unset();
  }

  /** No timer is left when the last one is met. */
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
   * After a turn of the event loop: when it was late, the answers may be here and unread. Not those that were ended
   * meanwhile, or by what another one led to.
   */
  private tell(missed: readonly Deadline[]): void {
    for (const each of missed) if (this.open.remove(each)) each.missed();
  }
}
