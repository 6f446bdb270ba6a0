/**
 * The stable, machine-readable code of a lock error; `LockError.is` checks it.
 *
 * @publicApi
 */
export type LockErrorCode = 'LOCK_BUSY' | 'LOCK_LOST' | 'LOCK_STORE' | 'LOCK_USAGE';

/** Turns the error that occurred into the error that the caller gets. */
export type Explanation = (error: Error) => Error;

const CODES: ReadonlySet<unknown> = new Set<LockErrorCode>([
  'LOCK_BUSY',
  'LOCK_LOST',
  'LOCK_STORE',
  'LOCK_USAGE',
]);

/** Where a failure is explained. The page is in the package, so that it fits the version, and needs no host. */
function sectionOn(code: LockErrorCode, reason?: LockBusyReason | LockLostReason): string {
  const section = reason === undefined ? code : `${code}-${reason}`;
  return `nestjs-distributed-lock/docs/troubleshooting.md#${section.toLowerCase()}`;
}

/**
 * The base of every error this library throws on purpose.
 *
 * @publicApi
 */
export abstract class LockError extends Error {
  /** What kind of failure it is; the same in every copy of this package. */
  abstract readonly code: LockErrorCode;
  /**
   * The section of docs/troubleshooting.md in this package that says what the error means and what to do. It is no part of the
   * message, since messages are joined and compared; `console.log` and structured loggers show it.
   */
  abstract readonly help: string;

  constructor(
    message: string,
    /** The name of the lock; undefined when the error is not about one lock. */
    readonly lockName?: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = new.target.name;
  }

  /** Whether `error` is a LockError. It checks `code`, so it also works across two copies of this package. */
  static is(error: unknown): error is LockError {
    return error instanceof Error && CODES.has((error as Partial<LockError>).code);
  }
}

/**
 * Why the lock was not granted: `held` with wait 0, `timeout` after `wait`, `aborted` by the
 * caller's signal, `closed` at shutdown, `full` when `maxWaiters` callers stand in line, `deadlock` when the call was part
 * of a deadlock and its option `deadlock` was `fail`.
 *
 * @publicApi
 */
export type LockBusyReason = 'held' | 'timeout' | 'aborted' | 'closed' | 'full' | 'deadlock';

/**
 * One of those who wait for each other: it holds `name`, and gives it back only after it was granted `waitsFor`.
 *
 * @publicApi
 */
export interface DeadlockMember {
  readonly name: string;
  /** The fence of its lease on `name`. */
  readonly fence: number;
  readonly holder?: LockHolder;
  /** The name that the next of them holds, and the last one the name of the first. */
  readonly waitsFor: string;
}

/**
 * Who held the lock when it was refused, as far as the store knows.
 *
 * @publicApi
 */
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
   * In how many milliseconds a new attempt is likely to find the lock free: the median time for which this process lately
   * held locks, of the same label when there is one. Undefined before its first release, and when it does not matter.
   */
  readonly retryIn?: number;
  /** Who waits for whom, when the call was found to be part of a deadlock: for logs, and never for clients. */
  readonly deadlock?: readonly DeadlockMember[];
  readonly help: string;

  constructor(
    message: string,
    lockName: string,
    details: {
      reason: LockBusyReason;
      waited: number;
      holder?: LockHolder | undefined;
      retryAfter?: number | undefined;
      retryIn?: number | undefined;
      deadlock?: readonly DeadlockMember[] | undefined;
      cause?: unknown;
    },
  ) {
    super(message, lockName, 'cause' in details ? { cause: details.cause } : undefined);
    this.reason = details.reason;
    this.waited = details.waited;
    if (details.holder) this.holder = details.holder;
    if (details.retryAfter !== undefined) this.retryAfter = details.retryAfter;
    if (details.retryIn !== undefined) this.retryIn = details.retryIn;
    if (details.deadlock) this.deadlock = details.deadlock;
    this.help = sectionOn(this.code, details.reason);
  }

  /** The same error for a call that waited for several locks one after another, `waited` ms in all. */
  amongOthers(waited: number): LockBusyError {
    const reason = this.reason === 'held' ? 'timeout' : this.reason;
    return this.saying(
      `The call asked for several locks and waited for ${waited} ms in all.`,
      reason,
      waited,
    );
  }

  /** The same error, with more about its cause. */
  explained(more: string): LockBusyError {
    return this.saying(more, this.reason, this.waited);
  }

  private saying(more: string, reason: LockBusyReason, waited: number): LockBusyError {
    const { holder, retryAfter, retryIn, deadlock, cause, lockName = '' } = this;
    const details = { reason, waited, holder, retryAfter, retryIn, deadlock, cause };
    return new LockBusyError(`${this.message} ${more}`, lockName, details);
  }

  /** The same error, with advice for calls that hold one lock and wait for another. */
  whileHolding(names: readonly string[]): LockBusyError {
    const held = `'${names.join("', '")}'`;
    return this.explained(
      `The running call also holds ${held}: calls that take these locks in different orders wait for each ` +
        `other. Take them together: allOf([${held}, '${this.lockName}']).`,
    );
  }
}

