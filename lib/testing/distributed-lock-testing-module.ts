import type { DynamicModule } from '@nestjs/common';
import {
  DistributedLockModule,
  type DistributedLockExtras,
  type DistributedLockOptions,
  getLocksToken,
  type LockProfile,
  withLocks as connect,
  createLockService,
  type LockService,
  type LockServiceOptions,
} from '../index.js';

/**
 * What `DistributedLockTestingModule.forRoot` takes: the options of `DistributedLockModule`, except where the
 * locks live.
 *
 * @publicApi
 */
export type DistributedLockTestingOptions = Omit<DistributedLockOptions, 'redis' | 'startup' | 'durability'> &
  DistributedLockExtras;

/**
 * Replaces `DistributedLockModule` in tests: real locks in memory, without Redis and without the warning about that.
 * Every profile that is not given here exists and is empty.
 *
 * @publicApi
 */
export class DistributedLockTestingModule {
  static forRoot(options: DistributedLockTestingOptions = {}): DynamicModule {
    const { name, isGlobal: _, filter: __, profiles, ...service } = options;
    // Its LockService is replaced below; the options are passed so that they are checked.
    const module = DistributedLockModule.forRoot({ ...options, profiles: anyProfile(profiles) });
    const locks = { provide: getLocksToken(name), useFactory: () => locksInMemory(service) };
    return { ...module, providers: [...(module.providers ?? []), locks] };
  }
}

// Profiles tune a deployment; a test that does not give them needs none of their settings.
function anyProfile(
  given: Readonly<Record<string, LockProfile>> = {},
): Readonly<Record<string, LockProfile>> {
  return new Proxy(given, {
    getOwnPropertyDescriptor: (target, name) =>
      Reflect.getOwnPropertyDescriptor(target, name) ?? { value: {}, configurable: true },
    get: (target, name) => (Reflect.get(target, name) as LockProfile | undefined) ?? {},
  });
}

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
