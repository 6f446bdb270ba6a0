import { checkName } from '../base/name.js';
import type { LeaseMaker } from '../line/caller.js';
import type { LineLease } from '../line/line-lease.js';
import type { Request } from '../line/request.js';
import type { Explanation } from '../base/errors.js';
import { WHOLE } from '../store/lock-machine.js';
import { BaseLock, leaseWithin } from './base-lock.js';
import { isSuperCall, ORIGIN, type WithOrigin } from './hidden-options.js';
import type { LockMode } from './context-leases.js';
import {
  heldBy,
  LeaseHandle,
  ReadLease,
  upgrade,
  type EntryPlan,
  type NamedLease,
  type LockSetup,
} from './lease-handle.js';
import type { AcquireOptions, UsingOptions } from './lock.js';

/** One name, locked alone or together with other readers. */
export class NameLock extends BaseLock<LeaseHandle> implements LeaseMaker<LeaseHandle> {
  readonly name: string;

  /** @throws LockUsageError for a bad name */
  constructor(
    name: string,
    readonly mode: Exclude<LockMode, 'permits'>,
    setup: LockSetup,
  ) {
    super(setup);
    this.name = checkName(name);
  }

  // Made when it is asked for: a lock object lives as long as its caller waits, and there may be thousands.
  get names(): readonly [string] {
    return [this.name];
  }

  protected override get firstName(): string {
    return this.name;
  }

  take(
    options: AcquireOptions,
    wait: number | undefined,
    explained?: Explanation,
    by?: Request['by'],
  ): Promise<LeaseHandle> {
    const { setup, mode } = this;
    const share = { units: mode === 'write' ? WHOLE : 1, capacity: WHOLE };
    const request = setup.settings.request(this.name, options, wait, share, by, heldBy(setup, options));
    return setup.lines.acquire(request, this, explained);
  }

  leaseOn(lineLease: LineLease): LeaseHandle {
    const Handle = this.mode === 'write' ? LeaseHandle : ReadLease;
    return new Handle(lineLease, this.setup);
  }

  leasesIn(lease: LeaseHandle): readonly NamedLease[] {
    return [lease];
  }

  plansFor(options: UsingOptions & WithOrigin): readonly [EntryPlan | undefined] {
    const lease = this.leaseToEnter(options);
    return [lease && { lease, mode: this.mode }];
  }

  private leaseToEnter(options: UsingOptions & WithOrigin): NamedLease | undefined {
    const { within, reentrant } = options;
    const { contextLeases, settings } = this.setup;
    if (within !== undefined) return this.fitting(leaseWithin(within, this.name));
    const innermost = contextLeases.on(this.name)?.lease;
    if (!innermost || innermost.mode === 'permits') return undefined;
    if (reentrant ?? settings.reentrant) return this.fitting(innermost);
    // Without a request for re-entry, only `super.method()` of the locked method that holds the name enters.
    const origin = options[ORIGIN];
    if (reentrant === false || origin?.self === undefined || this.upgrades(innermost)) return undefined;
    for (const each of contextLeases.all())
      if (each.lease.root === innermost.root && isSuperCall(origin, each.origin)) return innermost;
    return undefined;
  }

  /** @throws LockUsageError when the lease is a reader's and this lock writes */
  private fitting(lease: NamedLease | undefined): NamedLease | undefined {
    if (lease && this.upgrades(lease)) throw upgrade(this.name);
    return lease;
  }

  private upgrades(lease: NamedLease): boolean {
    return this.mode === 'write' && lease.now.mode === 'read';
  }
}
