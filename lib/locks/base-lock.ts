import { shown } from '../base/duration.js';
import { type Explanation, LockBusyError, LockStoreError, LockUsageError } from '../base/errors.js';
import type { Clock, CancelTimer } from '../base/clock.js';
import type { Request } from '../line/request.js';
import { type CallOrigin, ORIGIN, type WithOrigin } from './hidden-options.js';
import {
  LeaseBundle,
  checkEntry,
  concluded,
  enter,
  lossOf,
  NamedLease,
  noEntry,
  type EntryPlan,
  type Outcome,
  type TakenLease,
  type LockContext,
  UnprotectedLease,
} from './lease-handle.js';
import type { Lease } from './lease.js';
import { checkOptions, orRejected } from './checks.js';
import { namesFor, OPTIONS } from './option-table.js';
import type { AcquireOptions, Lock, UsingOptions } from './lock.js';
import { selfWait } from './self-wait-hints.js';

const ACQUIRE_OPTIONS = namesFor('acquire');
const USING_OPTIONS = namesFor('using');

/** The verbs of every kind, over the two things in which kinds differ: how a lease is taken, and re-entry. */
export abstract class BaseLock<L extends TakenLease = TakenLease, X = unknown> implements Lock<L, X> {
  abstract readonly names: readonly string[];

  constructor(protected readonly context: LockContext) {}

  private get firstName(): string {
    return this.names[0] ?? '';
  }

  acquire(options: AcquireOptions & X = {} as AcquireOptions & X): Promise<L> {
    return this.asked(options, this.context.settings.wait);
  }

  async tryAcquire(options: AcquireOptions & X = {} as AcquireOptions & X): Promise<L | undefined> {
    try {
      return await this.asked(options, 0);
    } catch (error) {
      if (error instanceof LockBusyError && (error.reason === 'held' || error.reason === 'timeout'))
        return undefined;
      throw error;
    }
  }

  async using<T>(
    work: (lease: L) => T | PromiseLike<T>,
    options: UsingOptions & X & WithOrigin = {} as UsingOptions & X,
  ): Promise<T> {
    const name = this.firstName;
    checkEntry(work, options, name, this.optionsOf('using'));
    const { within, [ORIGIN]: origin } = options;
    if (options.reentrant !== undefined) OPTIONS.reentrant.check(options.reentrant, name);
    const { onStoreError } = options;
    const runsWithout =
      onStoreError !== undefined && OPTIONS.onStoreError.check(onStoreError, name) === 'run';
    const minHold = options.minHold === undefined ? 0 : OPTIONS.minHold.check(options.minHold, name);
    const { clock, held, settings } = this.context;
    if (within !== undefined) {
      checkWithin(within, this.names, this.context);
      if (within instanceof UnprotectedLease && this.names.every((each) => within.names.includes(each)))
        return withoutLock(work, within as Lease as L, origin);
    }
    // Whoever holds nothing by its context, as nearly every call, has nothing to enter.
    const around = held.place;
    if (within !== undefined || around) {
      const plans = this.plansFor(options);
      if (plans.some((plan) => plan !== undefined)) return this.enterHeld(plans, work, options);
    }
    let lease: L;
    const stopHint = around && this.hint(options);
    try {
      lease = await this.take(options, settings.wait, undefined, 'using');
    } catch (error) {
      if (!runsWithout || !(error instanceof LockStoreError))
        throw (around && this.explanation()?.(error as Error)) ?? error;
      return withoutLock(work, new UnprotectedLease(this.names, error) as Lease as L, origin);
    } finally {
      stopHint?.();
    }
    const freeFrom = minHold > 0 ? clock.now() + minHold : 0;
    // The outcome of the work is never masked: a loss carries it.
    let outcome: Outcome<T>;
    const leases = this.leasesIn(lease);
    const inner = held.open(leases, lease, origin, around);
    try {
      const result = await held.begin(inner, lease, work);
      origin?.checkResult?.(result);
      outcome = { result };
    } catch (cause) {
      outcome = { cause };
    }
    held.close(inner, lease);
    const loss = lossOf(leases);
    // On the wire when we return, unless entries of it still work; its answer is the line's business.
    if (freeFrom > 0 && freeFrom > clock.now()) void releaseFrom(freeFrom, lease, clock);
    else this.giveBack(lease, outcome);
    return concluded(loss, outcome);
  }

  /** Takes a lease without regard to what the running call holds, or throws a LockError, as `explained` has it. */
  abstract take(
    options: AcquireOptions & X,
    wait: number | undefined,
    explained?: Explanation,
    by?: Request['by'],
  ): Promise<L>;

