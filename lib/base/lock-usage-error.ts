import { LockError } from './lock-error.js';

/**
 * The caller asked for something that can never work: a value out of range, an impossible key,
 * a lock that would wait for itself. The message names the option, the range and the value.
 *
 * @publicApi
 */
export class LockUsageError extends LockError {
  readonly code = 'LOCK_USAGE';
}
