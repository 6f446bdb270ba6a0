/** A hold that nobody in this process uses, and that is kept for the next caller. */
import type { CancelTimer, Clock } from '../base/clock.js';
import type { Hold } from './hold.js';
import type { Waiting } from './wait.js';

/**
 * What lingers of one name. Its timer is set once and looks at the time when it fires: a name that is used again and again
 * costs a comparison for each use, and no timer.
 */
export class Lingering {
  /** The hold, while nobody uses it. */
  hold: Hold | undefined;
  private until = 0;
  private looksAt = 0;
  private cancel: CancelTimer | undefined;

  constructor(
    private readonly clock: Clock,
    /** The process stays alive until the hold is given back: nothing else would give it back. */
    private readonly waiting: Waiting,
    /** Its time is over: it is to be given back. */
    private readonly onEnd: () => void,
  ) {}

  begin(hold: Hold, ms: number, now: number): void {
    this.hold = hold;
    this.until = now + ms;
    if (this.cancel && this.until >= this.looksAt) return;
    if (!this.cancel) this.waiting.enter();
    this.waiting.keep();
    this.arm(ms, now);
  }

  /** The next caller has it. Returns what lingered. */
  use(): Hold | undefined {
    const { hold } = this;
    this.hold = undefined;
    return hold;
  }

  /** It is given back, or lost. Returns what lingered. */
  end(): Hold | undefined {
    if (this.cancel) {
      this.cancel();
      this.cancel = undefined;
      this.waiting.leave();
    }
    return this.use();
  }

  private arm(ms: number, now: number): void {
    this.cancel?.();
    this.looksAt = now + ms;
    this.cancel = this.clock.after(ms, () => this.look());
  }

  private look(): void {
    const now = this.clock.now();
    if (this.hold && this.until > now) return this.arm(this.until - now, now);
    if (this.hold) this.onEnd();
    else this.end();
  }
}
