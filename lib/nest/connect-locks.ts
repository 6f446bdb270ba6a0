import { LockUsageError } from '../base/errors.js';
import type { LockService } from '../locks/lock-service.js';
import { fillSlot, slotsOf } from './lock-slot.js';

/**
 * Makes the `@Locked` methods of an instance that Nest did not make (`new Service()`, a request-scoped
 * factory) use `locks`, for every registration they name. Returns the instance.
 *
 * @throws LockUsageError when the class of the instance has no `@Locked` method
 * @publicApi
 */
export function connectLocks<T extends object>(instance: T, locks: LockService): T {
  const slots = slotsOf(instance);
  if (slots.length === 0)
    throw new LockUsageError(
      `${instance.constructor?.name ?? 'The object'} has no @Locked method, so there is nothing to connect; ` +
        'pass an instance of a class with @Locked methods.',
    );
  for (const slot of slots) fillSlot(instance, slot, locks);
  return instance;
}
