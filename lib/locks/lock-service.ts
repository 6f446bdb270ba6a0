import type { CancelTimer, Clock } from '../base/clock.js';
import type { Deadlock } from '../line/deadlock-watch.js';
import { Lines } from '../line/lines.js';
import type { LockStore, StoreFindings } from '../store/lock-store.js';
import { AllOf, locksIn } from './all-of.js';
import { BlockedLoop } from './blocked-loop.js';
import { orRejected } from './checks.js';
import { type CountDownLatch, type LatchOptions, StoreLatch } from './countdown-latch.js';
import { ContextLeases } from './context-leases.js';
import { logDeadlock } from './deadlock-log.js';
import { Inspector, type LockReport } from './inspector.js';
import { Leadership, type LeadOptions, type Leader, type LeaderHandlers } from './leadership.js';
import type { LeaseHandle, LockSetup } from './lease-handle.js';
import { inform, type LockLog, warn } from './lock-log.js';
import type { LockHistoryEvent } from './lock-history.js';
import type { LockSettings, Share } from './lock-settings.js';
import type { AcquireOptions, Lock, UsingOptions, Lease, WriteLease } from './lock.js';
import { LossLog } from './loss-log.js';
import { assertLocked } from './lock-assertion.js';
import { NameLock } from './name-lock.js';
import { LockRecorder } from './recorder.js';
import { resumedLease, type ResumeOptions } from './resumed-lease.js';
import { LatchByCall, LockByCall, SemaphoreByCall } from './named-by-call.js';
import { OnceLock, type OnceOptions, type OnceOutcome } from './once-lock.js';
import { SemaphoreLock, type Semaphore } from './semaphore.js';
import { StoreReadiness } from './store-readiness.js';
import { StoreHealthCheck, type StoreHealth } from './store-health.js';
import { UnlockedRuns } from './unlocked-runs.js';
import { UnreleasedLeases } from './unreleased-leases.js';
import { WaitHints } from './wait-hints.js';

/**
 * Everything about locks: take them by name, look at them, take them away.
 *
 * @publicApi
 */
export class LockService {
  private readonly setup: LockSetup;
  private readonly inspector: Inspector;
  private readonly losses: LossLog;
  private readonly unlockedRuns: UnlockedRuns;
  private readonly unreleased: UnreleasedLeases | undefined;
  private readonly recorder: LockRecorder | undefined;
  private readonly healthCheck: StoreHealthCheck;
  private readonly readiness: StoreReadiness;
  private readonly leaders = new Set<Leadership>();
  /** What ends the streams that hold up a server's close. */
  private readonly streams = new Set<() => void>();
  private cancelStreamsEnd: CancelTimer | undefined;
  private streamsOver = false;
  private steppingDown = false;
  private graceEnd: number | undefined;
  private closing: Promise<void> | undefined;

  /** Private, so that the published types offer `createLockService` and `DistributedLockModule` only. */
  private constructor(
    private readonly store: LockStore,
    private readonly settings: LockSettings,
    private readonly clock: Clock,
    /** Where this registration reports. @internal */
    readonly log: LockLog,
    /** Called when the server has been asked whether it is ready, and has not answered yet. */
    private whileStarting?: () => void,
  ) {
    const { recorder: recorded } = settings;
    this.recorder = recorded && new LockRecorder(store.session, settings.process);
    if (recorded?.signal) process.on(recorded.signal, this.tellRecording);
    this.losses = new LossLog(store, clock, log, this.recorder);
    const moved = (message: string): void => warn(log, 'store-moved', message, { address: store.address });
    const { late } = new BlockedLoop(clock, log);
    const deadlock = (found: Deadlock): void => logDeadlock(log, found);
    const lines = new Lines(store, clock, Math.random, this.losses.lost, moved, late, deadlock);
    const hints = new WaitHints(clock, log);
    this.unlockedRuns = new UnlockedRuns(clock, log);
    const { unlockedRuns } = this;
    const { leakDetectionThreshold: threshold } = settings;
    this.unreleased = threshold === undefined ? undefined : new UnreleasedLeases(clock, log, threshold);
    const { unreleased } = this;
    this.setup = {
      lines,
      settings,
      contextLeases: new ContextLeases(),
      clock,
      hints,
      unlockedRuns,
      unreleased,
    };
    this.inspector = new Inspector(store, log);
    this.healthCheck = new StoreHealthCheck(store, clock);
    this.readiness = new StoreReadiness(store, settings.startup, log);
  }

  /** Makes the locks of one registration over an open store. @internal */
  static over(
    store: LockStore,
    settings: LockSettings,
    clock: Clock,
    log: LockLog,
    whileStarting?: () => void,
  ): LockService {
    return new LockService(store, settings, clock, log, whileStarting);
  }

  /** Mutual exclusion on one name; the same as the writer of a read-write lock of that name. */
  mutex(name: string): Lock {
    return this.lockOn(name, 'write');
  }

