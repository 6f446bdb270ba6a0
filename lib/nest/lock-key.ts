import { shown } from '../base/duration.js';
import { LockUsageError } from '../base/lock-usage-error.js';
import { checkName } from '../base/name.js';

/** One name, or several that are locked together, all or none. */
export type LockNames = string | readonly string[];

/** What `@Locked` locks: names, or a function of the method's arguments that tells them. */
export type LockKey = LockNames | ((...args: never[]) => LockNames);

/**
 * What a method must be, to be locked by a key `K`. It is the key *function* that is tested, not its
 * parameters, so a key may take fewer or wider parameters than the method.
 */
export type Accepts<K, M> = M extends (
  ...args: infer A
) => Promise<unknown> | AsyncGenerator<unknown, unknown, unknown>
  ? K extends (...args: never[]) => unknown
    ? K extends (...args: A) => unknown
      ? unknown
      : { 'the key function does not fit the parameters of the method': A }
    : unknown
  : { 'a locked method returns a promise or an async generator': never };

/** A decorator that only compiles on methods that the key fits. */
export type LockedDecorator<K> = <M>(
  target: object,
  property: string | symbol,
  descriptor: TypedPropertyDescriptor<M> & Accepts<K, M>,
) => void;

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

/** Turns a key into the function that tells the names of a call; constant names are checked here, once. */
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
