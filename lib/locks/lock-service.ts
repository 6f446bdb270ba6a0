import { SystemClock, type Clock } from '../base/clock.js';
import { shown } from '../base/duration.js';
import { LockUsageError } from '../base/lock-usage-error.js';
import { checkName } from '../base/name.js';
import { holderOf } from '../line/caller.js';
import { Line } from '../line/line.js';
import type { LockStore } from '../store/lock-store.js';
import { AllOf } from './all-of.js';
import type { BaseLock, LockContext } from './base-lock.js';
import { HeldLeases } from './held-leases.js';
import type { Lease } from './lease.js';
import type { LockOptionsWithLog } from './lock-options.js';
import type { LockReport } from './lock-report.js';
import { LockSettings } from './lock-settings.js';
import type { AcquireOptions, Lock, UsingOptions } from './lock.js';
import { NameLock } from './name-lock.js';
import { openStore } from './open-store.js';

const STARTUP_PATIENCE = 4_500;
const ASK_PATIENCE = 1_000;

/**
 * Everything about locks: take them by name, look at them, take them away.
 *
 * @publicApi
 */
export class LockService {
  private readonly context: LockContext;
  private closing: Promise<void> | undefined;

  /** Made by `DistributedLockModule` or `createLockService`. */
  constructor(
    private readonly store: LockStore,
    private readonly settings: LockSettings,
    clock: Clock,
    private readonly log: { warn(message: string): void },
  ) {
    const line = new Line(store, clock, settings.process);
    this.context = { line, settings, held: new HeldLeases(), clock };
  }

  /** Mutual exclusion on one name. Excludes the readers and writers of a read-write lock of that name, too. */
  mutex(name: string): Lock {
    return new NameLock(name, this.context);
  }

  /**
   * Waits for the lock `name` and resolves with its lease.
   *
   * @throws LockBusyError | LockStoreError | LockUsageError
   */
  acquire(name: string, options?: AcquireOptions): Promise<Lease> {
    return orRejected(() => this.lockOf(name).acquire(options));
  }

  /** Like `acquire`, but resolves with undefined when the lock is busy. `wait` is 0 unless given. */
  tryAcquire(name: string, options?: AcquireOptions): Promise<Lease | undefined> {
    return orRejected(() => this.lockOf(name).tryAcquire(options));
  }

  /**
   * Runs `work` under the lock, or under several, and releases when it is done. Returns when the release is
   * sent: another process may see the lock busy for half a round trip more.
   *
   * @throws LockBusyError | LockStoreError | LockUsageError | LockLostError
   */
  using<T>(
    name: string | readonly string[],
    work: (lease: Lease) => T | PromiseLike<T>,
    options?: UsingOptions,
  ): Promise<T> {
    return orRejected(() => this.lockOf(name).using(work, options));
  }

  /** The lease of the `using` or `@Locked` method that is running, or the one on `name`. */
  current(name?: string): Lease | undefined {
    return this.context.held.current(name)?.lease;
  }

  /** Who holds the name and who waits for it, by process. Reads only. @throws LockStoreError */
  async inspect(name: string): Promise<LockReport> {
    const { key, state, now } = await this.store.read(checkName(name), ASK_PATIENCE);
    const holders = state.holders.filter(({ deadline }) => deadline > now);
    return {
      name,
      key,
      capacity: state.capacity,
      inUse: holders.reduce((sum, { units }) => sum + units, 0),
      holders: holders.map(({ who, units, since, deadline, first, last }) => ({
        ...person(who),
        units,
        since: new Date(since / 1_000),
        remaining: (deadline - now) / 1_000,
        fences: [first, last] as const,
      })),
      queue: state.queue.map(({ who, units, since }) => ({
        ...person(who),
        units,
        since: new Date(since / 1_000),
      })),
      ...(state.fence > 0 ? { fence: state.fence } : {}),
    };
  }

  /**
   * Takes the lock away from its holders, as an operator: they learn it at once, their renewals are refused, and
   * the name is free at their release or at their deadline. With `force` it is free at once, and only fences
   * protect what the holders still write. Resolves with whether anybody held it.
   */
  async revoke(name: string, options: { reason: string; force?: boolean }): Promise<boolean> {
    const { reason, force = false } = options;
    if (typeof reason !== 'string' || reason === '')
      throw new LockUsageError(`The option reason takes a text for the log; it was ${shown(reason)}.`, name);
    const operation = { kind: 'revoke', reason, force } as const;
    return (await this.store.execute(checkName(name), operation, ASK_PATIENCE)).count > 0;
  }

  /** Resolves when the store can be used; with `startup: 'warn'` it never rejects. @throws LockStoreError */
  async ready(): Promise<void> {
    try {
      await this.store.ready(STARTUP_PATIENCE);
    } catch (error) {
      if (this.settings.startup === 'require') throw error;
      this.log.warn(`${(error as Error).message} Locks fail until it is there (startup: 'warn').`);
    }
  }

  /**
   * No new grants; who waits is sent away with reason `closed`; running work keeps its leases for up to
   * `shutdownGrace`; then everything is released.
   */
  close(): Promise<void> {
    return (this.closing ??= this.context.line
      .close(this.settings.shutdownGrace)
      .then(() => this.store.close()));
  }

  private lockOf(name: string | readonly string[]): BaseLock {
    return Array.isArray(name)
      ? new AllOf(name as readonly string[], this.context)
      : new NameLock(name as string, this.context);
  }
}

/** A bad name is a rejection, as every other failure of an asynchronous call. */
function orRejected<T>(call: () => Promise<T>): Promise<T> {
  return new Promise((resolve) => resolve(call()));
}

/**
 * Locks without Nest, for scripts and tools: `await using locks = …` is not needed, but `close()` is.
 *
 * @throws LockUsageError that names the option, its range and its value
 * @publicApi
 */
export function createLockService(options: LockOptionsWithLog = {}): LockService {
  const settings = new LockSettings(options);
  const clock = new SystemClock();
  const log = options.log ?? { warn: (message: string) => process.emitWarning(message) };
  return new LockService(openStore(options, settings, clock, log), settings, clock, log);
}

function person(who: string): { host: string; pid: number; label?: string } {
  return holderOf(who) ?? { host: who, pid: 0 };
}
