import type { BeforeApplicationShutdown, DynamicModule } from '@nestjs/common';
import {
  DistributedLockModule,
  type DistributedLockExtras,
  type DistributedLockOptions,
  getLocksToken,
  type LockProfile,
  withLocks as connect,
  type LockService,
} from '../index.js';
import { getLockTestKitToken, LockTestKit, type LockTestKitOptions } from './lock-test-kit.js';

/**
 * What `DistributedLockTestingModule.forRoot` takes: the options of `DistributedLockModule`, except where the
 * locks live, and where they take their time from. `wait` is 10 s unless given, whatever the ttl.
 *
 * @publicApi
 */
export type DistributedLockTestingOptions = Omit<DistributedLockOptions, 'redis' | 'startup' | 'durability'> &
  DistributedLockExtras &
  Pick<LockTestKitOptions, 'clock'>;

/**
 * Replaces `DistributedLockModule` in tests: real locks in memory, without Redis and without the warning about that.
 * Every profile that is not given here exists and is empty. Beside the `LockService` there is its {@link LockTestKit}:
 * `module.get(LockTestKit)`, or `getLockTestKitToken(name)` for a registration with a name.
 *
 * @publicApi
 */
export class DistributedLockTestingModule {
  static forRoot(options: DistributedLockTestingOptions = {}): DynamicModule {
    const { clock, ...registration } = options;
    const { name, isGlobal: _, filter: __, profiles, ...service } = registration;
    // Its LockService is replaced below; the options are passed so that they are checked.
    const module = DistributedLockModule.forRoot({ ...registration, profiles: anyProfile(profiles) });
    const token = getLockTestKitToken(name);
    const providers = [
      { provide: token, useFactory: () => new LockTestKit({ ...service, clock }) },
      { provide: getLocksToken(name), inject: [token], useFactory: ({ locks }: LockTestKit) => locks },
      {
        provide: KitOfApplication,
        inject: [token],
        useFactory: (kit: LockTestKit) => new KitOfApplication(kit),
      },
    ];
    return {
      ...module,
      providers: [...(module.providers ?? []), ...providers],
      exports: [...(module.exports ?? []), token],
    };
  }
}

/** Ends what a kit does to an application before that waits for its locks, so that no shutdown waits for the kit. */
class KitOfApplication implements BeforeApplicationShutdown {
  constructor(private readonly kit: LockTestKit) {}

  beforeApplicationShutdown(): Promise<void> {
    return this.kit.letGo();
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
 * Makes the `@Locked` methods of an instance that was made with `new` work, on `locks` or on in-memory locks of its own.
 * Returns the instance: `const stock = withLocks(new StockService())`. With a kit: `withLocks(new StockService(), kit.locks)`.
 *
 * @throws LockUsageError when the class of the instance has no `@Locked` method
 * @publicApi
 */
export function withLocks<T extends object>(instance: T, locks: LockService = new LockTestKit().locks): T {
  return connect(instance, locks);
}
