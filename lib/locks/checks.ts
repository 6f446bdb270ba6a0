import { shown } from '../base/duration.js';
import { LockUsageError } from '../base/errors.js';

/** @throws LockUsageError for work that is no function */
export function checkWork(work: unknown, name: string): void {
  if (typeof work !== 'function')
    throw new LockUsageError(`The work under a lock must be a function; it was ${shown(work)}.`, name);
}

/** Checks that the options of a call are an object with known names. @throws LockUsageError */
export function checkOptions(options: unknown, name: string, known: ReadonlySet<string>): void {
  if (typeof options === 'object' && options !== null && !Array.isArray(options))
    return refuseUnknown(options, known, name);
  throw new LockUsageError(
    `The options must be an object, such as { wait: '5s' }; they were ${shown(options)}.`,
    name,
  );
}

/**
 * Refuses options that do not exist: a mistyped name would silently have no effect. An option that is undefined counts as
 * not given.
 *
 * @throws LockUsageError that names the options there are
 */
export function refuseUnknown(options: object, known: ReadonlySet<string>, name?: string): void {
  // for…in instead of Object.keys, since every call for a lock comes through here.
  for (const option in options)
    if (!known.has(option) && (options as Record<string, unknown>)[option] !== undefined)
      throw new LockUsageError(
        `There is no option ${shown(option)} here; the ${known.size === 1 ? 'only option is' : 'options are'} ${[...known].join(', ')}.`,
        name,
      );
}

/** Checks a whole number from 1 to `most`. @throws LockUsageError that names the option, the range and the value */
export function wholeNumber(value: unknown, option: string, most: number, name: string): number {
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= most) return value as number;
  throw new LockUsageError(
    `The option ${option} takes a whole number from 1 to ${most}; it was ${shown(value)}.`,
    name,
  );
}

/** The value of a boolean option, true unless given. @throws LockUsageError */
export function truth(value: unknown, option: string, name: string): boolean {
  if (value === undefined || typeof value === 'boolean') return value ?? true;
  throw new LockUsageError(`The option ${option} takes true or false; it was ${shown(value)}.`, name);
}

/** The option signal. @throws LockUsageError */
export function abortSignal(signal: unknown, name: string): AbortSignal | undefined {
  if (signal === undefined || signal instanceof AbortSignal) return signal;
  throw new LockUsageError(`The option signal takes an AbortSignal; it was ${shown(signal)}.`, name);
}

/** Turns an exception into a rejection, since every other failure of an asynchronous call is one. */
export function orRejected<T>(call: () => Promise<T>): Promise<T> {
  try {
    return call();
  } catch (error) {
    return new Promise(() => {
      throw error; // as it is, whatever was thrown
    });
  }
}
