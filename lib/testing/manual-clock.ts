import { type Anchor, type CancelTimer, type Clock, SystemClock } from '../base/clock.js';

interface Timer {
  readonly at: number;
  readonly fire: () => void;
}

// A timer fires a little after its time, since sums of fractions may miss it by the last bit.
const MARGIN = 0.001;
// Something may ask for a turn of the event loop again and again.
const MOST_TURNS = 1_000;

/**
 * A clock that stands still until a test advances it. Only time is controlled: turns of the event loop are those of the
 * machine, so that calls that need no time end by themselves, also under fake timers.
 */
export class ManualClock implements Clock {
  readonly jumped = 0;
  /** The timers of the locks are those of this clock, whatever a test runner puts in place of the globals. */
  readonly faked = false;
  private readonly machine = new SystemClock();
  private time = Math.ceil(this.machine.now());
  private readonly timers = new Set<Timer>();
  /** How many wait for a turn of the event loop. */
  private breaths = 0;
  private moved: Promise<void> = Promise.resolve();

  now(): number {
    return this.time;
  }

  after(ms: number, fire: () => void): CancelTimer {
    const timer = { at: this.time + Math.max(0, ms), fire };
    this.timers.add(timer);
    if (timer.at <= this.time) this.breathe(() => this.run(timer));
    return () => void this.timers.delete(timer);
  }

  breathe(next: () => void): void {
    this.breaths += 1;
    this.machine.breathe(() => {
      this.breaths -= 1;
      next();
    });
  }

  anchor(): Anchor {
    return this.machine.anchor();
  }

  afterFaked(): CancelTimer {
    throw new Error('A manual clock has no fake timers.');
  }

  /**
   * Lets `ms` milliseconds pass, timer by timer in the order of their times. What a timer sets off goes on until it needs
   * more time, or something that is not of the locks, and then the next timer fires.
   */
  advance(ms: number): Promise<void> {
    this.moved = this.moved.then(() => this.moveBy(ms));
    return this.moved;
  }

  private async moveBy(ms: number): Promise<void> {
    await this.settled();
    const end = this.time + ms;
    for (let next = this.nextBy(end); next; next = this.nextBy(end)) {
      this.time = Math.max(this.time, next.at + MARGIN);
      this.run(next);
      await this.settled();
    }
    this.time = Math.max(this.time, end);
    await this.settled();
  }

  /** Resolves when everything that needs no time has been done. */
  async settled(): Promise<void> {
    for (let turns = 0; turns < 2 || (this.breaths > 0 && turns < MOST_TURNS); turns += 1)
      await new Promise<void>((turned) => this.machine.breathe(turned));
  }

  private nextBy(end: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.timers) if (timer.at <= end && (!first || timer.at < first.at)) first = timer;
    return first;
  }

  private run(timer: Timer): void {
    if (this.timers.delete(timer)) timer.fire();
  }
}
