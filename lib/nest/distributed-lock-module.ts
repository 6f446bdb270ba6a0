import { ConfigurableModuleBuilder, type DynamicModule, Logger, Module, type Provider } from '@nestjs/common';
import { APP_FILTER, HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { createLockService } from '../locks/create-lock-service.js';
import { LockService } from '../locks/lock-service.js';
import type {
  DistributedLockAsyncOptions,
  DistributedLockExtras,
  DistributedLockOptions,
} from './distributed-lock-options.js';
import { LockExceptionFilter } from './lock-exception-filter.js';
import { attachProfiles } from './lock-profiles.js';
import { LockRegistration } from './lock-registration.js';
import { LockShutdown } from './lock-shutdown.js';
import { LockShutdownModule } from './lock-shutdown-module.js';
import { LockedInstances } from './locked-instances.js';
import { getLocksToken } from './locks-token.js';
import { NoFilter } from './no-filter.js';

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
    exports: [getLocksToken(name)],
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
    { provide: token, inject: [OPTIONS], useFactory: openLocks },
    {
      provide: LockRegistration,
      inject: [token, OPTIONS, ModulesContainer, LockShutdown],
      useFactory: (
        locks: LockService,
        { profiles = {} }: DistributedLockOptions,
        modules: ModulesContainer,
        shutdown: LockShutdown,
      ) => {
        attachProfiles(locks, profiles);
        return new LockRegistration(locks, new LockedInstances(modules, name), shutdown);
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

function openLocks({ profiles = {}, filter: _, ...options }: DistributedLockOptions): LockService {
  const locks = createLockService({ ...options, log: new Logger('DistributedLock') });
  attachProfiles(locks, profiles); // before anybody is injected with it
  return locks;
}
