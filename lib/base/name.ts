import { shown } from './duration.js';
import { LockUsageError } from './lock-usage-error.js';

const LONGEST_NAME = 512;
const NEVER_A_SEGMENT = /(?:^|:)(undefined|null|NaN|\[object Object\])(?:$|:)/;

/**
 * Checks what a user locks: 1 to 512 bytes, and no segment between colons that is the trace of a
 * forgotten value (`undefined`, `null`, `NaN`, `[object Object]`).
 *
 * @throws LockUsageError
 */
export function checkName(name: unknown): string {
  if (typeof name !== 'string')
    throw new LockUsageError(`A lock name is a string of 1 to ${LONGEST_NAME} bytes; it was ${shown(name)}.`);
  const bytes = Buffer.byteLength(name);
  if (bytes < 1 || bytes > LONGEST_NAME)
    throw new LockUsageError(
      `A lock name is 1 to ${LONGEST_NAME} bytes long; ${shown(name)} has ${bytes}.`,
      name.slice(0, LONGEST_NAME),
    );
  const trace = NEVER_A_SEGMENT.exec(name)?.[1];
  if (trace !== undefined)
    throw new LockUsageError(
      `The lock name '${name}' has the segment '${trace}', which is the trace of a missing value: ` +
        'every caller without one would share this lock. Check what the key is made of.',
      name,
    );
  return name;
}

/**
 * Joins parts into a lock name: `lockName('order', 7, 'pay')` is `order:7:pay`. Escapes `:` and `%` in the
 * parts, so `('x:y', 'z')` and `('x', 'y:z')` are different names.
 *
 * @throws LockUsageError for null, undefined, NaN and objects.
 * @publicApi
 */
export function lockName(...parts: readonly (string | number | bigint | boolean)[]): string {
  if (parts.length === 0) throw new LockUsageError('lockName takes at least one part; it was given none.');
  return checkName(parts.map(segment).join(':'));
}

function segment(part: unknown, index: number): string {
  const usable =
    typeof part === 'string' ||
    typeof part === 'bigint' ||
    typeof part === 'boolean' ||
    (typeof part === 'number' && !Number.isNaN(part));
  if (!usable || part === '')
    throw new LockUsageError(
      `lockName takes non-empty strings, numbers, bigints and booleans; part ${index + 1} was ${shown(part)}.`,
    );
  return String(part).replace(/[%:]/g, (mark) => (mark === '%' ? '%25' : '%3A'));
}
