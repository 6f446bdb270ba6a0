import { LockError } from './lock-error.js';

/** Why the lock was not granted: `held` with wait 0, `timeout` after `wait`, `aborted` by the
 * caller's signal, `closed` at shutdown, `full` when `maxWaiters` callers stand in line. */
export type LockBusyReason = 'held' | 'timeout' | 'aborted' | 'closed' | 'full';

/** Who held the lock when it was refused, as far as the store told. */
export interface LockHolder {
  readonly host: string;
  readonly pid: number;
  readonly label?: string;
}

/**
 * The lock was not granted; nothing is held and nothing is left in the queue.
 *
 * @publicApi
 */
export class LockBusyError extends LockError {
  readonly code = 'LOCK_BUSY';
  readonly reason: LockBusyReason;
  /** How long this call waited, in milliseconds. */
  readonly waited: number;
  readonly holder?: LockHolder;
  /** In how many milliseconds the present lease ends unless it is renewed; undefined when unknown. */
  readonly retryAfter?: number;
  /**
   * In how many milliseconds a new try is likely to find the lock free: the median time for which this process held
   * locks lately, of the same label when there is one. Undefined before its first release, and when it does not matter.
   */
  readonly retryIn?: number;

  constructor(
    message: string,
    lockName: string,
    details: {
      reason: LockBusyReason;
      waited: number;
      holder?: LockHolder | undefined;
      retryAfter?: number | undefined;
      retryIn?: number | undefined;
      cause?: unknown;
    },
  ) {
    super(message, lockName, 'cause' in details ? { cause: details.cause } : undefined);
    this.reason = details.reason;
    this.waited = details.waited;
    if (details.holder) this.holder = details.holder;
    if (details.retryAfter !== undefined) this.retryAfter = details.retryAfter;
    if (details.retryIn !== undefined) this.retryIn = details.retryIn;
  }

  /** The same, for a call that waited for several locks one after another, `waited` ms in all. */
  amongOthers(waited: number): LockBusyError {
    const { reason, holder, retryAfter, retryIn, cause, lockName = '' } = this;
    return new LockBusyError(
      `${this.message} It was waited for together with others, ${waited} ms in all.`,
      lockName,
      { reason: reason === 'held' ? 'timeout' : reason, waited, holder, retryAfter, retryIn, cause },
    );
  }

  /** The same, with more about its cause. */
  explained(more: string): LockBusyError {
    const { reason, waited, holder, retryAfter, retryIn, cause, lockName = '' } = this;
    const details = { reason, waited, holder, retryAfter, retryIn, cause };
    return new LockBusyError(`${this.message} ${more}`, lockName, details);
  }

  /** The same, with the remedy for calls that hold one lock and wait for another. */
  whileHolding(names: readonly string[]): LockBusyError {
    const held = `'${names.join("', '")}'`;
    return this.explained(
      `The running call holds ${held} meanwhile: if others take them in another order, they wait ` +
        `for each other. Take them together: allOf([${held}, '${this.lockName}']).`,
    );
  }
}
