import type { Duration } from '../base/duration.js';

/**
 * A gate that opens when it was counted down to zero, for all processes at once.
 *
 * @publicApi
 */
export interface CountDownLatch {
  /**
   * Sets the count of a latch that is not there; resolves with whether it did. After `ttl` the latch is
   * forgotten, open or not. n: 1 … 2³⁰; ttl: 100 ms … 24 h, default 24 h.
   *
   * @throws LockUsageError | LockStoreError
   */
  trySetCount(n: number, options?: { readonly ttl?: Duration | undefined }): Promise<boolean>;
  /**
   * Counts down by one and resolves with what is left. A repeat with the same `id` counts once; each call without
   * one counts.
   *
   * @throws LockUsageError when nobody set the latch, or it is forgotten
   * @throws LockStoreError when the outcome is unknown: call again with the same id
   */
  countDown(id?: string): Promise<number>;
  /** What is left to count; 0 when open; undefined when nobody set the latch, or it is forgotten. */
  count(): Promise<number | undefined>;
  /**
   * Resolves when the latch is open. One that nobody set yet, or that was forgotten, does not count as open.
   *
   * @throws LockBusyError with reason `timeout`, `aborted` or `closed`
   */
  opened(options?: {
    /** 0 … 24 h or Infinity. @default the registration's `wait` */
    readonly wait?: Duration | undefined;
    readonly signal?: AbortSignal | undefined;
  }): Promise<void>;
}
