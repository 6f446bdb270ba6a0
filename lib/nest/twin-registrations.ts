import { Logger, type Type } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import { copiesOfLockService, getLocksToken } from './locks-token.js';

type ModuleOfNest = ModulesContainer extends Map<string, infer M> ? M : never;

// By an application's own object, so it goes when the application goes.
const warned = new WeakMap<ModulesContainer, Set<string>>();

/**
 * Warns once for each name if an application has several registrations of it: each has its own connections and its own
 * line, and one of them does not know what calls hold by way of the other.
 */
export function warnOfTwins(modules: ModulesContainer, module: Type, name: string | undefined): void {
  const tokens: readonly unknown[] = name === undefined ? copiesOfLockService() : [getLocksToken(name)];
  const twins = [...modules.values()].filter(
    ({ metatype, providers }) =>
      // Another copy of this package has another class of that name.
      (metatype === module || metatype.name === module.name) &&
      tokens.some((token) => providers.has(token as Type)),
  );
  const known = warned.get(modules) ?? new Set();
  if (twins.length < 2 || known.has(name ?? '')) return;
  warned.set(modules, known.add(name ?? ''));
  const which = name === undefined ? 'the default registration' : `the registration '${name}'`;
  new Logger('DistributedLock').warn(
    `This application has ${twins.length} LockServices for ${which}, imported by ${importersOf(modules, twins)}. Each has ` +
      'its own connections and its own line of callers, and decorated methods use the one of the module they are in. ' +
      'Call DistributedLockModule.forRoot() once, and import what it returned (it is global unless isGlobal is ' +
      'false); or give one of them a name: forRoot({ name }).',
  );
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
