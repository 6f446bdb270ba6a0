import type { Clock } from '../base/clock.js';
import type { Deadline } from '../base/deadlines.js';
import { Link } from '../base/link.js';
import { LockBusyError, type LockBusyReason } from '../base/lock-busy-error.js';
import type { LockError } from '../base/lock-error.js';
import { LockUsageError } from '../base/lock-usage-error.js';
import { WHOLE } from '../store/lock-state.js';
import type { Surroundings } from './surroundings.js';
import type { Tenure } from './tenure.js';
import { commandTimeout, type Terms } from './terms.js';

// Who asks once stays for a sample of the server's clock and the question itself, and no longer.
const ASKING = 2;

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
  stand(around: Surroundings, leave: Watch['leave']): void {
    const { wait, signal, terms } = this.request;
    const patience = wait > 0 ? wait : ASKING * commandTimeout(terms.ttl);
    if (patience < Infinity || signal) this.watch = new Watch(around, signal, this.since + patience, leave);
  }

  serve(tenure: Tenure): void {
    this.watch?.end();
    this.resolve(tenure);
  }

  fail(error: LockError): void {
    this.watch?.end();
    this.reject(error);
  }

  /** Sends the caller away with a LockBusyError that says who holds the lock. */
  refuse(why: LockBusyReason, holder: string, retryAfter?: number): void {
    const { name, signal, hurried } = this.request;
    const reason = why === 'held' && hurried === true ? 'closed' : why;
    const waited = Math.round(this.waited);
    const held = holder
      ? ` It is held by ${holder}${retryAfter === undefined ? '' : ` for up to ${Math.ceil(retryAfter)} ms more`}.`
      : '';
    const what = {
      held: `The lock '${name}' is busy.${held}`,
      timeout: `The lock '${name}' was not granted within ${waited} ms.${held} Raise wait, or hold it for less time.`,
      aborted: `Waiting for the lock '${name}' was aborted after ${waited} ms.`,
      closed: `The lock '${name}' was not granted: this process is shutting down.`,
      full: `The lock '${name}' has as many waiting callers as maxWaiters allows: ${this.request.maxWaiters}.`,
    }[reason];
    this.fail(
      new LockBusyError(what, name, {
        reason,
        waited,
        holder: holderOf(holder),
        retryAfter,
        ...(reason === 'aborted' ? { cause: signal?.reason as unknown } : {}),
      }),
    );
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

/** Sees to it that a caller waits no longer than it wants to. */
class Watch extends Link<Deadline> implements Deadline {
  private readonly abort: (() => void) | undefined;

  constructor(
    private readonly around: Surroundings,
    private readonly signal: AbortSignal | undefined,
    readonly deadline: number,
    readonly leave: (reason: 'timeout' | 'aborted') => void,
  ) {
    super();
    if (deadline < Infinity) around.patience.add(this);
    if (signal) around.aborts.add(signal, (this.abort = () => leave('aborted')));
  }

  missed(): void {
    this.leave('timeout');
  }

  end(): void {
    this.around.patience.delete(this);
    if (this.signal && this.abort) this.around.aborts.delete(this.signal, this.abort);
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
