import { LockUsageError } from '../base/errors.js';
import { checkName } from '../base/name.js';
import type { HandedOver } from '../line/line-lease.js';
import { WHOLE } from '../store/lock-machine.js';

/** A lease on its way to whoever resumes it. */
export interface HandedOverLease extends HandedOver {
  readonly name: string;
  /** What the key of its name begins with: other locks of the same name may stand under another beginning. */
  readonly prefix: string;
}

const VERSION = 1;
// A name of 512 bytes has 4 096 characters here when JSON escapes each of them, and beginnings of keys have no limit.
const LONGEST = 16_384;
const ID = /^[\w-]{22}\.[\w-]{12}$/;
const MOST_MS = 315_360_000_000; // ten years

/** The lease as a text for a queue. Whoever has the text has the lock, so nothing else ever shows it. */
export function textOf(lease: HandedOverLease): string {
  const { prefix, name, id, units, capacity, ttl, until, fence, heldFor } = lease;
  const fields = [VERSION, prefix, name, id, units, capacity, ttl, until, fence, heldFor];
  return Buffer.from(JSON.stringify(fields)).toString('base64url');
}

/** The lease in such a text. @throws LockUsageError, which does not repeat the text, for anything else */
export function leaseIn(text: unknown): HandedOverLease {
  const fields = typeof text === 'string' ? fieldsIn(text) : undefined;
  if (!fields) throw notOurs(text);
  if (fields[0] !== VERSION)
    throw new LockUsageError(
      'The text given to resume was made by another version of this library, which this one cannot read.',
    );
  const [, prefix, name, id, units, capacity, ttl, until, fence, heldFor] = fields;
  const whole = (value: unknown, most: number): value is number =>
    Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= most;
  const time = (value: unknown): value is number =>
    typeof value === 'number' && value >= 0 && value <= MOST_MS;
  const fits =
    fields.length === 10 &&
    typeof prefix === 'string' &&
    typeof name === 'string' &&
    typeof id === 'string' &&
    ID.test(id) &&
    whole(capacity, WHOLE) &&
    whole(units, capacity) &&
    time(ttl) &&
    ttl >= 1 &&
    whole(until, Number.MAX_SAFE_INTEGER) &&
    whole(fence, Number.MAX_SAFE_INTEGER) &&
    time(heldFor);
  if (!fits) throw notOurs(text);
  return { prefix, name: checkName(name), id, units, capacity, ttl, until, fence, heldFor };
}

/** The list in a text; undefined when there is none. */
function fieldsIn(text: string): readonly unknown[] | undefined {
  if (text.length > LONGEST || !/^[\w-]+$/.test(text)) return undefined;
  try {
    const fields: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    return Array.isArray(fields) ? fields : undefined;
  } catch {
    return undefined;
  }
}

function notOurs(text: unknown): LockUsageError {
  const what =
    typeof text === 'string' ? `a text of ${text.length} characters` : `a value of type ${typeof text}`;
  return new LockUsageError(
    `resume takes the whole text that lease.handOver() gave; it was ${what} that is no such text.`,
  );
}
