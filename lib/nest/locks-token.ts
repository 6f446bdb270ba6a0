import { LockUsageError } from '../base/lock-usage-error.js';
import { shown } from '../base/duration.js';
import { LockService } from '../locks/lock-service.js';

/**
 * The injection token of a registration's LockService: the class itself for the default registration, and
 * a token of its own for `forRoot({ name })`.
 *
 * @throws LockUsageError for an empty name
 * @publicApi
 */
export function getLocksToken(name?: string): typeof LockService | string {
  if (name === undefined) return LockService;
  if (typeof name !== 'string' || name === '')
    throw new LockUsageError(`The name of a registration is a non-empty string; it was ${shown(name)}.`);
  return `LockService(${name})`;
}
