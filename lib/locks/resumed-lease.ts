import { LockLostError, LockUsageError } from '../base/errors.js';
import { LineLease } from '../line/line-lease.js';
import type { NotTakenOver } from '../line/resumption.js';
import { WHOLE } from '../store/lock-machine.js';
import { checkOptions } from './checks.js';
import { type HandedOverLease, leaseIn } from './handed-over-lease.js';
import { LeaseHandle, type LockSetup, PermitLease, ReadLease } from './lease-handle.js';
import type { AcquireOptions } from './lock.js';
import { namesFor } from './option-table.js';

/**
 * How a lease that was handed over goes on. `ttl` is that of the lease unless it is given. It never waits for the lock:
 * `wait` is for how long the store is asked when it does not answer.
 *
 * @publicApi
 */
export type ResumeOptions = Pick<AcquireOptions, 'wait' | 'ttl' | 'signal' | 'label' | 'renew' | 'maxHold'>;

const RESUME_OPTIONS = namesFor('resume');

/**
 * Goes on with the lease in `text`. `prefix` is what the keys of this store begin with.
 *
 * @throws LockLostError | LockBusyError | LockStoreError | LockUsageError
 */
export async function resumedLease(
  setup: LockSetup,
  prefix: string,
  text: unknown,
  options: ResumeOptions,
): Promise<LeaseHandle> {
  const from = leaseIn(text);
  const { name, units, capacity } = from;
  checkOptions(options, name, RESUME_OPTIONS);
  if (from.prefix !== prefix)
    throw new LockUsageError(
      `The text given to resume is about the lock '${name}' of ${placeOf(from.prefix)}, and this LockService has ` +
        `those of ${placeOf(prefix)}: resume it with the namespace and keyPrefix of the service that gave it.`,
      name,
    );
  const { ttl = from.ttl } = options; // null is a mistake and is refused
  const request = setup.settings.request(name, { ...options, ttl }, undefined, { units, capacity });
  const outcome = await setup.lines.resume(request, from.id);
  if (!(outcome instanceof LineLease)) throw lossOf(from, outcome);
  if (capacity !== WHOLE) return new PermitLease(outcome, setup);
  return new (units === WHOLE ? LeaseHandle : ReadLease)(outcome, setup);
}

function placeOf(prefix: string): string {
  return prefix === '' ? 'a store in memory' : `the keys '${prefix}…'`;
}

/** Why a lease cannot be resumed. */
function lossOf({ name, until, fence, heldFor }: HandedOverLease, answer: NotTakenOver): LockLostError {
  const what = `The lease of '${name}' (fence ${fence}) was handed over and cannot be resumed`;
  const known = { fence, heldFor };
  if (answer.outcome === 'revoked') {
    const why = answer.reason === '' ? '' : ` ('${answer.reason}')`;
    const revokeReason = answer.reason === '' ? {} : { revokeReason: answer.reason };
    const details = { reason: 'revoked', ...known, ...revokeReason } as const;
    return new LockLostError(`${what}: it was revoked by an operator${why}.`, name, details);
  }
  if (answer.now < until)
    return new LockLostError(
      `${what}: somebody has resumed it already, or the store no longer knows it.`,
      name,
      { reason: 'taken', ...known },
    );
  const late = Math.round((answer.now - until) / 1_000);
  return new LockLostError(
    `${what}: its time was over ${late} ms ago. Whether somebody resumed it before that is not known. ` +
      'Hand it over with a longer ttl if its way takes that long.',
    name,
    { reason: 'expired', ...known },
  );
}
