import { shown } from '../base/duration.js';
import { LockUsageError } from '../base/errors.js';

/** Checks a whole number from 1 to `most`. @throws LockUsageError that names the option, the range and the value */
export function wholeNumber(value: unknown, option: string, most: number, name: string): void {
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= most) return;
  throw new LockUsageError(
    `The option ${option} takes a whole number from 1 to ${most}; it was ${shown(value)}.`,
    name,
  );
}
