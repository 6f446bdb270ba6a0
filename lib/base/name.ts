import { shown } from './duration.js';
import { LockUsageError } from './errors.js';

const LONGEST_NAME = 512;
const NEVER_A_SEGMENT = /(?:^|:)(undefined|null|NaN|\[object Object\])(?:$|:)/;
/** Words that a template literal makes of a missing value, but that may also be real values, such as the surname Null. */
const ALSO_WORDS: ReadonlySet<string> = new Set(['undefined', 'null', 'NaN']);
/** Half of a surrogate pair. With the flag u, one that belongs to a pair is part of its character and does not match. */
export const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * Checks a lock name: it has 1 to 512 bytes, no segment between colons that comes from a missing value (`undefined`,
 * `null`, `NaN`, `[object Object]`), and no half of a surrogate pair.
 *
 * @throws LockUsageError
 */
export function checkName(name: unknown): string {
  if (typeof name !== 'string')
    throw new LockUsageError(
      `A lock name must be a string of 1 to ${LONGEST_NAME} bytes; it was ${shown(name)}.`,
    );
  const bytes = Buffer.byteLength(name);
  if (bytes < 1 || bytes > LONGEST_NAME)
    throw new LockUsageError(
      `A lock name must have 1 to ${LONGEST_NAME} bytes; ${shown(name)} has ${bytes}.`,
      name.slice(0, LONGEST_NAME),
    );
  // UTF-8 has no lone surrogates: all of them become U+FFFD, so different names would be one key in Redis.
  if (bytes !== name.length && LONE_SURROGATE.test(name))
    throw new LockUsageError(
      `The lock name ${shown(name)} has half of a surrogate pair (a character that was cut in two), which cannot be ` +
        'stored: different names would become the same lock. Cut texts by code points, or hash them.',
      name,
    );
  const trace = NEVER_A_SEGMENT.exec(name)?.[1];
  if (trace !== undefined)
    throw new LockUsageError(
      `The lock name '${name}' has the segment '${trace}', which comes from a missing value: all callers without ` +
        'that value would share this lock. Check the values that the key is made of. If you mean the word itself, ' +
        'build the name with lockName(…), which escapes it.',
      name,
    );
  return name;
}

/**
 * Joins parts into a lock name: `lockName('order', 7, 'pay')` is `order:7:pay`. Escapes `:` and `%` in the
 * parts, so `('x:y', 'z')` and `('x', 'y:z')` are different names; the strings `'null'`, `'undefined'` and `'NaN'`
 * are parts like any other (`('user', 'null')` is `user:%6Eull`). Different parts never give the same name, except
 * that a number is the same part as its text.
 *
 * @throws LockUsageError for the values null, undefined and NaN, for objects and for empty strings
 * @publicApi
 */
export function lockName(...parts: readonly (string | number | bigint | boolean)[]): string {
  if (parts.length === 0) throw new LockUsageError('lockName takes at least one part; it was given none.');
  return checkName(parts.map(partOf).join(':'));
}

function partOf(part: unknown, index: number): string {
  const segment = segmentOf(part);
  if (segment !== undefined) return segment;
  throw new LockUsageError(
    `lockName takes non-empty strings, numbers, bigints and booleans; part ${index + 1} was ${shown(part)}.`,
  );
}

/** A value as a segment of a name, escaped; undefined for what cannot be one. */
export function segmentOf(part: unknown): string | undefined {
  const usable =
    typeof part === 'string' ||
    typeof part === 'bigint' ||
    typeof part === 'boolean' ||
    (typeof part === 'number' && !Number.isNaN(part));
  if (!usable || part === '') return undefined;
  const text = String(part).replace(/[%:]/g, (mark) => (mark === '%' ? '%25' : '%3A'));
  // In lockName such a word is meant. Escaped, it is not taken for a missing value, and no other part gives the same text.
  return ALSO_WORDS.has(text) ? `%${text.charCodeAt(0).toString(16).toUpperCase()}${text.slice(1)}` : text;
}
