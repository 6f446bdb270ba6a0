import { Inject } from '@nestjs/common';
import { sharedLocksToken } from './locks-token.js';

/**
 * Injects the LockService of a named registration: `@InjectLocks('payments') locks: LockService`.
 * Without a name it is the default registration's, which its type alone injects as well.
 *
 * @publicApi
 */
export function InjectLocks(name?: string): ParameterDecorator & PropertyDecorator {
  return Inject(sharedLocksToken(name));
}
