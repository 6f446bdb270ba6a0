import {
  withLocks as connect,
  createLockService,
  type LockService,
  type LockServiceOptions,
} from '../index.js';

/**
 * In-memory locks for tests, without the warning that they serialise this process only. Nobody waits for a holder of
 * another process that died, so `wait` is 10 s unless given, a round number for fake timers to advance by.
 */
export function locksInMemory(
  options: Omit<LockServiceOptions, 'redis' | 'startup' | 'durability'> = {},
): LockService {
  const log = { warn: () => undefined };
  return createLockService({ ...options, redis: 'memory', wait: options.wait ?? '10s', log });
}

/**
 * Makes the `@Locked` methods of an instance that was made with `new` work, on `locks` or on in-memory locks of its own.
 * Returns the instance: `const stock = withLocks(new StockService())`.
 *
 * @throws LockUsageError when the class of the instance has no `@Locked` method
 * @publicApi
 */
export function withLocks<T extends object>(instance: T, locks: LockService = locksInMemory()): T {
  return connect(instance, locks);
}
