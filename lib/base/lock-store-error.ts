import { LockError } from './lock-error.js';

/**
 * The store failed, refused, or did not answer in time, so the outcome is unknown.
 * The work does not run on it (fail closed) unless `onStoreError: 'run'` says so.
 *
 * @publicApi
 */
export class LockStoreError extends LockError {
  readonly code = 'LOCK_STORE';
  /**
   * Whether the store refused with a definite word (no permission, out of memory, a foreign value), so that
   * nothing was changed and trying again is in vain; otherwise it may be there again in a moment.
   */
  readonly refused: boolean;

  /** Whether the key of the lock holds a value of somebody else, so that nothing of ours is there. */
  readonly foreign: boolean;

  constructor(
    message: string,
    lockName?: string,
    options: ErrorOptions & { refused?: boolean; foreign?: boolean } = {},
  ) {
    super(message, lockName, 'cause' in options ? { cause: options.cause } : undefined);
    this.refused = options.refused ?? false;
    this.foreign = options.foreign ?? false;
  }

  /** The same failure, for a call that went on trying for `waited` ms: its commands have shorter times of their own. */
  afterWaiting(waited: number, lockName: string): LockStoreError {
    return this.saying(`${this.message} The call for '${lockName}' gave up after ${waited} ms.`, lockName);
  }

  /** The same failure, of a command for the lock `lockName`. */
  about(lockName: string, message = this.message): LockStoreError {
    // Nobody can look for a foreign value without its name.
    const named = message.replace('The key of this lock', `The key of the lock '${lockName}'`);
    return this.saying(this.foreign ? named : message, lockName);
  }

  private saying(message: string, lockName: string | undefined): LockStoreError {
    const { refused, foreign, cause } = this;
    const definite = { refused, foreign };
    return new LockStoreError(message, lockName, cause === undefined ? definite : { ...definite, cause });
  }
}
