import { isObservable } from 'rxjs';
import { LockUsageError } from '../base/errors.js';

/** Where a decorator stands, for messages: `StockService.reserve`. */
export function placeOf(target: object, property: unknown): string {
  const owner = typeof target === 'function' ? target : (target as object | undefined)?.constructor;
  return `${owner?.name || 'a class'}.${String(property)}`;
}

/**
 * The value of a method's promise. The replacement answers a promise in any case, so a method that does not
 * would change its meaning unnoticed; and a stream would begin its work after the release.
 */
export function promised(result: unknown, where: string): PromiseLike<unknown> {
  refuseStream(result, where);
  if (typeof (result as PromiseLike<unknown> | null | undefined)?.then !== 'function')
    throw new LockUsageError(
      `${where} stands on a synchronous method: callers would get a promise where they expect a value. ` +
        'Make the method async, or call locks.using() where it is called.',
    );
  return (result as PromiseLike<unknown>).then((value) => {
    refuseStream(value, where);
    return value;
  });
}

/** A call on an instance that nobody gave a LockService: never an unlocked run. */
export function refuseStranger(self: unknown, where: string, registration?: string): never {
  const name = (self as object | null | undefined)?.constructor?.name || 'Service';
  const module = `DistributedLockModule.forRoot(${registration === undefined ? '' : `{ name: '${registration}' }`})`;
  throw new LockUsageError(
    self === undefined || self === null
      ? `${where} was called without its instance; call it on the instance, or bind it.`
      : `${where} has no LockService: no application that imports ${module} has made this ${name}. ` +
          `If it was made with new, let Nest provide it, or call connectLocks(instance, locks); in a unit test, ` +
          `withLocks(new ${name}(…)) from nestjs-distributed-lock/testing. If a factory of a module made it, it is ` +
          'used before the LockService exists: inject LockService into that factory, too. If Nest provides it, there ' +
          'are two copies of NestJS or two versions of this package: npm ls @nestjs/core nestjs-distributed-lock.',
  );
}

function refuseStream(value: unknown, where: string): void {
  if (isObservable(value))
    throw new LockUsageError(
      `${where} stands on a method that returns an Observable, whose work would begin after the release. ` +
        'Put @UseInterceptors(LockInterceptor(…)) on the handler instead, or return a promise.',
    );
  if (Object.prototype.toString.call(value) === '[object AsyncGenerator]')
    throw new LockUsageError(
      `${where} stands on a method that hands out an async generator, whose work would begin after the release. ` +
        'Declare the method itself as async *name() { yield* … }, and compile for es2018 or later.',
    );
}
