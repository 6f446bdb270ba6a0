import { LockError } from './lock-error.js';

/**
 * The store failed, refused, or did not answer in time, so the outcome is unknown.
 * The work does not run on it (fail closed) unless `onStoreError: 'run'` says so.
 *
 * @publicApi
 */
export class LockStoreError extends LockError {
  readonly code = 'LOCK_STORE';
}
