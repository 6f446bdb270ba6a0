import type { CancelTimer, Clock } from '../base/clock.js';
import type { Lease } from './lock.js';
import { type LockLog, warn } from './lock-log.js';

// With so many leases in the queue, those that are over are looked for.
const MANY = 1_000;
// The first frames are our own.
const DEEP = 25;

/** A lease that can be told of. */
export interface WatchedLease extends Lease {
  /**
   * In how many milliseconds it ends if nobody does anything about it: Infinity while it renews itself, and 0 when it is over.
   * A writer that was downgraded goes on as the reader.
   */
  readonly leftAlone: number;
}

/** A lease and the stack of the call that took it. */
interface Watched {
  readonly lease: WatchedLease;
  readonly taken: { readonly stack?: string };
  /** Local time at which it is reported. */
  readonly at: number;
}

/** Warns once of each lease that is still held after the threshold, with the stack that took it. */
export class UnreleasedLeases {
  /** In the order of `at`. */
  private queue: Watched[] = [];
  private lookAgainAt = MANY;
  private cancel: CancelTimer | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly log: LockLog,
    /** In milliseconds. */
    private readonly threshold: number,
  ) {}

  /** Watches the lease that `taking` resolves with. To be called by the verb itself, since the stack is taken here. */
  readonly watched = async <L extends WatchedLease>(taking: Promise<L>): Promise<L> => {
    const taken: { stack?: string } = {};
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = DEEP;
    Error.captureStackTrace(taken, this.watched); // formatted only if it is told
    Error.stackTraceLimit = stackTraceLimit;
    const lease = await taking;
    this.watch({ lease, taken, at: this.clock.now() + this.threshold });
    return lease;
  };

  close(): void {
    this.cancel?.();
    this.queue = [];
  }

  private watch(watched: Watched): void {
    this.queue.push(watched);
    if (this.queue.length >= this.lookAgainAt) {
      this.queue = this.queue.filter(({ lease }) => lease.leftAlone > 0);
      this.lookAgainAt = Math.max(MANY, 2 * this.queue.length);
    }
    this.cancel ??= this.clock.after(this.threshold, () => this.look());
  }

  private look(): void {
    const now = this.clock.now();
    let next = this.queue[0];
    for (; next && next.at <= now; next = this.queue[0]) {
      this.queue.shift();
      if (next.lease.leftAlone > 0) this.tell(next);
    }
    this.cancel = next && this.clock.after(Math.max(1, next.at - now), () => this.look());
  }

  private tell({ lease, taken }: Watched): void {
    const place = (taken.stack ?? '').split('\n').slice(1).join('\n');
    const { names, leftAlone } = lease;
    const end =
      leftAlone === Infinity
        ? 'is renewed for as long as this process lives'
        : `ends in ${Math.ceil(leftAlone)} ms`;
    const message =
      `The lease of '${names.join("', '")}' has been held for more than ${this.threshold} ms (leakDetectionThreshold). ` +
      `If nobody releases it, it ${end}. It was taken\n${place}`;
    warn(this.log, 'unreleased', message, { lock: names.join(', '), heldFor: this.threshold, place });
  }
}
