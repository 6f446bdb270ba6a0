/** Cancels a timer; calling it twice, or after the timer fired, does nothing. */
export type CancelTimer = () => void;

/**
 * Where elapsed time comes from. Injectable, so that tests own it.
 *
 * `now` never goes back. It runs at least as fast as the monotonic clock, and jumps ahead with the
 * wall clock: a machine that was suspended finds its leases expired at once on waking.
 */
export interface Clock {
  /** Milliseconds since an arbitrary start, with a fraction. */
  now(): number;
  /** By how many milliseconds `now` has jumped ahead so far, which timers know nothing of. */
  readonly jumped: number;
  /** Runs `fire` once after `ms` milliseconds; never keeps the process alive. */
  after(ms: number, fire: () => void): CancelTimer;
  /** Runs `next` once the event loop has turned, so that input, timers and other callers get their chance. */
  breathe(next: () => void): void;
}

// The wall clock is read in whole milliseconds and slewed by NTP; less than this is no jump.
const JUMP = 50;
const LONGEST_TIMER = 2_147_483_647;

/** The machine's clocks: max(monotonic, wall), see {@link Clock}. */
export class SystemClock implements Clock {
  private offset: number;
  jumped = 0;

  /** `wall` is what the machine's wall clock shows. */
  constructor(private readonly wall: () => number = Date.now) {
    this.offset = wall() - performance.now();
  }

  now(): number {
    const monotonic = performance.now();
    const offset = this.wall() - monotonic;
    const step = offset - this.offset;
    if (step > JUMP || step < -JUMP) {
      this.offset = offset;
      if (step > 0) this.jumped += step; // forwards counts, backwards has no effect
    }
    return monotonic + this.jumped;
  }

  after(ms: number, fire: () => void): CancelTimer {
    const timer = setTimeout(fire, Math.min(Math.max(0, ms), LONGEST_TIMER));
    timer.unref();
    return () => clearTimeout(timer);
  }

  breathe(next: () => void): void {
    setImmediate(next);
  }
}
