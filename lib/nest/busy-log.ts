import type { LockError } from '../base/errors.js';

const SPAN = 1_000;
/** So many names are told apart in one line; the others are counted. */
const MOST_NAMES = 10;

/** Logs refused calls: the first at once, then those of each second in one line, however many there are. */
export class BusyLog {
  private readonly names = new Map<string, number>();
  private count = 0;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(private readonly log: (line: string) => void) {}

  refused({ message, lockName = '' }: LockError): void {
    if (this.timer === undefined) {
      this.log(message);
      if (!this.closed) this.wait();
      return;
    }
    this.count += 1;
    const before = this.names.get(lockName);
    if (before !== undefined || this.names.size < MOST_NAMES) this.names.set(lockName, (before ?? 0) + 1);
  }

  /** Says what is left to say, and starts no timer any more: what is refused from now on is logged at once. */
  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.summarise();
  }

  private wait(): void {
    this.timer = setTimeout(() => {
      this.timer = undefined;
      if (this.summarise()) this.wait(); // the burst may go on
    }, SPAN);
    this.timer.unref();
  }

  private summarise(): boolean {
    const { count } = this;
    if (count === 0) return false;
    const named = [...this.names].map(([name, times]) => `'${name}' (${times})`);
    const others = count - [...this.names.values()].reduce((sum, times) => sum + times, 0);
    if (others > 0) named.push(`other locks (${others})`);
    this.log(
      `Within the last second ${count} more ${count === 1 ? 'call' : 'calls'} did not get the lock: ` +
        `${named.join(', ')}.`,
    );
    this.count = 0;
    this.names.clear();
    return true;
  }
}