  /**
   * Many readers together, or one writer alone. No reader overtakes a waiting writer, and readers that stand next to each
   * other in the queue enter together, so that nobody starves.
   */
  readWrite(name: string): { readonly read: Lock; readonly write: Lock<WriteLease> } {
    return {
      read: this.lockOn(name, 'read'),
      write: this.lockOn(name, 'write'),
    };
  }

  /** So many permits under one name. 1 … 2³⁰ − 1. @throws LockUsageError */
  semaphore(name: string, permits: number): Semaphore {
    const { setup, store } = this;
    const { nameOf } = this.settings;
    if (nameOf === undefined) return new SemaphoreLock(name, permits, setup, store);
    return new SemaphoreByCall(
      (naming) => new SemaphoreLock(naming(name), permits, setup, store),
      this.nameNow,
    );
  }

  /** A gate that opens when it has been counted down to zero; with a `round`, again and again. @throws LockUsageError */
  latch(name: string, options?: LatchOptions): CountDownLatch {
    return this.settings.nameOf === undefined
      ? new StoreLatch(name, this.setup, options)
      : new LatchByCall(name, this.nameNow, this.setup, options);
  }

  /**
   * Several locks, all or none, without deadlock in whatever order they are named. A string means a mutex.
   *
   * @throws LockUsageError for an empty list, one name in two ways, or a lock of another LockService
   */
  allOf(locks: readonly (string | Lock<Lease, never>)[]): Lock {
    const { setup } = this;
    return this.settings.nameOf === undefined
      ? new AllOf(locksIn(locks, setup), setup)
      : new LockByCall((naming) => new AllOf(locksIn(locks, setup, naming), setup), this.nameNow);
  }

  /**
   * Waits for the lock `name` and resolves with its lease.
   *
   * @throws LockBusyError | LockStoreError | LockUsageError
   */
  acquire(name: string, options?: AcquireOptions): Promise<Lease> {
    return orRejected(() => this.nameLock(name, 'write').acquire(options));
  }

  /**
   * Like `acquire`, but resolves with undefined when the lock is busy: with the reasons `held` and `timeout`. `wait` is 0
   * unless given.
   *
   * @throws LockBusyError with the reasons `full`, `deadlock`, `aborted` and `closed`
   * @throws LockStoreError | LockUsageError
   */
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
   * runs it. For `doneTtl` after a success nobody runs it again. The lease is given back by `once` itself, since the mark that
   * the work is done goes with that: `lease.release()` and `await using` are refused inside the work.
   *
   * @throws LockBusyError | LockStoreError | LockUsageError | LockLostError
   */
  once<T>(
    name: string,
    work: (lease: Lease) => T | PromiseLike<T>,
    options: OnceOptions,
  ): Promise<OnceOutcome<T>> {
    return orRejected(() => new OnceLock(this.settings.nameNow(name), this.setup, options).run(work));
  }

  /**
   * Campaigns for the lead under a name until it is stopped: one process leads at a time. A campaign does not keep the
   * process alive: a process that has nothing else to do ends.
   *
   * @throws LockUsageError
   */
  lead(name: string, handlers: LeaderHandlers, options: LeadOptions = {}): Leader {
    const locked = this.settings.nameNow(name);
    const leader = new Leadership(locked, handlers, options, this.setup, this.log);
    this.leaders.add(leader);
    const forget = (): unknown => this.leaders.delete(leader);
    leader.ended.then(forget, forget);
    if (this.steppingDown) void leader.stepDown();
    return leader;
  }

  /**
   * Goes on with a lease that another process has handed over (`lease.handOver()`), without letting anybody in between:
   * with a larger fence, the full ttl, and `previous` as its last holder has left it. A text is resumed once, also when a
   * queue delivers it twice; it needs a LockService with the same Redis, keyPrefix and namespace.
   *
   * @throws LockLostError with the reason `taken` when somebody has resumed it already (or the store forgot it), `expired`
   * when its ttl was over, `revoked` by an operator
   * @throws LockBusyError when the signal aborts, or this process shuts down
   * @throws LockStoreError when the store failed, or did not answer within `wait`; what it has done is then undone
   * @throws LockUsageError for anything that is no such text, and for the text of other locks. It does not show the text
   */
  resume(text: string, options: ResumeOptions = {}): Promise<Lease> {
    return resumedLease(this.setup, this.store.prefix, text, options);
  }

  /**
   * The lease of the `using` or `@Locked` method that is running, or the one on `name`, by the *async context*: code
   * that a queue, a batcher or an emitter runs in the context of a holder sees that holder's lease. Where that matters,
   * pass on the lease that was given to the work.
   */
  current(name?: string): Lease | undefined {
    return this.setup.contextLeases.leaseOf(name === undefined ? name : this.settings.nameNow(name));
  }

  /**
   * For code that must run under a lock: throws unless `name` is held now, by the lease that is given, or without one by
   * the *async context* (see `current`). A lease of a reader counts as well as that of a writer; ask for its fence where a
   * stale writer would do harm.
   *
   * @throws LockUsageError when nobody has taken the lock for this code, and for a lease of another name or LockService
   * @throws LockLostError when the lease is lost or released
   * @throws LockStoreError when the lease is one of work that runs without its lock (`onStoreError: 'run'`)
   */
  assertLocked(name: string, lease?: Lease): void {
    assertLocked(this.setup, name, lease);
  }

