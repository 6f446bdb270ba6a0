import type { Anchor, Clock } from '../base/clock.js';

/**
 * Who of this process waits and is awaited. While there is anybody, the process stays alive: nothing else may do so
 * (the holder's timers do not, and in memory there is no socket), and it would end with exit code 0 and its work undone.
 */
export class Waiting {
  private count = 0;
  private anchor: Anchor | undefined;
  private anchored = false;

  constructor(private readonly clock: Clock) {}

  /** Somebody waits, if only for an answer: this costs no more than the counting. */
  enter(): void {
    this.count += 1;
  }

  leave(): void {
    this.count -= 1;
    if (this.count > 0 || !this.anchored) return;
    this.anchored = false;
    this.anchor?.unref();
  }

  /** The event loop may be without work before those who wait are served: keeps it alive until they are. */
  keep(): void {
    if (this.anchored || this.count === 0) return;
    this.anchored = true;
    (this.anchor ??= this.clock.anchor()).ref();
  }

  /** Nobody waits any more. */
  close(): void {
    this.anchor?.close();
    this.anchor = undefined;
    this.anchored = false;
  }
}
