import { milliseconds } from '../base/duration.js';
import { LockBusyError } from '../base/lock-busy-error.js';
import { LockUsageError } from '../base/lock-usage-error.js';
import { BaseLock, type LockContext, type LockPart } from './base-lock.js';
import type { Entry } from './held-leases.js';
import { LeaseBundle } from './lease-bundle.js';
import type { Lease } from './lease.js';
import { WAIT } from './lock-settings.js';
import type { AcquireOptions, UsingOptions } from './lock.js';
import { NameLock } from './name-lock.js';

/**
 * Several locks at once, all or none. All are asked for together first, which takes one round trip when they are
 * free; otherwise one after another in one order everywhere, so that two callers can never wait for each other.
 */
export class AllOf extends BaseLock {
  readonly parts: readonly LockPart[];
  private readonly locks: readonly BaseLock[];

  /** @throws LockUsageError without any lock, or for one name in two ways */
  constructor(locks: readonly BaseLock[], context: LockContext) {
    super(context);
    const flat = locks.flatMap((lock) => (lock instanceof AllOf ? lock.locks : [lock]));
    const byName = new Map<string, BaseLock>();
    for (const lock of flat) {
      const [{ name, mode } = { name: '', mode: 'write' }] = lock.parts;
      const same = byName.get(name);
      if (same && (same.parts[0]?.mode !== mode || mode === 'permits'))
        throw new LockUsageError(
          `'${name}' is asked for twice at once, in two ways: it would wait for itself.`,
          name,
        );
      byName.set(name, lock);
    }
    if (byName.size === 0) throw new LockUsageError('Several locks are to be taken, but the list is empty.');
    this.locks = [...byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, lock]) => lock);
    this.parts = this.locks.flatMap(({ parts }) => parts);
  }

  async take(options: AcquireOptions, defaultWait: number): Promise<Lease> {
    const wait = options.wait === undefined ? defaultWait : milliseconds(options.wait, WAIT);
    return new LeaseBundle(await this.takeAll(this.locks, options, wait));
  }

  entriesOf(lease: Lease): Entry[] {
    const leases = lease instanceof LeaseBundle ? lease.parts : [];
    return this.locks.flatMap((lock, index) => lock.entriesOf(leases[index] ?? lease));
  }

  /** Enters the names that the running call holds; the missing ones are taken, all or none. */
  protected enter<T>(
    work: (lease: Lease) => T | PromiseLike<T>,
    options: UsingOptions,
    reentrant: boolean,
  ): Promise<T> | undefined {
    const held = this.locks.map((lock) => (lock instanceof NameLock ? lock.heldHere(reentrant) : undefined));
    const [first] = held.filter((each) => each !== undefined);
    if (!first) return undefined;
    const missing = this.locks.filter((_, index) => !held[index]);
    if (missing.length > 0) return this.enterAndTake(missing, work, options);
    return this.context.held.enter(first, new LeaseBundle(held.map((each) => each?.lease as Lease)), work);
  }

  private enterAndTake<T>(
    missing: readonly BaseLock[],
    work: (lease: Lease) => T | PromiseLike<T>,
    options: UsingOptions,
  ): Promise<T> {
    const { held } = this.context;
    const others = new AllOf(missing, this.context);
    return others.using(() => {
      const leases = this.names.map((name) => held.current(name)?.lease as Lease);
      return work(new LeaseBundle(leases));
    }, options);
  }

  private async takeAll(locks: readonly BaseLock[], options: AcquireOptions, wait: number): Promise<Lease[]> {
    const { clock } = this.context;
    const until = clock.now() + wait;
    const tries = await Promise.allSettled(locks.map((lock) => lock.take({ ...options, wait: 0 }, 0)));
    const leases = tries.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    if (leases.length === locks.length) return leases;
    await rollBack(leases);
    const failed = tries.map((each) => (each.status === 'rejected' ? (each.reason as Error) : undefined));
    const fatal = failed.find(
      (error) => error && !(error instanceof LockBusyError && error.reason === 'held'),
    );
    if (fatal) throw fatal;
    if (wait === 0) throw failed.find((error) => error !== undefined) as Error;
    const taken: Lease[] = [];
    try {
      for (const lock of locks) {
        const left = Math.max(0, until - clock.now());
        taken.push(await lock.take({ ...options, wait: Math.min(wait, left) }, 0));
      }
      return taken;
    } catch (error) {
      await rollBack(taken);
      throw error;
    }
  }
}

async function rollBack(leases: readonly Lease[]): Promise<void> {
  await Promise.all(leases.map((lease) => lease.release()));
}
