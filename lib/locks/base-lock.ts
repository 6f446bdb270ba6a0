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
  type LockSetup,
  UnprotectedLease,
} from './lease-handle.js';
import { checkOptions, orRejected } from './checks.js';
import { checkMinHold, namesFor, OPTIONS } from './option-table.js';
import type { AcquireOptions, Lock, UsingOptions, Lease } from './lock.js';
import { selfWait } from './wait-hints.js';

const ACQUIRE_OPTIONS = namesFor('acquire');
const USING_OPTIONS = namesFor('using');
// One for all: whoever waits keeps its options.
const NONE = Object.freeze({});

/** The verbs of every kind. Kinds differ in two things only: how a lease is taken, and how it is entered again. */
export abstract class BaseLock<L extends TakenLease = TakenLease, X = unknown> implements Lock<L, X> {
  abstract readonly names: readonly string[];

  constructor(readonly setup: LockSetup) {}

  protected get firstName(): string {
    return this.names[0] ?? '';
  }

  acquire(options: AcquireOptions & X = NONE as AcquireOptions & X): Promise<L> {
    return this.asked(options, this.setup.settings.wait);
  }

  async tryAcquire(options: AcquireOptions & X = NONE as AcquireOptions & X): Promise<L | undefined> {
    try {
      return await this.asked(options, 0);
    } catch (error) {
      if (error instanceof LockBusyError && (error.reason === 'held' || error.reason === 'timeout'))
        return undefined;
      throw error;
    }
  }

  // While a call waits, its whole frame is kept, and thousands may wait: what need not be here is in functions of its own.
  async using<T>(
    work: (lease: L) => T | PromiseLike<T>,
    options: UsingOptions & X & WithOrigin = NONE as UsingOptions & X,
  ): Promise<T> {
    const { contextLeases } = this.setup;
    const around = contextLeases.frame;
    const entered = this.entered(work, options, around !== undefined);
    if (entered) return entered;
    let lease: L;
    try {
      lease = await this.takeFor(options, around !== undefined);
    } catch (error) {
      return this.refused(error as Error, work, options, around !== undefined);
    }
    const freeFrom = this.freeFrom(options.minHold);
    // A loss never hides the outcome of the work: the error carries it.
    let outcome: Outcome<T>;
    const inner = contextLeases.open(this.leasesIn(lease), lease, options[ORIGIN], around);
    try {
      const result = await contextLeases.begin(inner, lease, work);
      options[ORIGIN]?.checkResult?.(result);
      outcome = { result };
    } catch (cause) {
      outcome = { cause };
    }
    contextLeases.close(inner, lease);
    return this.ended(lease, outcome, freeFrom);
  }

  /** Checks a call of `using`, and lets it enter what is held already; undefined when a lease has to be taken. */
  private entered<T>(
    work: (lease: L) => T | PromiseLike<T>,
    options: UsingOptions & X & WithOrigin,
    nested: boolean,
  ): Promise<T> | undefined {
    const name = this.firstName;
    checkEntry(work, options, name, this.optionsOf('using'));
    const { within, reentrant, onStoreError } = options;
    if (reentrant !== undefined) OPTIONS.reentrant.check(reentrant, name);
    if (onStoreError !== undefined) OPTIONS.onStoreError.check(onStoreError, name);
    checkMinHold(options, name);
    // Nearly every call holds nothing in its context, and so has nothing to enter.
    if (within === undefined && !nested) return undefined;
    if (within !== undefined) {
      checkWithin(within, this.names, this.setup);
      if (within instanceof UnprotectedLease && this.names.every((each) => within.names.includes(each)))
        return withoutLock(work, within as Lease as L, options[ORIGIN]);
    }
    const plans = this.plansFor(options);
    return plans.some((plan) => plan !== undefined) ? this.enterHeld(plans, work, options) : undefined;
  }

  private takeFor(options: UsingOptions & X & WithOrigin, nested: boolean): Promise<L> {
    const taking = this.take(options, this.setup.settings.wait, undefined, 'using');
    return nested ? this.hinted(taking, options) : taking;
  }

  /** Watches a call while it waits; called after what throws for a bad option. */
  private hinted(taking: Promise<L>, options: WithOrigin): Promise<L> {
    const stopHint = this.hint(options);
    return stopHint ? taking.finally(stopHint) : taking;
  }

  /** Runs the work without a lock if the store failed and the call asked for that. @throws `error` otherwise */
  private refused<T>(
    error: Error,
    work: (lease: L) => T | PromiseLike<T>,
    { onStoreError, [ORIGIN]: origin }: UsingOptions & WithOrigin,
    nested: boolean,
  ): Promise<T> {
    if (onStoreError !== 'run' || !(error instanceof LockStoreError))
      throw (nested && this.explanation()?.(error)) || error;
    this.setup.unlockedRuns.run(this.names, error, origin?.place);
    return withoutLock(work, new UnprotectedLease(this.names, error) as Lease as L, origin);
  }

