/** A caller who stands in line, what its errors say, and how the callers of a line are searched. */
import type { Chain } from '../base/chain.js';
import type { Clock } from '../base/clock.js';
import { Link } from '../base/chain.js';
import {
  type DeadlockMember,
  LockBusyError,
  type LockBusyReason,
  type LockError,
  LockStoreError,
  LockUsageError,
} from '../base/errors.js';
import { WHOLE } from '../store/lock-machine.js';
import { commandTimeout } from '../store/server-clock.js';
import type { LineLease } from './line-lease.js';
import { publishBusy } from './lock-channels.js';
import { exclusive, holderOf, identityOf, sameUnits, type Request, type Terms } from './request.js';
import { Wait, type Waiter, type Waiting } from './wait.js';

// A caller who asks once waits for a sample of the server's clock and for the answer, and no longer.
const ASKING = 2;
// Timers are some milliseconds late in any process that has something to do.
const LATE = 25;

/** Who has the lock, as `host:pid label`, and for how many more milliseconds unless it is renewed; '' for unknown. */
export interface InTheWay {
  readonly identity: string;
  readonly left: number | undefined;
  /** Since when, in local milliseconds, if it is a lease that this process took with `acquire`. */
  readonly acquiredAt?: number | undefined;
}

/** Makes of a grant what its caller gets. */
export interface LeaseMaker<L> {
  leaseOn(lease: LineLease): L;
}

/** The line that a caller stands in. */
export interface CallerOwner {
  /** The time of a caller is over, or its signal has aborted. */
  leave(caller: Caller, reason: 'timeout' | 'aborted'): void;
}

/** One caller of this process who stands in line. Thousands may stand in one line, so it has no closures. */
export class Caller extends Link<Caller> implements Waiter {
  readonly since: number;
  /** Which of those who hold something it is, in the order in which that was told. Declared only: few callers do. */
  declare turn?: number;
  /** Who waits for whom, if it was found to be part of a deadlock. Declared only. */
  declare deadlock?: readonly DeadlockMember[] | undefined;
  private until: Wait | undefined;
  private line: CallerOwner | undefined;

  constructor(
    readonly request: Request,
    private readonly clock: Clock,
    private readonly maker: LeaseMaker<unknown>,
    /** Takes what the maker made. */
    private readonly resolve: (made: never) => void,
    private readonly reject: (error: LockError) => void,
  ) {
    super();
    this.since = clock.now();
  }

  get waited(): number {
    return this.clock.now() - this.since;
  }

  waitLeftAt(now: number): number {
    return Math.max(0, this.request.wait - (now - this.since));
  }

  /** Watches the time and the signal of the caller, and tells the line. */
  stand(waiting: Waiting, line: CallerOwner): void {
    const { wait, signal, terms, unattended } = this.request;
    const timeout = wait > 0 ? wait : ASKING * commandTimeout(terms.ttl);
    this.line = line;
    this.until = new Wait(waiting, this.since + timeout, signal, !unattended, this);
  }

  gaveUp(reason: 'timeout' | 'aborted'): void {
    this.line?.leave(this, reason);
  }

  serve(lease: LineLease): void {
    this.until?.end();
    this.resolve(this.maker.leaseOn(lease) as never);
  }

  fail(error: LockError): void {
    this.until?.end();
    const { wait, name } = this.request;
    const tried = error instanceof LockStoreError && !error.refused && wait > 0;
    this.reject(tried ? error.afterWaiting(Math.round(this.waited), name) : error);
  }