/**
 * Why the lease ended: `expired` when its deadline passed before it was renewed, `taken` when the store no longer knew it,
 * `revoked` by an operator, `max-hold` after its longest allowed time, `closed` by a shutdown, `released` by its holder.
 *
 * @publicApi
 */
export type LockLostReason = 'expired' | 'taken' | 'revoked' | 'max-hold' | 'closed' | 'released';

/**
 * The lease can no longer be proven: somebody else may hold the lock.
 *
 * @publicApi
 */
export class LockLostError extends LockError {
  readonly code = 'LOCK_LOST';
  readonly reason: LockLostReason;
  /** What the operator gave as the reason of `revoke`, when `reason` is `revoked` and the text is known. */
  readonly revokeReason?: string;
  /** The fence of the lost lease; a resource that compares fences rejects its late writes. */
  readonly fence: number;
  /** How long the lease was held, in milliseconds. */
  readonly heldFor: number;
  /** Whether the work under the lock ran to its end (then `result` or `cause` is its outcome). */
  readonly completed: boolean;
  /** What the work returned, when it completed without an error. */
  readonly result?: unknown;
  readonly help: string;

  constructor(
    message: string,
    lockName: string,
    details: {
      reason: LockLostReason;
      fence: number;
      heldFor: number;
      revokeReason?: string;
      completed?: boolean;
      result?: unknown;
      cause?: unknown;
    },
  ) {
    super(message, lockName, 'cause' in details ? { cause: details.cause } : undefined);
    this.reason = details.reason;
    if (details.revokeReason !== undefined) this.revokeReason = details.revokeReason;
    this.fence = details.fence;
    this.heldFor = details.heldFor;
    this.completed = details.completed ?? false;
    if ('result' in details) this.result = details.result;
    this.help = sectionOn(this.code, details.reason);
  }

  /** The same loss with the outcome of the work attached, so that neither masks the other. */
  withOutcome(outcome: { result: unknown } | { cause: unknown }): LockLostError {
    const { reason, fence, heldFor, revokeReason } = this;
    const how = 'cause' in outcome ? 'failed (see cause)' : 'returned (see result)';
    return new LockLostError(`${this.message} The work under it ${how}.`, this.lockName ?? '', {
      reason,
      fence,
      heldFor,
      ...(revokeReason === undefined ? {} : { revokeReason }),
      completed: true,
      ...outcome,
    });
  }
}

/**
 * The store failed, refused, or did not answer in time. The work does not run then (it fails closed), unless
 * `onStoreError: 'run'` says so.
 *
 * @publicApi
 */
export class LockStoreError extends LockError {
  readonly code = 'LOCK_STORE';
  readonly help = sectionOn(this.code);
  /**
   * Whether the store refused definitely (no permission, out of memory, a foreign value), so that nothing was changed and
   * trying again at once is pointless. Otherwise the outcome is unknown, and the store may work again in a moment.
   */
  readonly refused: boolean;

  /** Whether the key of the lock holds somebody else's value, so that nothing of ours is there. */
  readonly foreign: boolean;
  /**
   * How many replicas had acknowledged a grant that was given back because `durability` asks for more. Undefined for
   * every other failure.
   */
  readonly replicas?: number;

  constructor(
    message: string,
    lockName?: string,
    options: ErrorOptions & {
      refused?: boolean;
      foreign?: boolean;
      replicas?: number | undefined;
    } = {},
  ) {
    super(message, lockName, 'cause' in options ? { cause: options.cause } : undefined);
    this.refused = options.refused ?? false;
    this.foreign = options.foreign ?? false;
    if (options.replicas !== undefined) this.replicas = options.replicas;
  }

  /** The same failure for a call that tried for `waited` ms; its commands have shorter timeouts of their own. */
  afterWaiting(waited: number, lockName: string): LockStoreError {
    return this.saying(`${this.message} The call for '${lockName}' gave up after ${waited} ms.`, lockName);
  }

  /** The same failure for a command about the lock `lockName`. */
  about(lockName: string, message = this.message): LockStoreError {
    // Without the name nobody could find the foreign value.
    const named = message.replace('The key of this lock', `The key of the lock '${lockName}'`);
    return this.saying(this.foreign ? named : message, lockName);
  }

  private saying(message: string, lockName: string | undefined): LockStoreError {
    const { refused, foreign, replicas, cause } = this;
    const known = { refused, foreign, replicas };
    return new LockStoreError(message, lockName, cause === undefined ? known : { ...known, cause });
  }
}

/**
 * The caller asked for something that can never work: a value out of range, an impossible key,
 * a lock that would wait for itself. The message names the option, the range and the value.
 *
 * @publicApi
 */
export class LockUsageError extends LockError {
  readonly code = 'LOCK_USAGE';
  readonly help = sectionOn(this.code);
}
