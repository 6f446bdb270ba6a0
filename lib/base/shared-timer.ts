import type { CancelTimer, Clock } from './clock.js';

/**
 * One timer of the machine for many points of time: it is set for the earliest of them. It knows the one rule about
 * jumps of the clock: a timer that was set before a jump fires too late (see Clock.jumped), not only for whatever comes
 * next but for all that stands already, so the first who comes after a jump has it set anew.
 */
export abstract class SharedTimer {
  private setFor = Infinity;
  private setAfterJumps = 0;
  private cancel: CancelTimer | undefined;

  /** `longest` is the most by which it is set ahead, in milliseconds: then it looks again. */
  constructor(
    protected readonly clock: Clock,
    private readonly longest = Infinity,
  ) {}

  /**
   * Sees to it that `fire` is called at the local time `at`, or before. Nearly always the timer is set for an earlier
   * time already, and this only compares: so `now` is read here when the caller has not done so.
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

  /** The time has come, or may have: tells what is due, and calls `setBy` for the earliest of what is not. */
  protected abstract fire(now: number): void;
}
