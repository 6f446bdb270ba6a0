/** A section that only one may be in: tells how many were in it at once. */
export class Door {
  private inside = 0;
  private deferred: (() => void)[] = [];
  /** The most that were inside at the same time. */
  most = 0;
  passed = 0;
  /** Set, and everyone who enters stays until `open()`. */
  closed = false;

  async pass<T>(value: T): Promise<T> {
    this.most = Math.max(this.most, ++this.inside);
    if (this.closed) await new Promise<void>((resolve) => this.deferred.push(resolve));
    else await sleep(2);
    this.inside--;
    this.passed++;
    return value;
  }

  open(): void {
    this.closed = false;
    for (const resolve of this.deferred.splice(0)) resolve();
  }

  /** Resolves when `count` are inside. */
  async entered(count = 1): Promise<void> {
    while (this.inside < count) await sleep(1);
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The error of a promise or a call; fails when there is none. */
export async function errorOf(
  work: Promise<unknown> | (() => unknown),
): Promise<Error & Record<string, unknown>> {
  try {
    await (typeof work === 'function' ? work() : work);
  } catch (error) {
    return error as Error & Record<string, unknown>;
  }
  throw new Error('there was no error');
}
