import { ConfigurableModuleBuilder, type DynamicModule, Logger, Module, type Provider } from '@nestjs/common';
import { APP_FILTER, HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { createLockService } from '../locks/create-lock-service.js';
import { LockService } from '../locks/lock-service.js';
import {
  type DistributedLockAsyncOptions,
  type DistributedLockExtras,
  type DistributedLockOptions,
  checkModuleOptions,
} from './distributed-lock-options.js';
import { LockExceptionFilter, NoFilter } from './lock-exception-filter.js';
import { attachProfiles } from './locked-options.js';
import { LockRegistration, LockShutdown, LockShutdownModule } from './lock-shutdown.js';
import { LockedInstances } from './locked-instances.js';
import { copiesOfLockService, getLocksToken } from './locks-token.js';
import { warnOfTwins } from './twin-registrations.js';

const OPTIONS = Symbol('the options of DistributedLockModule');
const EXTRAS: DistributedLockExtras = { isGlobal: true, name: undefined };

const { ConfigurableModuleClass } = new ConfigurableModuleBuilder<DistributedLockOptions>({
  optionsInjectionToken: OPTIONS,
})
  .setClassMethodName('forRoot')
  .setFactoryMethodName('createLockOptions')
  .setExtras(EXTRAS, (definition, { isGlobal, name }) => ({
    ...definition,
    global: isGlobal ?? true,
    imports: [...(definition.imports ?? []), LockShutdownModule],
    providers: [...(definition.providers ?? []), ...providersOf(name)],
    exports: [getLocksToken(name), ...otherTokensOf(name)],
  }))
  .build();

/**
 * Gives an application its locks: `LockService`, `@Locked`, `LockInterceptor`, and the filter that answers
 * lock errors over HTTP. The start fails loudly when the store does not answer within 5 s (see `startup`).
 * At a shutdown locks go last: leaders step down first, and grants go on until all other hooks of the application
 * have ended. Then whoever still works or waits has `shutdownGrace` to end; after it everything is released, and
 * the connections are closed. The module must be loaded when the application starts: Nest calls no hooks of lazily
 * loaded modules.
 *
 * @publicApi
 */
@Module({})
export class DistributedLockModule extends ConfigurableModuleClass {
  /** One registration; without `redis` its locks serialise this process only, and a warning says so. */
  static override forRoot(options: DistributedLockOptions & DistributedLockExtras = {}): DynamicModule {
    const { name: _, isGlobal: __, ...checked } = options;
    checkModuleOptions(checked);
    return super.forRoot(options);
  }

  /** One registration whose options are made by a factory or a class of the application. */
  static override forRootAsync(options: DistributedLockAsyncOptions): DynamicModule {
    return super.forRootAsync(options);
  }
}

function providersOf(name: string | undefined): Provider[] {
  const token = getLocksToken(name);
  return [
    {
      provide: token,
      inject: [OPTIONS, ModulesContainer],
      useFactory: (options: DistributedLockOptions, modules: ModulesContainer) => {
        const locks = openLocks(options);
        new LockedInstances(modules, name).connect(locks); // before any factory that is injected with it is called
        return locks;
      },
    },
    ...otherTokensOf(name).map((other) => ({ provide: other, useExisting: token })),
    {
      provide: LockRegistration,
      inject: [token, OPTIONS, ModulesContainer, LockShutdown],
      useFactory: (
        locks: LockService,
        { profiles = {} }: DistributedLockOptions,
        modules: ModulesContainer,
        shutdown: LockShutdown,
      ) => {
        attachProfiles(locks, profiles); // also to a service that took the place of ours, as in tests
        const instances = new LockedInstances(modules, name);
        instances.connect(locks); // of a service that took the place of ours; not in a hook: those of others may come before
        warnOfTwins(modules, DistributedLockModule, name);
        return new LockRegistration(locks, instances, shutdown);
      },
    },
    {
      provide: APP_FILTER,
      inject: [OPTIONS, HttpAdapterHost],
      useFactory: ({ filter = true }: DistributedLockOptions, host: HttpAdapterHost) =>
        filter === false ? new NoFilter() : new LockExceptionFilter(host, filter === true ? {} : filter),
    },
  ];
}

/** What classes that another copy of this package decorated ask for, by the class of that copy. */
function otherTokensOf(name: string | undefined): (typeof LockService)[] {
  return name === undefined ? copiesOfLockService().filter((other) => other !== LockService) : [];
}

function openLocks(given: DistributedLockOptions): LockService {
  checkModuleOptions(given); // those of a factory are known only now
  const { profiles = {}, filter: _, ...options } = given;
  const locks = createLockService({ ...options, log: new Logger('DistributedLock') });
  attachProfiles(locks, profiles); // before anybody is injected with it
  return locks;
}
