import { Inject } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { shown } from '../base/duration.js';
import { LockUsageError } from '../base/errors.js';
import { LockService } from '../locks/lock-service.js';

const COPIES = Symbol.for('nestjs-distributed-lock:copies');

/**
 * The LockService classes of all copies of this package that run on this copy of NestJS (a second version that a library
 * brings, or ESM and CommonJS together). Each class is the token that its own decorators and constructors ask for. The
 * list is kept on a class of NestJS, since the copies share that.
 */
export function copiesOfLockService(): readonly (typeof LockService)[] {
  const known = (Reflect.getOwnMetadata(COPIES, ModulesContainer) ?? []) as (typeof LockService)[];
  if (known.includes(LockService)) return known;
  const all = [...known, LockService];
  Reflect.defineMetadata(COPIES, all, ModulesContainer);
  return all;
}

/**
 * The injection token of a registration's LockService: the class itself for the default registration, and
 * a token of its own for `forRoot({ name })`.
 *
 * @throws LockUsageError for an empty name
 * @publicApi
 */
export function getLocksToken(name?: string): typeof LockService | string {
  if (name === undefined) return LockService;
  if (typeof name !== 'string' || name === '')
    throw new LockUsageError(`The name of a registration is a non-empty string; it was ${shown(name)}.`);
  return `LockService(${name})`;
}

/**
 * The token that decorators ask for. Every copy of this package provides the class of the copy that was loaded
 * first, so it does not matter which copy decorated a class, nor when that copy was loaded.
 */
export function sharedLocksToken(name?: string): typeof LockService | string {
  return name === undefined ? (copiesOfLockService()[0] ?? LockService) : getLocksToken(name);
}

/** Whether a module of an application has the LockService of a registration. */
export function isRegistered(modules: ModulesContainer, name: string | undefined): boolean {
  const tokens = tokensFor(name);
  return [...modules.values()].some(({ providers }) => tokens.some((token) => providers.has(token)));
}

/** Every token that the LockService of a registration has in a module. */
export function tokensFor(name: string | undefined): readonly (typeof LockService | string)[] {
  return name === undefined ? copiesOfLockService() : [getLocksToken(name)];
}

/** What messages call a registration. */
export function registrationCalled(name: string | undefined): string {
  return name === undefined ? 'the default registration' : `the registration '${name}'`;
}

/** The import that makes a registration, for messages. */
export function importOf(name: string | undefined): string {
  return `DistributedLockModule.forRoot(${name === undefined ? '' : `{ name: '${name}' }`})`;
}

/** @throws LockUsageError, which begins with `what`, when an application does not have a registration */
export function checkRegistered(modules: ModulesContainer, name: string | undefined, what: string): void {
  if (isRegistered(modules, name)) return;
  throw new LockUsageError(
    `${what} ${registrationCalled(name)}, which this application does not have. Import ${importOf(name)}.`,
  );
}

copiesOfLockService(); // so that a module that is registered later knows this copy

/**
 * Injects the LockService of a named registration: `@InjectLocks('payments') locks: LockService`.
 * Without a name it injects that of the default registration, for which the type `LockService` alone is enough.
 *
 * @publicApi
 */
export function InjectLocks(name?: string): ParameterDecorator & PropertyDecorator {
  return Inject(sharedLocksToken(name));
}
