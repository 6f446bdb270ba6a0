import type { Clock } from '../base/clock.js';
import type { Hold } from './hold.js';

// Between processes: turns of at most so long, or so many hand-offs, in order of arrival.
const LONGEST = 10;
const MOST_HAND_OFFS = 64;
// The event loop turns at least this often while the lock goes from caller to caller.
const BREATH = 1;

/** How long an exclusive hold may go from caller to caller inside this process. */
export class Turn {
  /** The hold whose hand-off waits for the event loop to turn. */
  passing: Hold | undefined;
  private contendedSince: number | undefined;
  private handOffs = 0;
  private breathedAt = -Infinity;

  constructor(private readonly clock: Clock) {}

  begin(): void {
    this.contendedSince = undefined;
    this.handOffs = 0;
  }

  /** Whether the hold may go on here: it is proven for long enough, has a fence left, and others need not wait. */
  lasts(hold: Hold, now: number): boolean {
    if (hold.lossReason || !hold.suffices(now)) return false;
    if (!hold.contended) return true;
    this.contendedSince ??= now;
    return now - this.contendedSince < LONGEST && this.handOffs < MOST_HAND_OFFS;
  }

  /** Counts a hand-off. False when the event loop has to turn first: then `breathe` and look again. */
  pass(now: number): boolean {
    this.handOffs += 1;
    return now - this.breathedAt < BREATH;
  }

  breathe(hold: Hold, next: () => void): void {
    this.passing = hold;
    this.clock.breathe(() => {
      this.passing = undefined;
      this.breathedAt = this.clock.now();
      next();
    });
  }
}
