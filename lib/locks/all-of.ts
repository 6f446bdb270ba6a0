import { shown } from '../base/duration.js';
import { type Explanation, LockBusyError, LockStoreError, LockUsageError } from '../base/errors.js';
import type { Request } from '../line/request.js';
import { BaseLock } from './base-lock.js';
import { HELD, holdingToo, ORIGIN, type WithHeld, type WithOrigin } from './hidden-options.js';
import {
  LeaseBundle,
  beginEntries,
  enter,
  type EntryPlan,
  type NamedLease,
  type LockSetup,
  UnprotectedLease,
} from './lease-handle.js';
import type { AcquireOptions, UsingOptions, Lease } from './lock.js';
import { NameLock } from './name-lock.js';
import { LockByCall, type Naming } from './named-by-call.js';
import { OPTIONS } from './option-table.js';

/**
 * Several locks at once, all or none. First it asks for all of them together, which takes one round trip when they are
 * free. Otherwise it takes them one after another, in the same order everywhere, so that two callers can never wait for
 * each other.
 */
export class AllOf extends BaseLock<LeaseBundle> {
  readonly names: readonly string[];
  private readonly locks: readonly BaseLock[];

  /** @throws LockUsageError without any lock, or for one name in two ways */
  constructor(locks: readonly BaseLock[], setup: LockSetup) {
    super(setup);
    const flat = locks.flatMap((lock) => (lock instanceof AllOf ? lock.locks : [lock]));
    const byName = new Map<string, BaseLock>();
    for (const lock of flat) {
      const [name = ''] = lock.names;
      const same = byName.get(name);
      const alike = same instanceof NameLock && lock instanceof NameLock && same.mode === lock.mode;
      if (same && !alike)
        throw new LockUsageError(
          `'${name}' is asked for twice in one call, in different ways: the call would wait for itself.`,
          name,
        );
      byName.set(name, lock);
    }
    if (byName.size === 0)
      throw new LockUsageError('The list of locks is empty: give at least one name or lock.');
    this.locks = [...byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, lock]) => lock);
    this.names = this.locks.flatMap(({ names }) => names);
  }

  async take(
    options: AcquireOptions,
    otherwise: number | undefined,
    explained?: Explanation,
    by?: Request['by'],
  ): Promise<LeaseBundle> {
    const wait = this.setup.settings.waitOf(options, otherwise);
    const { maxHold } = options;
    const longest = maxHold === undefined ? undefined : OPTIONS.maxHold.check(maxHold, this.firstName);
    try {
      const leases = await this.takeAll({ ...options, maxHold: undefined }, wait, by);
      // It counts from now: those that were taken first may have waited for the others.
      if (longest !== undefined) for (const { root } of leases) root.lineLease.limit(longest);
      return new LeaseBundle(leases, this.setup);
    } catch (error) {
      throw explained ? explained(error as Error) : error;
    }
  }

  /** All options of its locks: semaphores have one more. */
  protected override optionsOf(verb: 'acquire' | 'using'): ReadonlySet<string> {
    return new Set(this.locks.flatMap((lock) => [...(lock as AllOf).optionsOf(verb)]));
  }

  leasesIn(lease: LeaseBundle): readonly NamedLease[] {
    return lease.parts;
  }

  plansFor(options: UsingOptions & WithOrigin): readonly (EntryPlan | undefined)[] {
    return this.locks.flatMap((lock) => lock.plansFor(options));
  }

  /** Enters the names that are held already, after it has taken the missing ones, all or none. */
  protected override async enterHeld<T>(
    plans: readonly (EntryPlan | undefined)[],
    work: (lease: LeaseBundle) => T | PromiseLike<T>,
    options: UsingOptions & WithOrigin,
  ): Promise<T> {
    const { setup, names } = this;
    const held = plans.filter((plan) => plan !== undefined);
    const missing = this.locks.filter((_, index) => !plans[index]);
    const { clock, settings } = setup;
    const wait = settings.waitOf(options);
    const until = clock.now() + wait;
    const entered = beginEntries(held); // keeps what is held while it waits for the others
    const enterWith = (taken: LeaseBundle | UnprotectedLease | undefined): Promise<T> => {
      const whole = (): LeaseBundle => {
        // Without the store the work runs under what is held, and its lease says that it is not protected.
        if (taken instanceof UnprotectedLease)
          return new UnprotectedLease(names, taken.reason) as Lease as LeaseBundle;
        const [entries, others] = [[...entered], [...(taken?.parts ?? [])]];
        const parts = plans.map((plan) => (plan ? entries : others).shift() as NamedLease);
        return new LeaseBundle(parts, setup);
      };
      const left = { ...options, wait: wait && Math.max(1, until - clock.now()) };
      return enter(setup, held, whole, work, left, options[ORIGIN], entered);
    };
    if (missing.length === 0) return enterWith(undefined);
    try {
      const rest = { ...options, ...holdingToo(entered), wait, within: undefined, reentrant: false };
      return await new AllOf(missing, setup).using(enterWith, rest);
    } finally {
      for (const each of entered) each.end();
    }
  }

  /** Takes all in one round trip, if they are free. */
  private async takeAll(
    options: AcquireOptions,
    wait: number,
    by: Request['by'] | undefined,
  ): Promise<NamedLease[]> {
    const { clock } = this.setup;
    const until = clock.now() + wait;
    const left = (): number => Math.max(0, until - clock.now());
    const tries = await Promise.allSettled(
      this.locks.map(
        async (lock) => (await lock.take({ ...options, wait: 0 }, 0, undefined, by)) as NamedLease,
      ),
    );
    const leases = tries.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    if (leases.length === this.locks.length) return leases;
    rollBack(leases);
    const failed = tries.flatMap((each) => (each.status === 'rejected' ? [each.reason as Error] : []));
    const fatal = failed.find((error) => !mayPass(error, left()));
    if (fatal) throw fatal;
    if (wait === 0) throw failed[0] as Error;
    return this.takeInOrder(options, left, by);
  }

  /** Takes one after another, and keeps alive what it has taken so far. */
  private async takeInOrder(
    options: AcquireOptions & WithHeld<NamedLease>,
    left: () => number,
    by: Request['by'] | undefined,
  ): Promise<NamedLease[]> {
    const taken: NamedLease[] = [];
    const { [HELD]: held = [] } = options;
    const { clock } = this.setup;
    const began = clock.now();
    const stop = options.renew === false ? this.keepAlive(taken, options) : undefined;
    try {
      for (const lock of this.locks) {
        const asked = { ...options, ...holdingToo([...held, ...taken]), wait: left() };
        taken.push((await lock.take(asked, 0, undefined, by)) as NamedLease);
      }
      if (stop) await renewAll(taken);
      for (const lease of taken) lease.assertHeld();
      return taken;
    } catch (error) {
      rollBack(taken);
      throw error instanceof LockBusyError ? error.amongOthers(Math.round(clock.now() - began)) : error;
    } finally {
      stop?.();
    }
  }

  /** Renews leases that do not renew themselves; returns the function that stops it. */
  private keepAlive(taken: readonly Lease[], options: AcquireOptions): () => void {
    const { clock, settings } = this.setup;
    const every = settings.request('', options, 0).terms.ttl / 3;
    const tick = (): void => {
      renewAll(taken).catch(() => undefined); // a loss is noticed once all are taken
      cancel = clock.after(every, tick);
    };
    let cancel = clock.after(every, tick);
    return () => cancel();
  }
}

