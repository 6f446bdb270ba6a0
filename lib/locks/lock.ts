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
 * How a lease is handed over.
 *
 * @publicApi
 */
export interface HandOverOptions {
  /**
   * For how long the lock stays taken for whoever resumes it: 100 ms … 24 h. Make it longer than the work may lie in a
   * queue. If nobody resumes it, others wait for so long. @default the ttl of the lease (the registration's unless its call gave one)
   */
  readonly ttl?: Duration | undefined;
}

/**
 * A hold of a lock that is limited in time.
 *
 * While `held` is true, no other lease on the name is held, as long as clocks drift less than 1 %, the server's clock does
 * not step forward by more than the guard within a lease, and the store keeps its state. Use `fence` where a stale writer
 * would do harm.
 *
 * @publicApi
 */
export interface Lease extends AsyncDisposable {
  /** The locked names; with `nameOf` as that made them. */
  readonly names: readonly string[];
  /**
   * The fencing token: larger than every fence granted before on this name, a safe integer of 16 digits
   * (a bigint column in SQL).
   *
   * @throws LockUsageError for a lease of several names: use `fenceOf`
   */
  readonly fence: number;
  /** The fence of one of the names, as it is locked or as the caller gave it (see `nameOf`). */
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
  /**
   * Whether half of the ttl has gone by without an answered renewal, while the lease is still proven: a sign that it may be
   * lost soon, for example because Redis is away. Computed from clocks at each read. Of several names, whether that is so for
   * one of them. Always false with `renew: false`.
   */
  readonly atRisk: boolean;
  /**
   * Calls `listener` when the lease becomes at risk: once for each silence, which ends when a renewal is answered. If it
   * is at risk already, the listener is called soon. It runs in the async context of the code that gave it; what it throws
   * is an uncaught exception. It is no longer called when the lease is over. Returns a function that takes it back.
   *
   * @throws LockUsageError when the listener is no function
   */
  onAtRisk(listener: () => void): () => void;
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
   * Hands the lease over to another process, and ends it here without a loss: resolves with a text with which
   * `locks.resume(text)` goes on with it, once. The lock stays taken in between, and nobody renews it: it has to be resumed
   * within `ttl`. Whoever has the text has the lock, so treat it as a secret. Work that goes on here after it has no lock.
   *
   * @throws LockLostError when the lease is lost or released, and when the store did not answer before its end
   * @throws LockStoreError when the store refused; the lease then goes on
   * @throws LockUsageError for a lease of several names, of `once` or `lead`, for an entry, and while an entry works
   */
  handOver(options?: HandOverOptions): Promise<string>;
  /**
   * Leaves a text for whoever holds the name later, who reads it as `previous`: where the work stands, for example. It
   * replaces the note before, and stays however this lease ends, until the store forgets the name (`fenceMemory` after its
   * last use). 0 … 1024 bytes; an empty text takes the note back.
   *
   * @throws LockLostError when the lease is lost or released
   * @throws LockStoreError when the outcome is unknown: the store may have the note or the one before
   * @throws LockUsageError for a lease that others may hold at the same time (a reader's, permits), or of several names
   */
  note(text: string): Promise<void>;
  /**
   * The last note that a holder of this name had left when this lease was granted; undefined when there is none. It never
   * changes, also not by a note of this lease.
   *
   * @throws LockUsageError for a lease of several names
   */
  readonly previous: string | undefined;
  /**
   * Gives the lock back; `expired` when it was lost before. Idempotent. It waits for entries that were begun with `using`;
   * new entries are refused from now on. The work of an entry must not await the release of the lease that it was given, or
   * of one around it: that resolves only when the entry has ended, so the work would wait for itself.
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

/**
 * How one acquisition behaves. Every option may be left out or be undefined.
 *
 * @publicApi
 */
export interface AcquireOptions {
  /**
   * How long to try: 0 tries once, Infinity never gives up. 0 … 24 h or Infinity. A process that is killed keeps others
   * out for ttl + guard, and a shorter wait may end before that. While somebody waits, the process stays alive. `resume`
   * never waits for the lock: there it is for how long the store is asked when it does not answer.
   * @default the registration's `wait`, or min(max(10 s, ttl + guard + 1 s), 30 s) by the ttl of this call (11.5 s with
   * the defaults); 0 for `tryAcquire`
   */
  readonly wait?: Duration | undefined;
  /**
   * How long the lease lasts unless it is renewed, and therefore how long others wait when this process dies.
   * 100 ms … 24 h. With a shorter ttl others wait for less time, and renewals are more frequent.
   * @default the registration's `ttl` (10 s); in `resume` the ttl that the lease had
   */
  readonly ttl?: Duration | undefined;
  /** Ends the waiting at once, with reason `aborted`. It does not end a lease. */
  readonly signal?: AbortSignal | undefined;
  /** A text for operators in `inspect`, at most 128 bytes; its line breaks are shown as spaces. */
  readonly label?: string | undefined;
  /**
   * Whether the lease is renewed each third of its ttl until it is released.
   * @default true
   */
  readonly renew?: boolean | undefined;
  /**
   * For how long a lease may be held; after that it is lost with reason `max-hold`. It counts from the grant, and for several
   * locks from when all of them are held. 100 ms … 24 h. @default none
   */
  readonly maxHold?: Duration | undefined;
  /**
   * For how long this process keeps the lock after its last use, while nobody asks for it: the next caller here is granted
   * it at once, with a fence and a time of its own, without a message to the store. It is given back as soon as another
   * process asks. 0 … 24 h, and at most the ttl of the call; only for locks that exclude every other, and not with
   * `durability`. A process that dies or stands still meanwhile keeps others out for ttl + guard, as any holder does: leave
   * it out for names that others need soon, or give a short ttl. @default 0
   */
  readonly linger?: Duration | undefined;
  /**
   * How many callers of this process may stand in line for the name; any further caller is refused with reason `full`. A
   * caller that the store has not answered yet does not count, since the lock may be free. 1 … 2³⁰. @default none
   */
  readonly maxWaiters?: number | undefined;
  /**
   * What happens when this call waits in a deadlock: calls that hold locks wait for each other, each for a lock of the next.
   * It is found after two to three seconds. With `warn` it is logged once, and stands in the error of each call when its
   * `wait` is over. With `fail` one of them, the one among those with `fail` that was granted its lock last, ends at once
   * with reason `deadlock`, so that the others go on. A call is taken to hold what its async context holds, and what it is
   * given as `within`; leases of `acquire` only count inside `lease.using`. docs/guarantees.md says what is not seen.
   * @default the registration's `deadlock` ('warn')
   */
  readonly deadlock?: 'warn' | 'fail' | undefined;
}

/**
 * How `using` and `@Locked` behave.
 *
 * @publicApi
 */
export interface UsingOptions extends AcquireOptions {
  /**
   * The lease under which the call runs: its names are entered without waiting, and all others are taken. Entries through
   * one lease take turns, and the lease is given back only when they have ended. It must be a lease of this LockService,
   * on at least one of the names, and not of a semaphore. @default none
   */
  readonly within?: Lease | undefined;
  /**
   * Whether a name that the async context holds is entered without waiting. `true` trusts the context: when a queue, a
   * batcher or an emitter runs somebody else's work in the context of a holder, that work enters, too. So use `within` where
   * you can. With `false` the call waits in line like any other; a nested call then ends at its `wait`.
   * @default the registration's `reentrant` (false)
   */
  readonly reentrant?: boolean | undefined;
  /**
   * What happens when the store fails: `throw` (the work does not run), or `run` (the work runs without the lock, even while
   * somebody else holds it). `run` is for every LockStoreError: no answer, but also a refusal of Redis (a right is missing,
   * the memory is full), a foreign value at the key, and too few replicas with `durability`. The lease of such work is not held and has no fence, its `assertHeld` throws the
   * LockStoreError, and its signal never aborts, as there is nothing to lose. Each such run is logged as a warning; of more
   * than ten within a second the others are counted.
   * @default 'throw'
   */
  readonly onStoreError?: 'throw' | 'run' | undefined;
  /**
   * For how long the name stays taken at least, counted from the grant. When the work ends sooner, also with an error, the
   * name becomes free only after that time, so that a replica whose clock is late does not run the same job again. The
   * release says so to the store: when the process dies or the lease is lost before that, the name is free after
   * ttl + guard at the latest, and when the work itself calls `release()`, at once. A `revoke`
   * with `force` frees it sooner, too, and so does a shutdown whose grace is over while the work still runs. 0 … 24 h, and
   * at most `maxHold`. @default none
   */
  readonly minHold?: Duration | undefined;
}

/**
 * Something that can be locked. All kinds have the same verbs.
 *
 * @publicApi
 */
export interface Lock<L = Lease, X = unknown> {
  /**
   * Waits for the lock and resolves with its lease.
   *
   * @throws LockBusyError when it was not granted within `wait`, or the wait was aborted, or the LockService was closed
   * @throws LockStoreError when the store failed or its outcome is unknown
   * @throws LockUsageError for an option out of range, and for one that does not exist
   */
  acquire(options?: AcquireOptions & X): Promise<L>;
  /**
   * Like `acquire`, but resolves with undefined when the lock is busy: with the reasons `held` and `timeout`. `wait` is 0
   * unless given.
   *
   * @throws LockBusyError with the reasons `full`, `deadlock`, `aborted` and `closed`
   * @throws LockStoreError | LockUsageError as `acquire`
   */
  tryAcquire(options?: AcquireOptions & X): Promise<L | undefined>;
  /**
   * Runs `work` under the lock and releases it when the work is done.
   *
   * @throws LockLostError when the lease was lost while working, with the outcome of the work attached
   */
  using<T>(work: (lease: L) => T | PromiseLike<T>, options?: UsingOptions & X): Promise<T>;
}
