import type { Clock } from '../base/clock.js';
import { Lines } from '../line/lines.js';
import type { LockStore, StoreFindings } from '../store/lock-store.js';
import { AllOf, locksIn } from './all-of.js';
import { orRejected } from './checks.js';
import { type CountDownLatch, type LatchOptions, StoreLatch } from './countdown-latch.js';
import { ContextLeases } from './context-leases.js';
import { Inspector, type LockReport } from './inspector.js';
import { Leadership, type LeadOptions, type Leader, type LeaderHandlers } from './leadership.js';
import type { LockSetup } from './lease-handle.js';
import type { LockLog } from './lock-options.js';
import type { LockSettings } from './lock-settings.js';
import type { AcquireOptions, Lock, UsingOptions, Lease, WriteLease } from './lock.js';
import { LossLog } from './loss-log.js';
import { NameLock } from './name-lock.js';
import { OnceLock, type OnceOptions, type OnceOutcome } from './once-lock.js';
import { SemaphoreLock, type Semaphore } from './semaphore.js';
import { WaitHints } from './wait-hints.js';

const START_TIMEOUT = 4_500;

/**
 * Everything about locks: take them by name, look at them, take them away.
 *
 * @publicApi
 */
export class LockService {
  private readonly setup: LockSetup;
  private readonly inspector: Inspector;
  private readonly losses: LossLog;
  private readonly leaders = new Set<Leadership>();
  private steppingDown = false;
  private graceEnd: number | undefined;
  private closing: Promise<void> | undefined;

  /** Private, so that the published types offer `createLockService` and `DistributedLockModule` only. */
  private constructor(
    private readonly store: LockStore,
    private readonly settings: LockSettings,
    private readonly clock: Clock,
    private readonly log: LockLog,
  ) {
    this.losses = new LossLog(store, clock, log);
    const moved = (message: string): void => log.warn(message);
    const lines = new Lines(store, clock, Math.random, this.losses.lost, moved);
    const hints = new WaitHints(clock, (message) => log.warn(message));
    this.setup = { lines, settings, contextLeases: new ContextLeases(), clock, hints };
    this.inspector = new Inspector(store, log);
  }

  /** Makes the locks of one registration over an open store. @internal */
  static over(store: LockStore, settings: LockSettings, clock: Clock, log: LockLog): LockService {
    return new LockService(store, settings, clock, log);
  }

  /** Mutual exclusion on one name; the same as the writer of a read-write lock of that name. */
  mutex(name: string): Lock {
    return this.nameLock(name, 'write');
  }

  /**
   * Many readers together, or one writer alone. No reader overtakes a waiting writer, and readers that stand next to each
   * other in the queue enter together, so that nobody starves.
   */
  readWrite(name: string): { readonly read: Lock; readonly write: Lock<WriteLease> } {
    return {
      read: this.nameLock(name, 'read'),
      write: this.nameLock(name, 'write'),
    };
  }

  /** So many permits under one name. 1 … 2³⁰. @throws LockUsageError */
  semaphore(name: string, permits: number): Semaphore {
    return new SemaphoreLock(name, permits, this.setup, this.store);
  }

  /** A gate that opens when it has been counted down to zero; with a `round`, again and again. @throws LockUsageError */
  latch(name: string, options?: LatchOptions): CountDownLatch {
    return new StoreLatch(name, this.setup, options);
  }

  /**
   * Several locks, all or none, without deadlock in whatever order they are named. A string means a mutex.
   *
   * @throws LockUsageError for an empty list, or one name in two ways
   */
  allOf(locks: readonly (string | Lock<Lease, never>)[]): Lock {
    return new AllOf(
      locksIn(locks, (name) => this.nameLock(name, 'write')),
      this.setup,
    );
  }

  /**
   * Waits for the lock `name` and resolves with its lease.
   *
   * @throws LockBusyError | LockStoreError | LockUsageError
   */
  acquire(name: string, options?: AcquireOptions): Promise<Lease> {
    return orRejected(() => this.nameLock(name, 'write').acquire(options));
  }

  /** Like `acquire`, but resolves with undefined when the lock is busy. `wait` is 0 unless given. */
  tryAcquire(name: string, options?: AcquireOptions): Promise<Lease | undefined> {
    return orRejected(() => this.nameLock(name, 'write').tryAcquire(options));
  }

  /**
   * Runs `work` under one or several locks, and releases them when it is done. Resolves when the release is sent: another
   * process may see the lock busy for half a round trip more.
   *
   * @throws LockBusyError | LockStoreError | LockUsageError | LockLostError
   */
  using<T>(
    name: string | readonly string[],
    work: (lease: Lease) => T | PromiseLike<T>,
    options?: UsingOptions,
  ): Promise<T> {
    return orRejected(() =>
      typeof name === 'object' && name !== null
        ? this.allOf(name).using(work, options)
        : this.nameLock(name, 'write').using(work, options),
    );
  }

  /**
   * Runs `work` in one process; the others wait for it and go on. When it fails, its own call rejects, and the next caller
   * runs it. For `doneTtl` after a success nobody runs it again.
   *
   * @throws LockBusyError | LockStoreError | LockUsageError | LockLostError
   */
  once<T>(
    name: string,
    work: (lease: Lease) => T | PromiseLike<T>,
    options: OnceOptions,
  ): Promise<OnceOutcome<T>> {
    return orRejected(() => new OnceLock(name, this.setup, options).run(work));
  }

