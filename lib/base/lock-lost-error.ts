import { LockError } from './lock-error.js';

/** Why the lease ended: `expired` its deadline passed unrenewed, `taken` the store no longer knows it,
 * `revoked` by an operator, `max-hold` its longest allowed time, `closed` released by shutdown, `released` given back by its holder. */
export type LockLostReason = 'expired' | 'taken' | 'revoked' | 'max-hold' | 'closed' | 'released';

/**
 * The lease can no longer be proven: someone else may hold the lock.
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
