import { deepStrictEqual, fail } from 'node:assert/strict';
import { LockError, type LockErrorCode } from '../../base/errors.js';

/** Compares two values in depth. A property that is undefined counts as one that is missing. */
export function equals(actual: unknown, expected: unknown): void {
  deepStrictEqual(plain(actual), plain(expected));
}

/** Like `equals`, but objects may have more properties than are expected of them. */
export function matches(actual: unknown, expected: unknown): void {
  deepStrictEqual(plain(likened(actual, expected)), plain(expected));
}

/** Fails unless the promise rejects with a lock error of this code. */
export async function rejectsWith(promise: Promise<unknown>, code: LockErrorCode): Promise<LockError> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    if (LockError.is(error) && error.code === code) return error;
    throw error;
  }
  return fail(`Expected a rejection with ${code}, but it resolved with ${JSON.stringify(value)}`);
}

/** The value without properties that are undefined, without classes, and of one realm: test runners have several. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return Array.from(value, plain);
  if (typeof value !== 'object' || value === null) return value;
  const known = Object.entries(value).filter(([, each]) => each !== undefined);
  return Object.fromEntries(known.map(([key, each]) => [key, plain(each)]));
}

/** The part of a value that is expected of it. */
function likened(actual: unknown, expected: unknown): unknown {
  if (typeof actual !== 'object' || typeof expected !== 'object' || actual === null || expected === null)
    return actual;
  if (Array.isArray(expected))
    return Array.isArray(actual)
      ? Array.from(actual, (each, index) => likened(each, expected[index]))
      : actual;
  const known = Object.keys(expected).map((key): [string, unknown] => [
    key,
    likened((actual as Record<string, unknown>)[key], (expected as Record<string, unknown>)[key]),
  ]);
  return Object.fromEntries(known);
}
