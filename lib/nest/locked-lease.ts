import { LockUsageError } from '../base/errors.js';
import type { Lease } from '../locks/lease.js';
import { placeOf } from './locked-method.js';

/** What a parameter with `@LockedLease()` must be like. */
type TakesLease<T, P, I extends number> = P extends keyof T
  ? T[P] extends (...args: infer A) => unknown
    ? Lease extends A[I]
      ? unknown
      : { 'a parameter with @LockedLease() must take a Lease': A[I] }
    : unknown
  : P extends undefined
    ? { '@LockedLease() stands on parameters of methods': never }
    : unknown; // private

/**
 * A decorator that only compiles on parameters that take a Lease.
 *
 * @publicApi
 */
export type LeaseParameterDecorator = <
  T extends object,
  P extends string | symbol | undefined,
  I extends number,
>(
  target: T,
  property: P,
  index: I & TakesLease<T, P, I>,
) => void;

interface LeaseParameter {
  readonly property: string | symbol;
  readonly index: number;
  /** Whether a decorator of the method fills it. */
  filled: boolean;
}

const PARAMETERS = Symbol.for('nestjs-distributed-lock:lease-parameters');

/**
 * Gives a parameter of a `@Locked` or `@LockedStream` method the lease of this very call, whatever runs in its async
 * context: `async pay(id: string, @LockedLease() lease?: Lease)`. It replaces what the caller passed there, and needs no
 * parameter decorator of Nest beside it. Of two locks on one method it is the inner one's lease.
 *
 * @throws LockUsageError on anything but one parameter of a method, and, when the application starts, on a method that
 * neither decorator locks
 * @publicApi
 */
export function LockedLease(): LeaseParameterDecorator {
  return (target, property, index) => {
    const where = `@LockedLease on ${placeOf(target, property)}`;
    if (property === undefined || typeof target === 'function' || typeof index !== 'number')
      throw new LockUsageError(`${where} does not stand on a parameter of a method.`);
    const known = parametersOf(target);
    if (known.some((each) => each.property === property))
      throw new LockUsageError(`${where} stands on two parameters. One is enough.`);
    Reflect.defineMetadata(PARAMETERS, [...known, { property, index, filled: false }], target);
  };
}

/** The parameter of a method that gets the lease, from now on known to be filled. */
export function leaseParameterOf(target: object, property: string | symbol): number | undefined {
  const found = parametersOf(target).find((each) => each.property === property);
  if (found) found.filled = true;
  return found?.index;
}

/** @throws LockUsageError when a class has a lease parameter that nobody fills */
export function checkLeaseParameters(prototype: object): void {
  for (const { property, filled } of parametersOf(prototype)) {
    if (filled) continue;
    throw new LockUsageError(
      `@LockedLease on ${placeOf(prototype, property)} would never get a lease: the method has neither @Locked nor ` +
        '@LockedStream. Put one of them on it; under a LockInterceptor use locks.current().',
    );
  }
}

function parametersOf(target: object): readonly LeaseParameter[] {
  return (Reflect.getOwnMetadata(PARAMETERS, target) as LeaseParameter[] | undefined) ?? [];
}
