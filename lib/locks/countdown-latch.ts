import type { Duration } from '../base/duration.js';

/**
 * Which latch of a name is meant.
 *
 * @publicApi
 */
export interface LatchOptions {
  /**
   * The round that is meant by everything that is done with this latch, for one that is used again and again: the date
   * of a nightly job, for example. 1 … 128 bytes. @default none: whichever round is current
   */
  readonly round?: string | undefined;
}

/**
 * A gate that opens when it was counted down to zero, for all processes at once.
 *
 * With a `round`, one latch serves run after run: setting another round begins it in place of the current one, also of
 * one that was never finished. A round that was replaced never comes back while the latch remembers it (the last eight,
 * as long as the ttl of the current one lasts): it cannot be set or counted any more. If it was open, it stays open.
 *
 * @publicApi
 */
export interface CountDownLatch {
  /**
   * Sets the count of a latch that is not there, or begins its `round`; resolves with whether it did. False when that
   * round is set already, open or not, or was replaced by another one. After `ttl` the latch is forgotten, open or not,
   * and the same round can be set again. n: 1 … 2³⁰; ttl: 100 ms … 24 h, default 24 h.
   *
   * @throws LockUsageError | LockStoreError
   */
  trySetCount(n: number, options?: { readonly ttl?: Duration | undefined }): Promise<boolean>;
  /**
   * Counts down by one and resolves with what is left. A repeat with the same `id` counts once; each call without
   * one counts.
   *
   * @throws LockUsageError when nobody set the latch, or it is forgotten, or its `round` is not the current one; then
   * nothing was counted, and the error names the current round
   * @throws LockStoreError when the outcome is unknown: call again with the same id
   */
  countDown(id?: string): Promise<number>;
  /**
   * What is left to count; 0 when open; undefined when nobody set the latch or its `round`, or it is forgotten, or the
   * round was replaced before it had opened.
   */
  count(): Promise<number | undefined>;
  /**
   * Resolves when the latch is open. One that nobody set yet, or that was forgotten, does not count as open. A `round`
   * that nobody set yet may be waited for, whichever is current.
   *
   * @throws LockBusyError with reason `timeout`, `aborted` or `closed`
   * @throws LockUsageError when another round replaces the one that is waited for before it has opened
   */
  opened(options?: {
    /** 0 … 24 h or Infinity. @default the registration's `wait` */
    readonly wait?: Duration | undefined;
    readonly signal?: AbortSignal | undefined;
  }): Promise<void>;
}
