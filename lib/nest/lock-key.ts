import type { Observable } from 'rxjs';
import { shown } from '../base/duration.js';
import { LockUsageError } from '../base/errors.js';
import { checkName } from '../base/name.js';

/**
 * One name, or several that are locked together, all or none.
 *
 * @publicApi
 */
export type LockNames = string | readonly string[];

/**
 * What `@Locked` locks: names, or a function of the method's arguments that returns them.
 *
 * @publicApi
 */
export type LockKey = LockNames | ((...args: never[]) => LockNames);

/**
 * Where `@Locked` gets the signal of a call from: a function of the method's arguments, like the key.
 *
 * @publicApi
 */
export type LockSignal = (...args: never[]) => AbortSignal | undefined;

/** What a method that can be locked returns. */
type Lockable = PromiseLike<unknown> | AsyncGenerator<unknown, unknown, unknown>;

/**
 * What a method must be like to be locked by a key `K` with a signal `S`. The type tests the *functions*, not their
 * parameters, so that they may take fewer or wider parameters than the method.
 */
export type Accepts<K, S, M> = M extends (...args: infer A) => Lockable
  ? Fits<K, A> extends true
    ? Fits<S, A> extends true
      ? unknown
      : { 'the signal function does not fit the parameters of the method': A }
    : { 'the key function does not fit the parameters of the method': A }
  : { 'a locked method returns a promise or an async generator': never };

type Fits<F, A extends readonly unknown[]> = F extends (...args: never[]) => unknown
  ? F extends (...args: A) => unknown
    ? true
    : false
  : true;

/**
 * The same as a constraint on the parameters. TypeScript can decide it even when their types come from a generic class,
 * where it leaves a conditional type undecided.
 */
export type ParametersFor<F> = F extends (...args: infer P) => unknown
  ? P extends never[]
    ? readonly unknown[]
    : number extends P['length']
      ? P
      : readonly [...P, ...unknown[]]
  : readonly unknown[];

/**
 * A decorator that only compiles on methods that return a promise or an async generator, and that the key `K`
 * and the signal `S` fit. It is a `MethodDecorator` as well, for `applyDecorators` and for factories that are
 * declared to return one; those do not check the parameters. (TypeScript compares a type of two signatures to
 * MethodDecorator without their type parameters. That is what lets it be composed.)
 *
 * @publicApi
 */
export interface LockedDecorator<K, S = undefined> {
  <A extends ParametersFor<K> & ParametersFor<S>, R extends Lockable>(
    target: object,
    property: string | symbol,
    descriptor: { readonly value?: (...args: A) => R },
  ): void;
  <M>(
    target: object,
    property: string | symbol,
    descriptor: TypedPropertyDescriptor<M> & Accepts<K, S, M>,
  ): void;
}

/** What a method that `@LockedStream` stands on must be like; see {@link Accepts}. */
type AcceptsStream<K, S, M> = M extends (...args: infer A) => Observable<unknown>
  ? Fits<K, A> extends true
    ? Fits<S, A> extends true
      ? unknown
      : { 'the signal function does not fit the parameters of the method': A }
    : { 'the key function does not fit the parameters of the method': A }
  : {
      '@LockedStream stands on methods that return an Observable; for promises and async generators there is @Locked': never;
    };

/**
 * A decorator that only compiles on methods that return an Observable, and that the key `K` and the signal `S` fit. It is a
 * `MethodDecorator` as well.
 *
 * @publicApi
 */
export interface LockedStreamDecorator<K, S = undefined> {
  <A extends ParametersFor<K> & ParametersFor<S>, R extends Observable<unknown>>(
    target: object,
    property: string | symbol,
    descriptor: { readonly value?: (...args: A) => R },
  ): void;
  <M>(
    target: object,
    property: string | symbol,
    descriptor: TypedPropertyDescriptor<M> & AcceptsStream<K, S, M>,
  ): void;
}

/**
 * Checks what a user locks.
 *
 * @throws LockUsageError for no names, and for names that cannot be locked
 */
export function checkNames(names: unknown, where: string): LockNames {
  if (!Array.isArray(names)) return checkName(names);
  if (names.length === 0)
    throw new LockUsageError(
      `${where} was given an empty array of names: it would lock nothing. Give at least one name.`,
    );
  return names.map(checkName);
}

/** Turns a key into the function that returns the names of a call; constant names are checked here, once. */
export function namesOf<A extends readonly unknown[]>(
  key: LockNames | ((...args: never[]) => LockNames),
  where: string,
): (self: unknown, args: A) => LockNames {
  if (typeof key === 'function')
    return (self, args) => checkNames(Reflect.apply(key, self, args) as unknown, where);
  if (typeof key !== 'string' && !Array.isArray(key))
    throw new LockUsageError(
      `${where} takes a name, an array of names, or a function that returns them; it was ${shown(key)}.`,
    );
  const names = checkNames(key, where);
  return () => names;
}
