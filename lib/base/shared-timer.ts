import type { CancelTimer, Clock } from './clock.js';

/**
 * One timer for many points of time: it is set for the earliest of them. It handles jumps of the clock: a timer that was
 * set before a jump fires too late (see Clock.jumped), also for everything that was scheduled earlier. So the first call
 * after a jump sets it again.
 */
export abstract class SharedTimer {
  private setFor = Infinity;
  private setAfterJumps = 0;
  private cancel: CancelTimer | undefined;

  /** `longest` is the longest time, in milliseconds, for which the timer is set; after it, it looks again. */
  constructor(
    protected readonly clock: Clock,
    private readonly longest = Infinity,
  ) {}

  /**
   * Makes sure that `fire` is called at the local time `at` or earlier. Nearly always the timer is set for an earlier time
   * already and this only compares, so the clock is read only if it has to be.
   */
  protected setBy(at: number, now?: number): void {
    if (at >= this.setFor && this.setAfterJumps === this.clock.jumped) return;
    const from = now ?? this.clock.now();
    this.cancel?.();
    this.setFor = Math.min(at, this.setFor, from + this.longest);
    this.setAfterJumps = this.clock.jumped;
    this.cancel = this.clock.after(this.setFor - from, () => {
      this.setFor = Infinity;
      this.fire(this.clock.now());
    });
  }

  /** Leaves no timer. */
  protected unset(): void {
    this.cancel?.();
    this.setFor = Infinity;
  }

  /** Called when something may be due: handles what is due, and calls `setBy` for the earliest of the rest. */
  protected abstract fire(now: number): void;
}
