import {
  type Type,
  ConfigurableModuleBuilder,
  type DynamicModule,
  Module,
  type Provider,
  type ConfigurableModuleAsyncOptions,
} from '@nestjs/common';
import { ModulesContainer, APP_FILTER, HttpAdapterHost } from '@nestjs/core';
import { createLockService } from '../locks/create-lock-service.js';
import { LockService } from '../locks/lock-service.js';
import { checkFilters, noteFilter } from './filter-settings.js';
import { bindToGateways } from './gateway-filters.js';
import { hideFromGraphql } from './graphql-exception.js';
import { LockErrorAnswers } from './lock-error-answers.js';
import { LockExceptionFilter, NoFilter } from './lock-exception-filter.js';
import { LockRegistration, LockShutdown, LockShutdownModule } from './lock-shutdown.js';
import { LockedInstances } from './locked-instances.js';
import { checkFeature, FEATURE, LockFeatureModule, type LockFeatureOptions } from './lock-feature.js';
import { attachProfiles, type FeatureProfiles, featureProfiles } from './lock-profiles.js';
import type { LockProfile } from './locked-options.js';
import { copiesOfLockService, getLocksToken, registrationCalled, tokensFor } from './locks-token.js';
import { shown } from '../base/duration.js';
import { LockUsageError } from '../base/errors.js';
import type { LockServiceOptions } from '../locks/lock-options.js';
import { type LockLog, warn } from '../locks/lock-log.js';
import { namesFor } from '../locks/option-table.js';
import type { HttpMappingOptions } from './http-exception.js';
import { logFor, logOf } from './nest-log.js';

/**
 * What `DistributedLockModule.forRoot` takes in addition to `name` and `isGlobal`. Each option may be left out or be
 * undefined.
 *
 * @publicApi
 */
export interface DistributedLockOptions extends LockServiceOptions {
  /**
   * Named sets of options for `@Locked(key, { profile })`; a missing profile fails the start. A module may add its own with
   * `forFeature`.
   * @default none
   */
  readonly profiles?: Readonly<Record<string, LockProfile>> | undefined;
  /**
   * Whether lock errors that leave a handler are answered: over HTTP with 423 (busy) or 503 (closed, store, lost), and on
   * the other transports in their way; an object chooses the status for busy. `false` leaves the errors to the
   * application's own filters, see `toHttpException` and `lockErrorBody`. All registrations of an application share one
   * filter, so the start fails unless all have the same setting.
   * @default true
   */
  readonly filter?: boolean | HttpMappingOptions | undefined;
  /**
   * Where the locks of this registration report what an operator should know, the lock errors that leave a handler among
   * it: a logger of Nest, or whatever has `warn`; with `write` it is given each line with its fields. The JSON logger of
   * Nest 12, nestjs-pino and nest-winston show the fields without any of this.
   * @default the application's logger, with the context DistributedLock
   */
  readonly logger?: LockLog | undefined;
}

/**
 * What `forRoot` and `forRootAsync` take in addition to the options that a factory may return.
 *
 * @publicApi
 */
export interface DistributedLockExtras {
  /** Whether every module may inject the locks without importing this one. @default true */
  isGlobal?: boolean | undefined;
  /** The name of this registration, when there are several: see `InjectLocks`. @default the default registration */
  name?: string | undefined;
}

/**
 * What a class given as `useClass` or `useExisting` to `forRootAsync` implements.
 *
 * @publicApi
 */
export interface DistributedLockOptionsFactory {
  createLockOptions(): DistributedLockOptions | Promise<DistributedLockOptions>;
}

/**
 * What `DistributedLockModule.forRootAsync` takes: `useFactory` (with `inject`), `useClass` or `useExisting`.
 *
 * @publicApi
 */
export type DistributedLockAsyncOptions = ConfigurableModuleAsyncOptions<
  DistributedLockOptions,
  'createLockOptions'
> &
  DistributedLockExtras;

const OPTIONS = Symbol('the options of DistributedLockModule');
const EXTRAS: DistributedLockExtras = { name: undefined, isGlobal: true };
const KNOWN: ReadonlySet<string> = new Set([...namesFor('registration'), 'profiles', 'filter', 'logger']);

/**
 * Checks that the options of a registration exist. Their values are checked where they are used.
 *
 * @throws LockUsageError that names the unknown option and lists the known ones
 */
export function checkModuleOptions(options: unknown): void {
  if (typeof options !== 'object' || options === null)
    throw new LockUsageError(
      `The options of DistributedLockModule must be an object; they were ${shown(options)}.`,
    );
  const unknown = Object.keys(options).find((option) => !KNOWN.has(option));
  if (unknown === undefined) return;
  throw new LockUsageError(
    Object.hasOwn(EXTRAS, unknown)
      ? `A factory cannot choose the option '${unknown}'; write it beside the factory: forRootAsync({ ${unknown}: …, useFactory }).`
      : `DistributedLockModule has no option '${unknown}'; its options are ${[...KNOWN, ...Object.keys(EXTRAS)].join(', ')}.`,
  );
}

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
    exports: [getLocksToken(name), LockErrorAnswers, ...otherTokensOf(name)],
  }))
  .build();