  /** The leases on single names that `lease` is made of. */
  abstract leasesIn(lease: L): readonly NamedLease[];

  /** For each name what is held already and may be entered; undefined when a lease has to be taken. */
  abstract plansFor(options: UsingOptions & WithOrigin): readonly (EntryPlan | undefined)[];

  /** Runs `work` inside what is held already. */
  protected enterHeld<T>(
    plans: readonly (EntryPlan | undefined)[],
    work: (lease: L) => T | PromiseLike<T>,
    options: UsingOptions & WithOrigin,
  ): Promise<T> {
    const found = plans.filter((plan) => plan !== undefined);
    return enter(this.context, found, ([only]) => only as Lease as L, work, options, options[ORIGIN]);
  }

  /** The names of the options that a verb of this kind takes. */
  protected optionsOf(verb: 'acquire' | 'using'): ReadonlySet<string> {
    return verb === 'using' ? USING_OPTIONS : ACQUIRE_OPTIONS;
  }

  protected giveBack(lease: L, _outcome: { result: unknown } | { cause: unknown }): void {
    void lease.release();
  }

  private asked(options: AcquireOptions & X, wait: number | undefined): Promise<L> {
    return orRejected(() => {
      checkOptions(options, this.firstName, this.optionsOf('acquire'));
      const stopHint = this.hint(options as WithOrigin);
      const taking = this.take(options, wait, this.explanation());
      return stopHint ? taking.finally(stopHint) : taking;
    });
  }

  /** The lease on one of the names that the async context holds, for which the call would then wait. */
  private ownLease(): NamedLease | undefined {
    const { held } = this.context;
    if (!held.innermost) return undefined;
    for (const name of this.names) {
      const own = held.on(name);
      if (own) return own.lease;
    }
    return undefined;
  }

  /** Begins to watch whether the call waits for what its own context holds. */
  private hint(options: WithOrigin): CancelTimer | undefined {
    const own = this.ownLease();
    return own && this.context.hints.watch(own.name, own.mode, options[ORIGIN]?.place);
  }

  /**
   * A call that was refused while its context holds that lock likely waited for itself; while it holds another, two calls
   * may have waited for each other.
   */
  private explanation(): Explanation | undefined {
    const { held } = this.context;
    if (!held.innermost) return undefined;
    // Looked at now: the one who refuses runs in another context.
    const own = this.ownLease();
    const holding = [...new Set(held.all().map(({ lease }) => lease.name))];
    return (error) => {
      if (!(error instanceof LockBusyError)) return error;
      if (error.reason !== 'timeout' && error.reason !== 'held') return error;
      if (own) return error.explained(selfWait(own.name, own.mode));
      return error.reason === 'timeout' && holding.length > 0 ? error.whileHolding(holding) : error;
    };
  }
}

/** Runs work that nothing protects, because the store failed and the call said to run then. */
async function withoutLock<L, T>(
  work: (lease: L) => T | PromiseLike<T>,
  lease: L,
  origin: CallOrigin | undefined,
): Promise<T> {
  const result = await work(lease);
  origin?.checkResult?.(result);
  return result;
}

/** The lease on `name` that `within` has, if any. @throws LockUsageError for permits */
export function leaseWithin(within: Lease, name: string): NamedLease | undefined {
  const part = (within as NamedLease | LeaseBundle | UnprotectedLease).partOn(name);
  if (part?.mode === 'permits') throw noEntry(name);
  return part;
}

/** @throws LockUsageError for what is no lease of this registration, or on none of the names */
function checkWithin(within: unknown, names: readonly string[], context: LockContext): void {
  const own = within instanceof NamedLease || within instanceof LeaseBundle;
  if (!own && !(within instanceof UnprotectedLease))
    throw new LockUsageError(
      `The option within takes a lease that this library gave out; it was ${shown(within)}.`,
      names[0],
    );
  if (own && within.context !== context)
    throw new LockUsageError(
      `The option within was given a lease of another LockService: '${within.names.join("', '")}' is locked there, not here.`,
      names[0],
    );
  if (names.some((name) => within.names.includes(name))) return;
  throw new LockUsageError(
    `The option within was given the lease of '${within.names.join("', '")}', which is not on '${names.join("', '")}'.`,
    names[0],
  );
}

/** Gives a lease back, and has the store keep its units until then (minimum hold). */
async function releaseFrom(time: number, lease: TakenLease, clock: Clock): Promise<void> {
  const left = (): number => Math.max(0, Math.ceil(time - clock.now()));
  // The store keeps nothing for longer than the lease lasts.
  if (lease.remaining < left()) await lease.renew(Math.max(100, left())).catch(() => undefined);
  await lease.release({ keep: left(), done: 0 });
}
