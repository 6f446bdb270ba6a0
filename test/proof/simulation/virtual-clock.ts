import type { Anchor, CancelTimer, Clock } from '../../../lib/base/clock.js';
import type { Life } from './life.js';
import type { Random } from './random.js';
import type { Timeline } from './timeline.js';

const LONGEST = 2_147_483_647;

/** The clock of one process: it drifts, its wall clock may jump, and its timers are as inexact as Node's. */
export class VirtualClock implements Clock {
  /** How many timers are set. */
  pending = 0;
  jumped: number;

  constructor(
    private readonly timeline: Timeline,
    private readonly life: Life,
    /** How much faster than the server's it runs. */
    readonly drift: number,
    private readonly random: Random,
  ) {
    this.jumped = random.between(1_000, 100_000);
  }

  now(): number {
    return this.timeline.now * (1 + this.drift) + this.jumped;
  }

  // Node cuts the fraction off and counts from the start of the loop's turn: a timer may be early by up to 1 ms.
  after(ms: number, fire: () => void): CancelTimer {
    const whole = Math.max(1, Math.trunc(Math.min(ms, LONGEST)));
    const lag = this.random.chance(0.02) ? this.random.between(0, 20) : this.random.between(0, 0.5);
    const wait = Math.max(0.01, whole - this.random.next()) / (1 + this.drift) + lag;
    let set = true;
    this.pending += 1;
    const clear = (): void => {
      if (set) this.pending -= 1;
      set = false;
    };
    const cancel = this.timeline.after(wait, () =>
      this.life.enter(() => {
        if (!set) return;
        clear();
        fire();
      }, 'timer'),
    );
    return () => {
      cancel();
      clear();
    };
  }

  // Only the timeline decides when a simulation ends.
  anchor(): Anchor {
    const nothing = (): void => undefined;
    return { ref: nothing, unref: nothing, close: nothing };
  }

  readonly faked = false;
  afterFaked(): CancelTimer {
    throw new Error('A virtual clock has no fake timers.');
  }

  breathe(next: () => void): void {
    this.timeline.after(this.random.between(0.005, 0.1), () => this.life.enter(next));
  }

  /** The wall clock is set forward. (Backwards has no effect on `now`.) */
  jump(ms: number): void {
    this.jumped += ms;
  }
}
