const EVERY = 2;

/**
 * How late timers are in this process while it runs: what a time bound of a test must allow on a machine that
 * has other things to do. Use with `using`.
 */
export class Lag implements Disposable {
  private worst = 0;
  private last = performance.now();
  private readonly timer = setInterval(() => this.look(), EVERY);

  /** The largest delay so far, in milliseconds. */
  get max(): number {
    this.look();
    return this.worst;
  }

  [Symbol.dispose](): void {
    clearInterval(this.timer);
  }

  private look(): void {
    const now = performance.now();
    this.worst = Math.max(this.worst, now - this.last - EVERY);
    this.last = now;
  }
}
