import { connectLocks, type LockService } from '../index.js';
import { locksInMemory } from './locks-in-memory.js';

/**
 * Makes the `@Locked` methods of an instance made with `new` work, on `locks` or on locks in memory of their
 * own; returns the instance: `const stock = withLocks(new StockService())`.
 *
 * @throws LockUsageError when the class of the instance has no `@Locked` method
 * @publicApi
 */
export function withLocks<T extends object>(instance: T, locks: LockService = locksInMemory()): T {
  return connectLocks(instance, locks);
}