  /** Who holds the name and who waits for it, by process. Reads only. @throws LockStoreError */
  inspect(name: string): Promise<LockReport> {
    return orRejected(() => this.inspector.inspect(this.settings.nameNow(name)));
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
   * within a round trip when it listens to its channel: from `ready()` on, which every start of Nest calls, or once one of
   * its own callers has had to wait. Otherwise it learns of it at its next renewal (a third of the ttl) or deadline.
   * Resolves with whether the lock was held. A name that `minHold` keeps after its work has ended counts as held with `force`
   * alone, which frees it; a lease that was revoked is not prolonged by its `minHold`.
   *
   * The holder's `LockLostError` has `reason: 'revoked'` and your reason as `revokeReason`; `inspect` and `list` show it
   * until the name is free. This is also true with `force`, until the lease would have ended. A second call with `force`
   * finds no holder and leaves the reason as it is; of two calls without `force` the later reason counts.
   * reason: 1 … 512 bytes.
   *
   * @throws LockStoreError | LockUsageError
   */
  revoke(name: string, options: { reason: string; force?: boolean | undefined }): Promise<boolean> {
    return orRejected(() => this.inspector.revoke(this.settings.nameNow(name), options));
  }

  /**
   * What happened to the locks of this registration lately, in order: the last 256 acquisitions with their grants, refusals,
   * last renewals, releases and losses. Empty without the option `recorder`.
   */
  recording(): readonly LockHistoryEvent[] {
    return this.recorder?.recording() ?? [];
  }

  /**
   * Probes the store and reports what it is; with `startup: 'warn'` it never rejects. What it warns of is logged once, and
   * again when it comes back.
   *
   * @throws LockStoreError
   */
  ready(): Promise<StoreFindings | undefined> {
    const { store } = this;
    // Beside the other connection: the first callers who wait find it up.
    if (store.address !== 'memory') store.subscribe();
    const met = this.readiness.ready();
    this.whileStarting?.();
    this.whileStarting = undefined; // a health check may call this again and again
    return met;
  }

  /**
   * Probes the store for a health check. It logs nothing, and resolves within `timeout` (1 s), whatever the store does.
   *
   * @throws LockUsageError
   * @internal
   */
  health(options?: { readonly timeout?: unknown; readonly slow?: unknown }): Promise<StoreHealth> {
    return this.healthCheck.check(options);
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

  /**
   * The servers are about to close: requests no longer wait for busy locks, and streams have the grace to end.
   *
   * @internal
   */
  hurry(): void {
    this.setup.lines.hurry();
    this.cancelStreamsEnd ??= this.clock.after(this.settings.shutdownGrace, () => {
      this.streamsOver = true;
      for (const end of [...this.streams]) end();
    });
  }

  /**
   * Keeps what ends a stream that works under a lock and is the answer to a request: no server closes before such a
   * stream has ended. Returns what forgets it.
   *
   * @internal
   */
  keepStream(end: () => void): () => void {
    if (this.streamsOver) end();
    else this.streams.add(end);
    return () => this.streams.delete(end);
  }

  /** Checks what the registration decides: whether calls for such a share may linger. @internal @throws LockUsageError */
  checkLinger(options: Pick<UsingOptions, 'linger' | 'ttl'>, share: Share): void {
    this.settings.checkLinger(options, share);
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

  /** Ends the leases on a name as if that had happened to them: for tests. @internal */
  lose(name: string, reason: 'expired' | 'taken'): void {
    this.setup.lines.lose(name, reason);
  }

  private readonly tellRecording = (): void => {
    const recording = this.recorder?.text() ?? '';
    const count = this.recording().length;
    inform(this.log, 'recording', `The recording of the locks has ${count} events.`, { count, recording });
  };

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
    this.cancelStreamsEnd?.();
    this.losses.close();
    this.recorder?.close();
    if (this.settings.recorder?.signal) process.off(this.settings.recorder.signal, this.tellRecording);
    this.unlockedRuns.close();
    this.unreleased?.close();
    await this.store.close();
    this.setup.contextLeases.end();
  }

  /** The lock that a call of this moment means. */
  private nameLock(name: string, mode: 'read' | 'write'): NameLock {
    return new NameLock(this.settings.nameNow(name), mode, this.setup);
  }

  /** A lock that its owner may keep: with `nameOf` each of its calls asks for the name anew. */
  private lockOn(
    name: string,
    mode: 'read' | 'write',
  ): NameLock | LockByCall<LeaseHandle, unknown, NameLock> {
    const { setup } = this;
    return this.settings.nameOf === undefined
      ? new NameLock(name, mode, setup)
      : new LockByCall((naming) => new NameLock(naming(name), mode, setup), this.nameNow);
  }

  private readonly nameNow = (name: string): string => this.settings.nameNow(name);
}
