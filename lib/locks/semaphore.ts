import { checkName } from '../base/name.js';
import { type LeaseMaker, otherKind } from '../line/caller.js';
import type { LineLease } from '../line/line-lease.js';
import type { Request } from '../line/request.js';
import type { Explanation } from '../base/errors.js';
import { livingWaiters } from '../store/lock-machine.js';
import type { LockStore } from '../store/lock-store.js';
import { BaseLock } from './base-lock.js';
import {
  heldBy,
  noEntry,
  PermitLease,
  type EntryPlan,
  type NamedLease,
  type LockSetup,
} from './lease-handle.js';
import { MOST_PERMITS, namesFor } from './option-table.js';
import type { Lock, AcquireOptions, UsingOptions, Lease } from './lock.js';
import { wholeNumber } from './checks.js';

/**
 * How many permits one acquisition takes.
 *
 * @publicApi
 */
export interface PermitOptions {
  /** 1 … permits. @default 1 */
  readonly units?: number | undefined;
}

/**
 * A fixed number of permits under one name. Every permit is owned, leased and renewed; the permits of a process that died
 * are free after ttl + guard. All users of a name must agree on the number; it may change while the name is idle.
 *
 * @publicApi
 */
export interface Semaphore extends Lock<Lease, PermitOptions> {
  /**
   * How many permits are free now. This is a snapshot: others may take them before you do.
   *
   * @throws LockUsageError while the name is in use as a lock of another kind, or with another number of permits
   * @throws LockStoreError
   */
  available(): Promise<number>;
}

const READ_TIMEOUT = 1_000;
const ACQUIRE_PERMITS: ReadonlySet<string> = namesFor('acquire', 'permits');
const USING_PERMITS: ReadonlySet<string> = namesFor('using', 'permits');

/** A fixed number of permits under one name, each owned, leased and renewed. */
export class SemaphoreLock
  extends BaseLock<PermitLease, PermitOptions>
  implements Semaphore, LeaseMaker<PermitLease>
{
  readonly names: readonly [string];

  /** @throws LockUsageError for a bad name or number of permits */
  constructor(
    private readonly name: string,
    private readonly permits: number,
    setup: LockSetup,
    private readonly store: LockStore,
  ) {
    super(setup);
    this.names = [checkName(name)];
    wholeNumber(permits, 'permits', MOST_PERMITS, name);
  }

  take(
    options: AcquireOptions & PermitOptions,
    wait: number | undefined,
    explained?: Explanation,
    by?: Request['by'],
  ): Promise<PermitLease> {
    const { lines, settings } = this.setup;
    const { units = 1 } = options;
    wholeNumber(units, 'units', this.permits, this.name);
    const share = { units, capacity: this.permits };
    const request = settings.request(this.name, options, wait, share, by, heldBy(this.setup, options));
    return lines.acquire(request, this, explained);
  }

  leaseOn(lineLease: LineLease): PermitLease {
    return new PermitLease(lineLease, this.setup);
  }

  async available(): Promise<number> {
    const { state, now } = await this.store.read(this.name, READ_TIMEOUT);
    const holders = state.holders.filter(({ deadline }) => deadline > now);
    const used = holders.length + livingWaiters(state, now).length > 0;
    if (used && state.capacity !== this.permits) throw otherKind(this.name, state.capacity, this.permits); // as a call for a permit is told
    return Math.max(0, this.permits - holders.reduce((sum, { units }) => sum + units, 0));
  }

  protected override optionsOf(verb: 'acquire' | 'using'): ReadonlySet<string> {
    return verb === 'using' ? USING_PERMITS : ACQUIRE_PERMITS;
  }

  leasesIn(lease: PermitLease): readonly NamedLease[] {
    return [lease];
  }

  /** Permits are never entered: a call that holds one and asks for another takes two. @throws LockUsageError for `within` */
  plansFor({ within }: UsingOptions): readonly [EntryPlan | undefined] {
    if (within?.names.includes(this.name)) throw noEntry(this.name);
    return [undefined];
  }
}