/**
 * Gives an application its locks: `LockService`, `@Locked`, `LockInterceptor`, and the filter that answers
 * lock errors on every transport. The start fails loudly when the store does not answer within 5 s (see `startup`).
 * At a shutdown locks are closed last: leaders step down first, and grants go on until all other hooks of the application
 * have ended. Then whoever still works or waits has `shutdownGrace` to finish. After that everything is released, and the
 * connections are closed. The module must be loaded when the application starts: Nest calls no hooks of lazily
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

  /**
   * Adds profiles to a registration, in the module whose methods use them. They belong to the whole registration, so a
   * name that is given twice with different options fails the start, and so does a registration that does not exist.
   */
  static forFeature(options: LockFeatureOptions): DynamicModule {
    checkFeature(options);
    return { module: LockFeatureModule, providers: [{ provide: FEATURE, useValue: options }] };
  }
}

function providersOf(name: string | undefined): Provider[] {
  const token = getLocksToken(name);
  return [
    {
      provide: token,
      inject: [OPTIONS, ModulesContainer],
      useFactory: (options: DistributedLockOptions, modules: ModulesContainer) => {
        const locks = openLocks(options, featureProfiles(modules, name));
        new LockedInstances(modules, name).connect(locks); // before any factory that needs it is called
        return locks;
      },
    },
    ...otherTokensOf(name).map((other) => ({ provide: other, useExisting: token })),
    {
      provide: LockRegistration,
      inject: [token, OPTIONS, ModulesContainer, LockShutdown, LockErrorAnswers],
      useFactory: (
        locks: LockService,
        { profiles = {}, filter }: DistributedLockOptions,
        modules: ModulesContainer,
        shutdown: LockShutdown,
        answers: LockErrorAnswers,
      ) => {
        attachProfiles(locks, profiles, featureProfiles(modules, name)); // also to a service that replaced ours, as in tests
        const instances = new LockedInstances(modules, name);
        instances.connect(locks); // for a service that replaced ours; not in a hook, since other hooks may come before it
        warnOfTwins(modules, DistributedLockModule, name, logOf(locks));
        noteFilter(modules, name, filter);
        return new LockRegistration(locks, instances, shutdown, () => {
          checkFilters(modules); // all registrations have been made by now
          hideFromGraphql(modules, answers);
        });
      },
    },
    {
      provide: LockErrorAnswers,
      inject: [OPTIONS],
      useFactory: ({ filter = true, logger }: DistributedLockOptions) =>
        new LockErrorAnswers(typeof filter === 'object' ? filter : {}, logFor(logger)),
    },
    {
      provide: APP_FILTER,
      inject: [OPTIONS, HttpAdapterHost, LockErrorAnswers, ModulesContainer],
      useFactory: (
        { filter: wanted = true }: DistributedLockOptions,
        adapters: HttpAdapterHost,
        answers: LockErrorAnswers,
        modules: ModulesContainer,
      ) => {
        if (wanted === false) return new NoFilter();
        const filter = new LockExceptionFilter(adapters, answers);
        bindToGateways(modules, filter);
        return filter;
      },
    },
  ];
}

/** The LockService classes of other copies of this package: classes that those copies decorated ask for them. */
function otherTokensOf(name: string | undefined): (typeof LockService)[] {
  return name === undefined ? copiesOfLockService().filter((other) => other !== LockService) : [];
}

function openLocks(given: DistributedLockOptions, features: FeatureProfiles): LockService {
  checkModuleOptions(given); // the options of a factory are known only now
  const { profiles = {}, filter: _, logger, ...options } = given;
  const locks = createLockService({ ...options, log: logFor(logger) });
  attachProfiles(locks, profiles, features); // before it is injected anywhere
  return locks;
}

type ModuleOfNest = ModulesContainer extends Map<string, infer M> ? M : never;

// Keyed by an object of the application, so the entry goes when the application goes.
const warned = new WeakMap<ModulesContainer, Set<string>>();

/**
 * Warns once for each name if an application has several registrations of it: each has its own connections and its own
 * line, and neither knows what calls hold through the other.
 */
function warnOfTwins(modules: ModulesContainer, module: Type, name: string | undefined, log: LockLog): void {
  const tokens = tokensFor(name);
  const twins = [...modules.values()].filter(
    ({ metatype, providers }) =>
      // Another copy of this package has another class of that name.
      (metatype === module || metatype.name === module.name) && tokens.some((token) => providers.has(token)),
  );
  const known = warned.get(modules) ?? new Set();
  if (twins.length < 2 || known.has(name ?? '')) return;
  warned.set(modules, known.add(name ?? ''));
  const message =
    `This application has ${twins.length} LockServices for ${registrationCalled(name)}, imported by ${importersOf(modules, twins)}. Each has ` +
    'its own connections and its own line of callers, and decorated methods use the one of the module they are in. ' +
    'Call DistributedLockModule.forRoot() once, and import what it returned (it is global unless isGlobal is ' +
    'false); or give one of them a name: forRoot({ name }).';
  warn(log, 'registrations', message, { count: twins.length });
}

function importersOf(modules: ModulesContainer, twins: readonly ModuleOfNest[]): string {
  const importers = twins.map((twin) => {
    const found = [...modules.values()].find((each) => importedOnPurpose(each).includes(twin));
    return found?.metatype.name ?? 'a module that is loaded later';
  });
  return importers.join(' and ');
}

/** What a module imports itself. Nest adds the global modules after that, its own core module first. */
function importedOnPurpose({ imports }: ModuleOfNest): ModuleOfNest[] {
  const all = [...imports];
  const core = all.findIndex(({ metatype }) => metatype.name === 'InternalCoreModule');
  return core < 0 ? all : all.slice(0, core);
}
