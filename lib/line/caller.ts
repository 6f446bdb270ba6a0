import type { Clock } from '../base/clock.js';
import { Link } from '../base/chain.js';
import {
  LockBusyError,
  type LockBusyReason,
  type LockError,
  LockStoreError,
  LockUsageError,
} from '../base/errors.js';
import { WHOLE } from '../store/lock-state.js';
import type { InTheWay } from './holds.js';
import type { Surroundings } from './surroundings.js';
import type { Tenure } from './tenure.js';
import { commandTimeout, type Terms } from './terms.js';
import { Watch } from './watch.js';

// Who asks once stays for a sample of the server's clock and the question itself, and no longer.
const ASKING = 2;
// Timers are some milliseconds late in any process that has something to do.
const LATE = 25;

/** What one caller asks of the line. Spans are milliseconds. */
export interface Request {
  readonly name: string;
  readonly terms: Terms;
  readonly wait: number;
  readonly renews: boolean;
  readonly maxHold: number;
  /** How many may stand in line before this one is refused. */
  readonly maxWaiters: number;
  readonly signal: AbortSignal | undefined;
  /** Whether it is for a piece of work that the library runs, or for a lease that the caller keeps. @default 'acquire' */
  readonly by?: 'acquire' | 'using' | undefined;
  /** Nobody awaits it: the process need not stay alive for it. @default false */
  readonly unattended?: boolean | undefined;
  /** Whether it stops waiting when the servers of a process that shuts down are about to close. */
  readonly leavesAtShutdown?: boolean;
  /** Whether it came when they were, and so does not wait. */
  readonly hurried?: boolean;
}

/** One caller of this process who stands in line. */
export class Caller extends Link<Caller> {
  readonly since: number;
  private watch: Watch | undefined;

  constructor(
    readonly request: Request,
    private readonly clock: Clock,
    private readonly resolve: (tenure: Tenure) => void,
    private readonly reject: (error: LockError) => void,
  ) {
    super();
    this.since = clock.now();
  }

  get waited(): number {
    return this.clock.now() - this.since;
  }

  get waitLeft(): number {
    return Math.max(0, this.request.wait - this.waited);
  }

  /** Watches its time and its signal, while the question is on its way; `leave` is called when either is over. */
  stand(around: Surroundings, leave: (reason: 'timeout' | 'aborted') => void): void {
    const { wait, signal, terms, unattended } = this.request;
    const patience = wait > 0 ? wait : ASKING * commandTimeout(terms.ttl);
    this.watch = new Watch(around, this.since + patience, signal, !unattended, leave);
  }

  serve(tenure: Tenure): void {
    this.watch?.end();
    this.resolve(tenure);
  }

  fail(error: LockError): void {
    this.watch?.end();
    const { wait, name } = this.request;
    const tried = error instanceof LockStoreError && !error.refused && wait > 0;
    this.reject(tried ? error.afterWaiting(Math.round(this.waited), name) : error);
  }

  /**
   * Sends the caller away with a LockBusyError that says who is in the way; `retryIn` is after how many milliseconds a
   * new try makes sense.
   */
  refuse(why: LockBusyReason, inTheWay?: InTheWay, retryIn?: number): void {
    const { name, signal, wait, hurried } = this.request;
    const reason = why === 'held' && hurried === true ? 'closed' : why;
    // Fake timers may have passed the wait in no time.
    const waited = Math.round(reason === 'timeout' ? Math.max(this.waited, wait) : this.waited);
    const { text, advice } = this.wordsFor(inTheWay);
    // A caller who finds the lock busy for long because its own process is busy has to look for that there.
    const late = waited - wait;
    const lateness =
      late >= LATE
        ? ` The event loop of this process was ${Math.round(late)} ms late, which is a part of it.`
        : '';
    const what = {
      held: `The lock '${name}' is busy.${text}`,
      timeout: `The lock '${name}' was not granted within ${waited} ms.${lateness}${text} ${advice}`,
      aborted: `Waiting for the lock '${name}' was aborted after ${waited} ms.`,
      closed: `The lock '${name}' was not granted: this process is shutting down.`,
      full: `The lock '${name}' has as many waiting callers as maxWaiters allows: ${this.request.maxWaiters}.`,
    }[reason];
    this.fail(
      new LockBusyError(what, name, {
        reason,
        waited,
        holder: holderOf(inTheWay?.who ?? ''),
        retryAfter: inTheWay?.left,
        retryIn,
        ...(reason === 'aborted' ? { cause: signal?.reason as unknown } : {}),
      }),
    );
  }

  /** Who holds the lock and for how long, and what to do about it. */
  private wordsFor({ who, left, acquiredAt }: InTheWay = { who: '', left: undefined }): {
    text: string;
    advice: string;
  } {
    const free =
      left === undefined ? '' : `, free in at most ${Math.ceil(left)} ms more unless its holder renews it`;
    if (acquiredAt === undefined)
      return {
        text: who === '' ? '' : ` It is held by ${who}${free}.`,
        advice: 'Raise wait, or hold it for less time.',
      };
    const since = Math.round(this.clock.now() - acquiredAt);
    return {
      text: ` It is held by a lease that this process (${who}) took by acquire() ${since} ms ago${free}.`,
      advice:
        'If this call was made under that lease, it waits for itself: enter the lease with lease.using(work), or ' +
        'pass { within: lease }. If not, raise wait, or release the lease sooner.',
    };
  }

  /** Sends the caller away: the name is in use as a lock of another capacity. */
  refuseKind(inUse: number): void {
    const { name, terms } = this.request;
    this.fail(
      new LockUsageError(
        `The name '${name}' is in use as ${kindOf(inUse)}; it cannot be ${kindOf(terms.capacity)} at the same time. ` +
          'Use another name, or wait until it is idle.',
        name,
      ),
    );
  }
}

/** The parts of `host:pid label`. */
export function holderOf(who: string): { host: string; pid: number; label?: string } | undefined {
  const [, host, pid, label] = /^(.*?):(\d+)(?: ([^]*))?$/.exec(who) ?? [];
  if (host === undefined) return undefined;
  return { host, pid: Number(pid), ...(label ? { label } : {}) };
}

function kindOf(capacity: number): string {
  return capacity === WHOLE ? 'a mutex or read-write lock' : `a semaphore of ${capacity} permits`;
}
