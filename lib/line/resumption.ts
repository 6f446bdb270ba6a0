/** How somebody of this process goes on with a hold that another process has handed over. */
import { LockBusyError, LockStoreError } from '../base/errors.js';
import type { LockNotice } from '../store/lock-operation.js';
import { newAttemptId } from '../store/session-id.js';
import { leaseDeadline } from '../store/server-clock.js';
import { Hold, type HoldOwner } from './hold.js';
import type { LineSetup } from './line-setup.js';
import type { Request } from './request.js';
import { TakeOver, type TakenOver } from './take-over.js';
import { Wait } from './wait.js';

/** The answer that grants. */
type Granted = Extract<TakenOver, { outcome: 'granted' }>;

/** What the store says about a hold that cannot be taken over any more. */
export type NotTakenOver = Exclude<TakenOver, { outcome: 'granted' }>;

/** One call that resumes a hold: asks the store for it under a new id. */
export class Resumption {
  readonly id: string;
  private readonly takeOver: TakeOver;
  readonly since: number;
  private readonly early = new Map<LockNotice['kind'], LockNotice>();
  private leave: (reason: 'aborted' | 'closed') => void = nothing;

  constructor(
    private readonly setup: LineSetup,
    private readonly request: Request,
    /** The id under which it was handed over. */
    from: string,
  ) {
    this.id = newAttemptId(setup.store.session);
    this.since = setup.clock.now();
    const { name, terms } = request;
    this.takeOver = new TakeOver(setup, name, terms, this.id, { id: from, used: 0 });
  }

  /** A notice may overtake the answer, since that comes over another connection. It is then for the hold. */
  notice(notice: LockNotice): void {
    this.early.set(notice.kind, notice);
  }

  /** The process shuts down. */
  close(): void {
    this.leave('closed');
  }

  /**
   * Asks the store, unless the signal aborts or the process shuts down. Rejects with LockBusyError for these, and with
   * LockStoreError when the store refused, or has not answered in time.
   */
  answer(): Promise<TakenOver> {
    const { setup, request, takeOver, since } = this;
    const { name, signal, wait } = request;
    return new Promise((resolve, reject) => {
      const until = new Wait(setup.waiting, Infinity, signal, true, { gaveUp: () => this.leave('aborted') });
      const end = (): void => {
        this.leave = nothing;
        until.end();
      };
      this.leave = (reason) => {
        end();
        reject(this.abandon(reason));
      };
      takeOver.ask(since + wait).then(
        (answer) => {
          end();
          resolve(answer);
        },
        (error: LockStoreError) => {
          end();
          takeOver.giveUp();
          const tried = !error.refused && wait > 0;
          reject(tried ? error.afterWaiting(Math.round(setup.clock.now() - since), name) : error);
        },
      );
    });
  }

  /** Gives back what the store may have given it; the error that says so. */
  abandon(reason: 'aborted' | 'closed'): LockBusyError {
    this.takeOver.giveUp();
    const { name, signal } = this.request;
    const waited = Math.round(this.setup.clock.now() - this.since);
    const why =
      reason === 'aborted' ? `the call was aborted after ${waited} ms` : 'this process is shutting down';
    const cause = reason === 'aborted' ? { cause: signal?.reason as unknown } : {};
    return new LockBusyError(`The lock '${name}' was not resumed: ${why}.`, name, {
      reason,
      waited,
      ...cause,
    });
  }

  /** The hold of an answer. @throws LockStoreError when the answer came too late; then it was given back */
  holdOf(answer: Granted, owner: HoldOwner): Hold {
    const { name, terms } = this.request;
    const deadline = leaseDeadline(answer.sentAt, terms.ttl);
    if (deadline > this.setup.clock.now())
      return new Hold(this.setup, { id: this.id, name, doubt: 0 }, terms, answer, deadline, false, owner);
    this.takeOver.giveUp();
    throw new LockStoreError(`The store's answer about '${name}' came after the lease was over.`, name);
  }

  /** Tells the hold what was heard before its answer came. */
  passOnTo(hold: Hold): void {
    for (const notice of this.early.values()) hold.notice(notice);
  }
}

function nothing(): void {
  // Nobody waits.
}
