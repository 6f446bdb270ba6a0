import { checkName } from '../base/name.js';
import type { Request } from '../line/request.js';
import type { Explanation } from '../base/lock-error.js';
import type { LockStore } from '../store/lock-store.js';
import { WHOLE } from '../store/lock-state.js';
import { BaseLock } from './base-lock.js';
import { noEntry, PermitLease, type EntryPlan, type NamedLease } from './lease-handle.js';
import type { LockContext } from './lock-context.js';
import { ACQUIRE_OPTIONS, USING_OPTIONS } from './lock-settings.js';
import type { AcquireOptions, UsingOptions } from './lock.js';
import { wholeNumber } from './whole-number.js';
import type { PermitOptions, Semaphore } from './semaphore.js';

const ASK_PATIENCE = 1_000;
const ACQUIRE_PERMITS: ReadonlySet<string> = new Set([...ACQUIRE_OPTIONS, 'units']);
const USING_PERMITS: ReadonlySet<string> = new Set([...USING_OPTIONS, 'units']);

/** So many permits under one name, each owned, leased and renewed. */
export class SemaphoreLock extends BaseLock<PermitLease, PermitOptions> implements Semaphore {
  readonly names: readonly [string];

  /** @throws LockUsageError for a bad name or number of permits */
  constructor(
    private readonly name: string,
    private readonly permits: number,
    context: LockContext,
    private readonly store: LockStore,
  ) {
    super(context);
    this.names = [checkName(name)];
    wholeNumber(permits, 'permits', WHOLE, name);
  }

  take(
    options: AcquireOptions & PermitOptions,
    wait: number | undefined,
    explained?: Explanation,
    by?: Request['by'],
  ): Promise<PermitLease> {
    const { line, settings } = this.context;
    const { units = 1 } = options;
    wholeNumber(units, 'units', this.permits, this.name);
    const request = settings.request(this.name, options, wait, { units, capacity: this.permits }, by);
    return line.acquire(request, (tenure) => new PermitLease(tenure, this.context), explained);
  }

  async available(): Promise<number> {
    const { state, now } = await this.store.read(this.name, ASK_PATIENCE);
    const holders = state.holders.filter(({ deadline }) => deadline > now);
    return Math.max(0, this.permits - holders.reduce((sum, { units }) => sum + units, 0));
  }

  protected override optionsOf(verb: 'acquire' | 'using'): ReadonlySet<string> {
    return verb === 'using' ? USING_PERMITS : ACQUIRE_PERMITS;
  }

  leasesIn(lease: PermitLease): readonly NamedLease[] {
    return [lease];
  }

  /** A call that holds a permit and asks for another wants two. @throws LockUsageError when it is to be entered */
  plansFor({ within }: UsingOptions): readonly [EntryPlan | undefined] {
    if (within?.names.includes(this.name)) throw noEntry(this.name);
    return [undefined];
  }
}
