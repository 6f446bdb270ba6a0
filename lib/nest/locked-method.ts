import { LockUsageError } from '../base/lock-usage-error.js';
import type { LockedOptions } from './locked-options.js';

export type Method = (this: unknown, ...args: unknown[]) => unknown;

// What belongs to a function itself; a generator's prototype cannot be moved.
const ITS_OWN: ReadonlySet<string | symbol> = new Set(['prototype', 'arguments', 'caller']);
const LOCKED = Symbol.for('nestjs-distributed-lock:locked');

/** The method that a decorator stands on; refuses every other place, with the remedy. */
export function methodOf(target: object, property: unknown, descriptor: unknown, where: string): Method {
  if (typeof property === 'object')
    throw new LockUsageError(
      '@Locked is a decorator of experimentalDecorators, as NestJS uses them; enable that in tsconfig.json.',
    );
  if (typeof target === 'function')
    throw new LockUsageError(
      `${where} stands on a static method, which has no instance and so no LockService. ` +
        'Make it a method of a provider, or call locks.using() in it.',
    );
  const found = (descriptor ?? {}) as PropertyDescriptor;
  if (typeof found.value === 'function') return found.value as Method;
  throw new LockUsageError(
    found.get || found.set
      ? `${where} stands on an accessor. A lock takes time, so make it a method that returns a promise.`
      : `${where} stands on a property. Write it as a method: async name() { … }.`,
  );
}

/** Goes by the tag, not by identity: functions of another realm are recognised too. */
export function isAsyncGeneratorFunction(method: Method): boolean {
  return Object.prototype.toString.call(method) === '[object AsyncGeneratorFunction]';
}

/** Whether it is called by HTTP requests: what `@Get`, `@Post` and the like write on it says so. */
export function isHttpRoute(method: Method): boolean {
  return Reflect.hasOwnMetadata('path', method) && Reflect.hasOwnMetadata('method', method);
}

/**
 * Makes the replacement look like the method: kind, name, length, properties, and all the metadata that
 * decorators below have written. Decorators above write on the replacement.
 */
export function takePlaceOf(method: Method, replacement: Method, options: LockedOptions): void {
  Object.setPrototypeOf(replacement, Object.getPrototypeOf(method) as object);
  for (const key of Reflect.ownKeys(method))
    if (!ITS_OWN.has(key))
      Object.defineProperty(replacement, key, Reflect.getOwnPropertyDescriptor(method, key)!);
  for (const key of Reflect.getOwnMetadataKeys(method))
    Reflect.defineMetadata(key, Reflect.getOwnMetadata(key, method), replacement);
  Reflect.defineMetadata(LOCKED, [options, ...lockedOptionsOf(method)], replacement);
}

/** The options of the `@Locked` decorators of a method, the outermost first. */
export function lockedOptionsOf(method: object): readonly LockedOptions[] {
  return (Reflect.getOwnMetadata(LOCKED, method) as LockedOptions[] | undefined) ?? [];
}
