import type { Clock } from '../base/clock.js';
import { milliseconds, shown } from '../base/duration.js';
import { LockBusyError } from '../base/lock-busy-error.js';
import { LockLostError } from '../base/lock-lost-error.js';
import { LockStoreError } from '../base/lock-store-error.js';
import { LockUsageError } from '../base/lock-usage-error.js';
import type { Explanation, Line } from '../line/line.js';
import type { ReleaseTerms } from '../line/tenure.js';
import { OVER, type Entry, type Held, type HeldLeases, type LockMode } from './held-leases.js';
import type { Lease } from './lease.js';
import {
  ACQUIRE_OPTIONS,
  checkOptions,
  MIN_HOLD,
  truth,
  USING_OPTIONS,
  type LockSettings,
} from './lock-settings.js';
import type { AcquireOptions, Lock, UsingOptions } from './lock.js';
import { orRejected } from './or-rejected.js';
import { UnprotectedLease } from './unprotected-lease.js';

/** What the locks of one registration share. */
export interface LockContext {
  readonly line: Line;
  readonly settings: LockSettings;
  readonly held: HeldLeases;
  readonly clock: Clock;
}

/** One name of a lock, and how it is locked. */
export interface LockPart {
  readonly name: string;
  readonly mode: LockMode;
}

/** The verbs of every kind, over the two things in which kinds differ: how a lease is taken, and re-entry. */
export abstract class BaseLock<L extends Lease = Lease, X = unknown> implements Lock<L, X> {
  abstract readonly parts: readonly LockPart[];

  constructor(protected readonly context: LockContext) {}

  get names(): string[] {
    return this.parts.map(({ name }) => name);
  }

  private get firstName(): string {
    return this.parts[0]?.name ?? '';
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
    options: UsingOptions & X = {} as UsingOptions & X,
  ): Promise<T> {
    const name = this.firstName;
    if (typeof work !== 'function')
      throw new LockUsageError(`The work under a lock is a function; it was ${shown(work)}.`, name);
    checkOptions(options, name, this.optionsOf('using'));
    const reentrant = truth(options.reentrant, 'reentrant', name);
    const runsWithout = mayRunWithoutStore(options.onStoreError, name);
    const minHold = options.minHold === undefined ? 0 : milliseconds(options.minHold, MIN_HOLD);
    for (let entered = this.enter(work, options, reentrant); entered;) {
      const outcome = await entered;
      if (outcome !== OVER) return outcome;
      entered = this.enter(work, options, reentrant);
    }
    let lease: L;
    try {
      lease = await this.take(options, this.context.settings.wait);
    } catch (error) {
      if (!runsWithout || !(error instanceof LockStoreError))
        throw this.explanation()?.(error as Error) ?? error;
      return work(new UnprotectedLease(this.names, error) as Lease as L);
    }
    const { clock, held } = this.context;
    const freeFrom = minHold > 0 ? clock.now() + minHold : 0;
    // The outcome of the work is never masked: a loss carries it.
    let outcome: { result: T } | { cause: unknown };
    const entries = this.entriesOf(lease);
    const inner = held.open(entries, lease);
    try {
      outcome = { result: await held.begin(inner, lease, work) };
    } catch (cause) {
      outcome = { cause };
    }
    held.close(inner, entries);
    const loss = this.lossOf(lease);
    // On the wire when we return; its answer is the line's business.
    if (freeFrom > 0 && freeFrom > clock.now()) void releaseFrom(freeFrom, lease, clock);
    else this.giveBack(lease, outcome);
    if (loss)
      throw 'cause' in outcome && sameLoss(outcome.cause, loss) ? outcome.cause : loss.withOutcome(outcome);
    if ('cause' in outcome) throw outcome.cause;
    return outcome.result;
  }

  /** Takes a lease without regard to what the running call holds, or throws a LockError, as `explained` has it. */
  abstract take(options: AcquireOptions & X, wait: number | undefined, explained?: Explanation): Promise<L>;

  /** Runs `work` inside what the running call holds already; undefined when a lease has to be taken. */
  protected abstract enter<T>(
    work: (lease: L) => T | PromiseLike<T>,
    options: UsingOptions & X,
    reentrant: boolean,
  ): Promise<T | typeof OVER> | undefined;

  protected enterHeld<T>(
    all: readonly Held[],
    lease: L,
    work: (lease: L) => T | PromiseLike<T>,
    options: UsingOptions,
  ): Promise<T | typeof OVER> {
    const { held, settings, clock } = this.context;
    return held.enter(all, lease, work, { wait: settings.waitOf(options), signal: options.signal, clock });
  }

  /** The names of the options that a verb of this kind takes. */
  protected optionsOf(verb: 'acquire' | 'using'): ReadonlySet<string> {
    return verb === 'using' ? USING_OPTIONS : ACQUIRE_OPTIONS;
  }

  /** What the running call holds under `lease`. */
  abstract entriesOf(lease: L): Entry[];

  protected giveBack(lease: L, _outcome: { result: unknown } | { cause: unknown }): void {
    void lease.release();
  }

  protected lossOf(lease: Lease): LockLostError | undefined {
    try {
      lease.assertHeld();
      return undefined;
    } catch (error) {
      // Released by the work itself, in time: that is no loss.
      return error instanceof LockLostError && error.reason !== 'released' ? error : undefined;
    }
  }

  private asked(options: AcquireOptions & X, wait: number | undefined): Promise<L> {
    return orRejected(() => {
      this.refuseToWaitForItself();
      checkOptions(options, this.firstName, this.optionsOf('acquire'));
      return this.take(options, wait, this.explanation());
    });
  }

  /** A timeout while the running call holds another lock is likely two calls that wait for each other. */
  private explanation(): Explanation | undefined {
    const { held } = this.context;
    const here = held.current(); // the one who refuses runs elsewhere
    if (!here) return undefined;
    return (error) => {
      if (!(error instanceof LockBusyError) || error.reason !== 'timeout') return error;
      const holding = held.namesFrom(here);
      return holding.length > 0 ? error.whileHolding(holding) : error;
    };
  }

  /** `acquire` never re-enters: on a name that the running call holds alone it would wait for itself. */
  private refuseToWaitForItself(): void {
    for (const { name, mode } of this.parts) {
      const held = this.context.held.current(name);
      if (held?.mode === 'write' || (held?.mode === 'read' && mode === 'write'))
        throw new LockUsageError(
          `The running call holds '${name}' already and would wait for itself. ` +
            'Use `using` to enter it again, or `current()` for its lease.',
          name,
        );
    }
  }
}

/** Gives a lease back, and has the store keep its units until then (minimum hold). */
async function releaseFrom(time: number, lease: Lease, clock: Clock): Promise<void> {
  const left = (): number => Math.max(0, Math.ceil(time - clock.now()));
  // The store keeps nothing for longer than the lease lasts.
  if (lease.remaining < left()) await lease.renew(Math.max(100, left())).catch(() => undefined);
  await (lease.release as (terms: ReleaseTerms) => Promise<unknown>).call(lease, { keep: left(), done: 0 });
}

/** The work itself reported the loss: it is not its own cause. */
function sameLoss(cause: unknown, loss: LockLostError): boolean {
  return cause instanceof LockLostError && cause.lockName === loss.lockName && cause.fence === loss.fence;
}

function mayRunWithoutStore(value: unknown, name: string): boolean {
  if (value === undefined || value === 'throw') return false;
  if (value === 'run') return true;
  throw new LockUsageError(`The option onStoreError takes 'throw' or 'run'; it was ${shown(value)}.`, name);
}
