import type { DynamicModule } from '@nestjs/common';
import {
  DistributedLockModule,
  type DistributedLockExtras,
  type DistributedLockOptions,
  getLocksToken,
  type LockProfile,
} from '../index.js';
import { locksInMemory } from './locks-in-memory.js';

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
