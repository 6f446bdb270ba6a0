import * as perfHooks from 'node:perf_hooks';
import * as timers from 'node:timers';

// Taken once, when this file is loaded. Fake timers of tests replace the globals later, and some replace what the
// modules export. If leases used fake time, a test that advances it would lose them.
const { setTimeout, clearTimeout, setImmediate, setInterval } = timers;
const { performance } = perfHooks;
const monotonic = performance.now.bind(performance);
const globalSetTimeout = globalThis.setTimeout;
// Even if this file is loaded under fake timers (jest with enableGlobally), only Date is fake.
const dateIsReal = Function.prototype.toString.call(Date.now).includes('[native code]');

/** The machine's wall clock in milliseconds since 1970, even if a test has replaced `Date`. */
export const wallTime: () => number = dateIsReal ? Date.now : () => performance.timeOrigin + monotonic();

/** Cancels a timer; calling it twice, or after the timer fired, does nothing. */
export type CancelTimer = () => void;

/** Something that keeps the process alive between `ref` and `unref`; made without a reference. */
export interface Anchor {
  ref(): void;
  unref(): void;
  /** Ends it; it is not used again. */
  close(): void;
}

/**
 * Where elapsed time comes from. It is injected, so that tests can control it.
 *
 * `now` never goes back. It runs at least as fast as the monotonic clock, and jumps ahead with the wall clock: after a
 * suspend, the machine finds its leases expired at once.
 */
export interface Clock {
  /** Milliseconds since an arbitrary start, with a fraction. */
  now(): number;
  /** By how many milliseconds `now` has jumped ahead so far. Timers do not notice such jumps. */
  readonly jumped: number;
  /** Runs `fire` once after `ms` milliseconds; never keeps the process alive. */
  after(ms: number, fire: () => void): CancelTimer;
  /** Runs `next` after a turn of the event loop, so that input, timers and other callers get their chance. */
  breathe(next: () => void): void;
  /** Makes something that can keep the process alive while somebody waits; nothing else does. */
  anchor(): Anchor;
  /** Whether a test has put fake timers in place of the process's own. */
  readonly faked: boolean;
  /** Runs `fire` once the fake timers have advanced by `ms` milliseconds. */
  afterFaked(ms: number, fire: () => void): CancelTimer;
}

// The wall clock is read in whole milliseconds and slewed by NTP, so a smaller difference is no jump.
const JUMP = 50;
const LONGEST_TIMER = 2_147_483_647;

/** The machine's clocks: max(monotonic, wall), see {@link Clock}. */
export class SystemClock implements Clock {
  private offset: number;
  jumped = 0;

  /** `wall` reads the machine's wall clock. */
  constructor(private readonly wall: () => number = wallTime) {
    this.offset = wall() - monotonic();
  }

  now(): number {
    const elapsed = monotonic();
    const offset = this.wall() - elapsed;
    const step = offset - this.offset;
    if (step > JUMP || step < -JUMP) {
      this.offset = offset;
      if (step > 0) this.jumped += step; // forwards counts, backwards has no effect
    }
    return elapsed + this.jumped;
  }

  after(ms: number, fire: () => void): CancelTimer {
    const timer = setTimeout(fire, Math.min(Math.max(0, ms), LONGEST_TIMER));
    timer.unref();
    return () => clearTimeout(timer);
  }

  breathe(next: () => void): void {
    setImmediate(next);
  }

  anchor(): Anchor {
    return setInterval(() => undefined, LONGEST_TIMER).unref();
  }

  get faked(): boolean {
    const { setTimeout: present } = globalThis;
    return present !== globalSetTimeout && present !== setTimeout;
  }

  afterFaked(ms: number, fire: () => void): CancelTimer {
    const { setTimeout: set, clearTimeout: clear } = globalThis;
    const timer = set(fire, Math.ceil(Math.min(Math.max(0, ms), LONGEST_TIMER)));
    return () => clear(timer);
  }
}
