import type { Duration } from '../base/duration.js';

/**
 * How an entry waits for other entries of the same lease.
 *
 * @publicApi
 */
export interface EntryOptions {
  /** How long to wait while another entry works: 0 … 24 h or Infinity. @default the registration's `wait` */
  readonly wait?: Duration | undefined;
  /** Ends the waiting at once, with reason `aborted`. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A hold of a lock that is limited in time.
 *
 * While `held` is true, no other lease on the name is held, as long as clocks drift less than 1 % and the store keeps its
 * state. Use `fence` where a stale writer would do harm.
 *
 * @publicApi
 */
export interface Lease extends AsyncDisposable {
  /** The locked names. */
  readonly names: readonly string[];
  /**
   * The fencing token: larger than every fence granted before on this name, a safe integer of 16 digits
   * (a bigint column in SQL).
   *
   * @throws LockUsageError for a lease of several names: use `fenceOf`
   */
  readonly fence: number;
  /** The fence of one of the names. */
  fenceOf(name: string): number;
  /**
   * How many replicas of Redis had acknowledged the grant before it was given out, with `durability` at least as many as
   * that asks for; 0 without. Of several names the least. A lease that another caller of the same process handed off has
   * the count of that grant, and renewals do not change it.
   */
  readonly replicas: number;
  /**
   * Aborts when the lease can no longer be proven, with the LockLostError as its reason. A release does not abort it.
   * It is made when it is first read, so a lease whose signal nobody reads costs no timer.
   */
  readonly signal: AbortSignal;
  /** Whether the lease is still proven. Computed from clocks at each read. */
  readonly held: boolean;
  /** For how many more milliseconds the lease is proven unless it is renewed. Computed from clocks at each read. */
  readonly remaining: number;
  /** @throws LockLostError when the lease is lost or released. */
  assertHeld(): void;
  /**
   * Renews now, for `ttl` milliseconds (default: the lease's ttl); resolves when the store has confirmed it.
   *
   * @throws LockLostError when the lease is lost or released
   * @throws LockStoreError when the outcome is unknown; the lease keeps its old deadline
   */
  renew(ttl?: number): Promise<void>;
  /**
   * Gives the lock back; `expired` when it was lost before. Idempotent. It waits for entries that were begun with `using`;
   * new entries are refused from now on.
   */
  release(): Promise<'released' | 'expired'>;
  /**
   * Runs `work` under this lease, without waiting for the lock. Use it to call code that locks the same name while you hold
   * the lock. Entries through one lease take turns, and the lease is given back only when they have ended. The work is
   * given a lease of its own, which ends with the work and can be entered in the same way.
   *
   * @throws LockBusyError when another entry works for longer than `wait`
   * @throws LockLostError when the lease was given back (reason `released`) or lost; when it was lost while the work ran,
   * with its outcome attached
   * @throws LockUsageError for the lease of a semaphore, which cannot be entered
   */
  using<T>(work: (lease: Lease) => T | PromiseLike<T>, options?: EntryOptions): Promise<T>;
}

/**
 * The lease of a writer.
 *
 * @publicApi
 */
export interface WriteLease extends Lease {
  /**
   * Goes on as a reader without a gap: no other writer gets in between. This lease ends when the command is sent; the lease
   * that is returned has the same fence.
   *
   * @throws LockLostError when the lease is lost or released
   */
  downgrade(): Promise<Lease>;
}