  /**
   * Campaigns for the lead under a name until it is stopped: one process leads at a time. A campaign does not keep the
   * process alive: a process that has nothing else to do ends.
   *
   * @throws LockUsageError
   */
  lead(name: string, handlers: LeaderHandlers, options: LeadOptions = {}): Leader {
    const leader = new Leadership(name, handlers, options, this.setup, (message) => this.log.warn(message));
    this.leaders.add(leader);
    const forget = (): unknown => this.leaders.delete(leader);
    leader.ended.then(forget, forget);
    if (this.steppingDown) void leader.stepDown();
    return leader;
  }

  /**
   * The lease of the `using` or `@Locked` method that is running, or the one on `name`, by the *async context*: code
   * that a queue, a batcher or an emitter runs in the context of a holder sees that holder's lease. Where that matters,
   * pass on the lease that was given to the work.
   */
  current(name?: string): Lease | undefined {
    return this.setup.contextLeases.leaseOf(name);
  }

  /** Who holds the name and who waits for it, by process. Reads only. @throws LockStoreError */
  inspect(name: string): Promise<LockReport> {
    return this.inspector.inspect(name);
  }

  /**
   * All names with a holder or a queue, in no particular order, each once and reported as by `inspect`. A name that comes
   * into use or goes out of use during the walk may be missing. On Redis this is a SCAN of the whole database, in steps of
   * 1 000 keys; each step is taken when you ask for more. Reads only. @throws LockStoreError
   */
  list(): AsyncIterable<LockReport> {
    return this.inspector.list();
  }

  /**
   * Takes the lock away: renewals are refused, and the name is free when its holders release it or at their deadlines. With
   * `force` it is free at once, and only fences protect against what the old holders still write. A process learns of it
   * within a round trip if somebody has waited for one of its locks before, otherwise at its next renewal (a third of the
   * ttl) or deadline. Resolves with whether the lock was held.
   *
   * The holder's `LockLostError` has `reason: 'revoked'` and your reason as `revokeReason`; `inspect` and `list` show it
   * until the name is free. This is also true with `force`, until the lease would have ended. A second call with `force`
   * finds no holder and leaves the reason as it is; of two calls without `force` the later reason counts.
   * reason: 1 … 512 bytes.
   *
   * @throws LockStoreError | LockUsageError
   */
  revoke(name: string, options: { reason: string; force?: boolean | undefined }): Promise<boolean> {
    return this.inspector.revoke(name, options);
  }

  /** Probes the store and reports what it is; with `startup: 'warn'` it never rejects. @throws LockStoreError */
  ready(): Promise<StoreFindings | undefined> {
    return meetStore(this.store, this.settings.startup, this.log);
  }

  /**
   * Closes the locks: there are no new grants, leaders step down, waiting callers are refused with reason `closed`, and
   * running work keeps its leases for up to `shutdownGrace`. Then everything is released.
   */
  close(): Promise<void> {
    return (this.closing ??= this.end());
  }

  /**
   * The application begins to shut down: leaders step down, and everybody else is granted locks as before. From now on
   * the connections do not keep the process alive, so that a shutdown that is broken off does not hang. Resolves when
   * `onRevoked` was called for all leaders.
   *
   * @internal
   */
  async beginShutdown(): Promise<void> {
    this.store.keepAlive(false);
    await this.stepDown();
  }

  /** The servers are about to close: requests no longer wait for busy locks. @internal */
  hurry(): void {
    this.setup.lines.hurry();
  }

  /** Whether a caller waits, or an answer of the store is due. @internal */
  get awaited(): boolean {
    return this.setup.lines.awaited || this.store.awaited;
  }

  /** Whether somebody still holds or waits while the grace that began with `drain` is not over. @internal */
  get draining(): boolean {
    return this.setup.lines.inUse && this.graceLeft > 0;
  }

  /** Begins the grace: resolves when nobody holds or waits any more, or when it is over. @internal */
  async drain(): Promise<void> {
    this.graceEnd ??= this.clock.now() + this.settings.shutdownGrace;
    await this.setup.lines.drain(this.graceLeft);
  }

  /** Ends the grace, even if somebody still works or waits, and closes. @internal */
  closeNow(): Promise<void> {
    this.graceEnd = -Infinity;
    this.store.keepAlive(true); // until the last release is answered
    return this.close();
  }

  private get graceLeft(): number {
    const { shutdownGrace } = this.settings;
    return this.graceEnd === undefined ? shutdownGrace : Math.max(0, this.graceEnd - this.clock.now());
  }

  private stepDown(): Promise<unknown> {
    this.steppingDown = true;
    return Promise.all([...this.leaders].map((leader) => leader.stepDown()));
  }

  private async end(): Promise<void> {
    // Leaders hold their leases until they have stepped down, but not for longer than the grace.
    void this.stepDown();
    await this.setup.lines.close(this.graceLeft);
    this.losses.close();
    await this.store.close();
    this.setup.contextLeases.end();
  }

  private nameLock(name: string, mode: 'read' | 'write'): NameLock {
    return new NameLock(name, mode, this.setup);
  }
}

/** Probes the store and says what it found; with 'warn' it never rejects. @throws LockStoreError */
async function meetStore(
  store: LockStore,
  startup: 'require' | 'warn',
  log: LockLog,
): Promise<StoreFindings | undefined> {
  try {
    const findings = await store.ready(START_TIMEOUT);
    // The warnings about memory were logged when it was opened.
    if (findings.address !== 'memory') for (const warning of findings.warnings) log.warn(warning);
    return findings;
  } catch (error) {
    if (startup === 'require') throw error;
    log.warn(`${(error as Error).message} Locks fail until it can be reached (startup: 'warn').`);
    return undefined;
  }
}