  private freeFrom(minHold: UsingOptions['minHold']): number {
    return minHold === undefined
      ? 0
      : this.setup.clock.now() + OPTIONS.minHold.check(minHold, this.firstName);
  }

  /** Gives the lease back after the work. The release is sent before this returns, unless entries still work. */
  private ended<T>(lease: L, outcome: Outcome<T>, freeFrom: number): T {
    const loss = lossOf(this.leasesIn(lease));
    const { clock } = this.setup;
    // The line takes care of the answer.
    if (freeFrom > 0 && freeFrom > clock.now())
      void releaseFrom(freeFrom, lease, this.leasesIn(lease), clock);
    else this.giveBack(lease, outcome);
    return concluded(loss, outcome);
  }

  /** Takes a lease, no matter what the running call holds. Rejects with what `explained` makes of the LockError. */
  abstract take(
    options: AcquireOptions & X,
    wait: number | undefined,
    explained?: Explanation,
    by?: Request['by'],
  ): Promise<L>;

  /** The leases on single names that `lease` is made of. */
  abstract leasesIn(lease: L): readonly NamedLease[];

  /** For each name: the held lease that may be entered, or undefined when a lease has to be taken. */
  abstract plansFor(options: UsingOptions & WithOrigin): readonly (EntryPlan | undefined)[];

  /** Runs `work` inside what is held already. */
  protected enterHeld<T>(
    plans: readonly (EntryPlan | undefined)[],
    work: (lease: L) => T | PromiseLike<T>,
    options: UsingOptions & WithOrigin,
  ): Promise<T> {
    const found = plans.filter((plan) => plan !== undefined);
    return enter(this.setup, found, ([only]) => only as Lease as L, work, options, options[ORIGIN]);
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
      const { unreleased } = this.setup;
      const asked = this.take(options, wait, this.explanation());
      return this.hinted(unreleased ? unreleased.watched(asked) : asked, options as WithOrigin);
    });
  }

  /** The lease on one of the names that the async context holds: the call would wait for its own holder. */
  private ownLease(): NamedLease | undefined {
    const { contextLeases } = this.setup;
    if (!contextLeases.innermost) return undefined;
    for (const name of this.names) {
      const own = contextLeases.on(name);
      if (own) return own.lease;
    }
    return undefined;
  }

  /** Watches a call that may wait for what its own context holds; returns what ends the watch. */
  private hint(options: WithOrigin): CancelTimer | undefined {
    const own = this.ownLease();
    return own && this.setup.hints.watch(own.name, own.mode, options[ORIGIN]?.place);
  }

  /**
   * If its context holds the same lock, a refused call probably waited for itself. If it holds another lock, two calls may
   * have waited for each other.
   */
  private explanation(): Explanation | undefined {
    const { contextLeases } = this.setup;
    if (!contextLeases.innermost) return undefined;
    // This is looked up now, because the refusal happens in another async context.
    const own = this.ownLease();
    const holding = [...new Set(contextLeases.all().map(({ lease }) => lease.name))];
    return (error) => {
      if (!(error instanceof LockBusyError)) return error;
      const { reason } = error;
      if (reason !== 'timeout' && reason !== 'held' && reason !== 'deadlock') return error;
      if (own) return error.explained(selfWait(own.name, own.mode));
      return reason !== 'held' && holding.length > 0 ? error.whileHolding(holding) : error;
    };
  }
}

/** Runs work without the lock, since the store failed and the call asked for that. */
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

/** @throws LockUsageError unless `within` is a lease of this registration on at least one of the names */
function checkWithin(within: unknown, names: readonly string[], setup: LockSetup): void {
  const own = within instanceof NamedLease || within instanceof LeaseBundle;
  if (!own && !(within instanceof UnprotectedLease))
    throw new LockUsageError(
      `The option within takes a lease of this library; it was ${shown(within)}.`,
      names[0],
    );
  if (own && within.setup !== setup)
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

/** Gives a lease back, and lets the store keep its units until `time` (minimum hold). */
async function releaseFrom(
  time: number,
  lease: TakenLease,
  parts: readonly NamedLease[],
  clock: Clock,
): Promise<void> {
  const left = (): number => Math.max(0, Math.ceil(time - clock.now()));
  // The store keeps nothing for longer than the lease lasts. The work may have downgraded it.
  const short = parts.map(({ now }) => now).filter(({ remaining }) => remaining < left());
  if (short.length > 0) await Promise.allSettled(short.map((part) => part.renew(Math.max(100, left()))));
  await lease.release({ keep: left(), done: 0 });
}
