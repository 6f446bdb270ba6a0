import { createLockService, type LockService, type LockServiceOptions } from '../index.js';

/** Locks in memory, which a test means to have: without the warning that they serialise this process only. */
export function locksInMemory(options: Omit<LockServiceOptions, 'redis' | 'startup'> = {}): LockService {
  return createLockService({ ...options, redis: 'memory', log: { warn: () => undefined } });
}