  /**
   * Sends the caller away with a LockBusyError that says who is in the way. After `retryIn` milliseconds a new attempt
   * makes sense.
   */
  refuse(why: LockBusyReason, inTheWay?: InTheWay, retryIn?: number): void {
    const { name, signal, wait, hurried } = this.request;
    const deadlock = why === 'timeout' || why === 'deadlock' ? this.deadlock : undefined;
    const reason = why === 'held' && hurried === true ? 'closed' : why;
    // Fake timers may have advanced by the wait in no time.
    const waited = Math.round(reason === 'timeout' ? Math.max(this.waited, wait) : this.waited);
    const { text, advice } = this.wordsFor(inTheWay);
    // When the process itself is busy, that is the place to look for the cause.
    const late = waited - wait;
    const lateness =
      late >= LATE
        ? ` The event loop of this process was ${Math.round(late)} ms late, which is part of that time.`
        : '';
    const cycle = deadlock ? ` ${deadlockText(deadlock)}` : '';
    const what = {
      held: `The lock '${name}' is busy.${text}`,
      timeout: `The lock '${name}' was not granted within ${waited} ms.${lateness}${text} ${advice}${cycle}`,
      deadlock: `The wait for the lock '${name}' was given up after ${waited} ms, so that others can go on.${cycle}`,
      aborted: `Waiting for the lock '${name}' was aborted after ${waited} ms.`,
      closed: `The lock '${name}' was not granted: this process is shutting down.`,
      full: `The lock '${name}' has as many waiting callers as maxWaiters allows: ${this.request.maxWaiters}.`,
    }[reason];
    const error = new LockBusyError(what, name, {
      reason,
      waited,
      holder: holderOf(inTheWay?.identity ?? ''),
      retryAfter: inTheWay?.left,
      retryIn,
      deadlock,
      ...(reason === 'aborted' ? { cause: signal?.reason as unknown } : {}),
    });
    publishBusy(this.request, error);
    this.fail(error);
  }

  /** Who holds the lock and for how long, and what to do about it. */
  private wordsFor({ identity, left, acquiredAt }: InTheWay = { identity: '', left: undefined }): {
    text: string;
    advice: string;
  } {
    const free =
      left === undefined
        ? ''
        : ` and will be free in at most ${Math.ceil(left)} ms unless the holder renews it`;
    if (acquiredAt === undefined)
      return {
        text: identity === '' ? '' : ` It is held by ${identity}${free}.`,
        advice: 'Raise wait, or hold the lock for less time.',
      };
    const since = Math.round(this.clock.now() - acquiredAt);
    return {
      text: ` It is held by a lease that this process (${identity}) took with acquire() ${since} ms ago${free}.`,
      advice:
        'If this call was made under that lease, it waits for itself: enter the lease with lease.using(work), or ' +
        'pass { within: lease }. If not, raise wait, or release the lease sooner.',
    };
  }

  /** Sends the caller away: the name is in use as a lock of another capacity. */
  refuseKind(inUse: number): void {
    const { name, terms } = this.request;
    this.fail(otherKind(name, inUse, terms.capacity));
  }
}

/** The error of a call for a name that is in use as a lock of another capacity. */
export function otherKind(name: string, inUse: number, wanted: number): LockUsageError {
  return new LockUsageError(
    `The name '${name}' is in use as ${kindOf(inUse)}; it cannot be ${kindOf(wanted)} at the same time. ` +
      'Use another name, or wait until it is idle.',
    name,
  );
}

/** Who waits for whom, as a sentence. */
export function deadlockText(members: readonly DeadlockMember[]): string {
  const each = members.map(({ name, fence, holder, waitsFor }) => {
    const who = holder ? identityOf(holder) : 'somebody';
    return `${who} holds '${name}' (fence ${fence}) and waits for '${waitsFor}'`;
  });
  return `There is a deadlock: ${each.join('; ')}.`;
}

/** The first caller who wants `wanted`; with `onlyOnce`, the first of them who asks once. */
export function firstFor(callers: Chain<Caller>, wanted: Terms, onlyOnce = false): Caller | undefined {
  for (let caller = callers.first; caller; caller = caller.after)
    if (sameUnits(caller.request.terms, wanted) && (!onlyOnce || caller.request.wait === 0)) return caller;
  return undefined;
}

/** Who may have an exclusive hold next without the store: the first caller in line, if it wants the same terms. */
export function successorOf({ first }: Chain<Caller>, held: Terms): Caller | undefined {
  return first && exclusive(held) && sameUnits(first.request.terms, held) ? first : undefined;
}

/** The longest time for which any caller still waits for `wanted`, in milliseconds; the first that is found to be `enough`. */
export function waitLeftFor(callers: Chain<Caller>, wanted: Terms, now: number, enough: number): number {
  let most = 0;
  for (let caller = callers.first; caller; caller = caller.after) {
    if (sameUnits(caller.request.terms, wanted)) most = Math.max(most, caller.waitLeftAt(now));
    if (most >= enough) break;
  }
  return most;
}

function kindOf(capacity: number): string {
  return capacity === WHOLE ? 'a mutex or read-write lock' : `a semaphore of ${capacity} permits`;
}