/** Whether a call that may wait for `left` ms more goes on after this failure of its first try, as it does for one name. */
function mayPass(error: Error, left: number): boolean {
  if (error instanceof LockStoreError) return left > 0 && !error.refused;
  return error instanceof LockBusyError && error.reason === 'held';
}

async function renewAll(leases: readonly Lease[]): Promise<void> {
  await Promise.all(leases.map((lease) => lease.renew()));
}

/** Sends the releases, and does not wait for their answers. */
function rollBack(leases: readonly NamedLease[]): void {
  for (const lease of leases) {
    lease.root.lineLease.unused = true;
    void lease.release();
  }
}

/** The locks that a user asks for together; a name stands for its mutex. @throws LockUsageError */
export function locksIn(locks: unknown, setup: LockSetup, naming: Naming = (name) => name): BaseLock[] {
  if (!Array.isArray(locks))
    throw new LockUsageError(`allOf takes a list of names or locks; it was ${shown(locks)}.`);
  return (locks as readonly unknown[]).map((lock) => {
    if (typeof lock === 'string') return new NameLock(naming(lock), 'write', setup);
    if (lock instanceof BaseLock || lock instanceof LockByCall) {
      checkSetup(lock as BaseLock | LockByCall, setup);
      return (lock instanceof BaseLock ? lock : lock.make(naming)) as BaseLock;
    }
    throw new LockUsageError(`allOf takes names, or locks of this library; one was ${shown(lock)}.`);
  });
}

/** @throws LockUsageError for a lock of another registration, which may have another store and other names */
function checkSetup(lock: BaseLock | LockByCall, setup: LockSetup): void {
  if (lock.setup === setup) return;
  const { names } = lock;
  throw new LockUsageError(
    `allOf was given a lock of another LockService: '${names.join("', '")}' is locked there, not here.`,
    names[0],
  );
}
