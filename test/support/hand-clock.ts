import type { Anchor, Clock } from '../../lib/base/clock.js';

/** A clock that goes on by hand, and counts its timers. */
export class HandClock implements Clock {
  time = 1_000;
  readonly timers = new Map<object, { at: number; fire: () => void }>();
  set = 0;
  jumped = 0;

  now(): number {
    return this.time;
  }
  after(ms: number, fire: () => void): () => void {
    const key = {};
    this.set += 1;
    this.timers.set(key, { at: this.time - this.jumped + ms, fire });
    return () => this.timers.delete(key);
  }
  /** Set, and whoever waits for a turn of the event loop waits for `turn`. */
  still = false;
  private readonly breaths: (() => void)[] = [];
  breathe(next: () => void): void {
    if (this.still) this.breaths.push(next);
    else next();
  }
  /** The event loop turns. */
  turn(): void {
    for (const next of this.breaths.splice(0)) next();
  }
  /** Whether something of it keeps the process alive. */
  alive = false;
  anchor(): Anchor {
    const set = (alive: boolean) => () => void (this.alive = alive);
    return { ref: set(true), unref: set(false), close: set(false) };
  }
  readonly faked = false;
  afterFaked(): () => void {
    throw new Error('The timers of this clock are not fake.');
  }
  /** Goes ahead without its timers. */
  jump(ms: number): void {
    this.time += ms;
    this.jumped += ms;
  }
  pass(ms: number): void {
    this.time += ms;
    for (const [key, { at, fire }] of [...this.timers])
      if (at <= this.time - this.jumped && this.timers.delete(key)) fire();
  }
}
