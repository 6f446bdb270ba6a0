import { shown } from '../base/duration.js';
import { LockUsageError } from '../base/errors.js';
import { LeaseBundle, type LockSetup, NamedLease, UnprotectedLease } from './lease-handle.js';
import type { Lease } from './lock.js';

/**
 * Throws unless `given`, or without it the async context, holds `name` now.
 *
 * @throws LockUsageError when nobody took the lock for it, and for a lease of another name or LockService
 * @throws LockLostError when the lease is lost or released
 * @throws LockStoreError when the work runs without the lock (`onStoreError: 'run'`)
 */
export function assertLocked(setup: LockSetup, name: string, given: Lease | undefined): void {
  const locked = setup.settings.nameNow(name);
  if (given === undefined) {
    const lease = setup.contextLeases.leaseOf(locked);
    if (!lease)
      throw new LockUsageError(
        `This code must run under the lock '${locked}', and the running call does not hold it: call it inside of ` +
          `locks.using('${locked}', …) or of a method with @Locked, or give it the lease to check.`,
        locked,
      );
    return lease.assertHeld();
  }
  const lease: unknown = given;
  const own = lease instanceof NamedLease || lease instanceof LeaseBundle;
  if (!own && !(lease instanceof UnprotectedLease))
    throw new LockUsageError(
      `assertLocked takes a lease of this library as its second argument; it was ${shown(lease)}.`,
      locked,
    );
  if (own && lease.setup !== setup)
    throw new LockUsageError(
      `assertLocked was given a lease of another LockService: '${lease.names.join("', '")}' is locked there, not here.`,
      locked,
    );
  if (!lease.names.includes(locked))
    throw new LockUsageError(
      `This code must run under the lock '${locked}', and the lease that it was given is on '${lease.names.join("', '")}'.`,
      locked,
    );
  const part = own ? lease.partOn(locked) : undefined;
  (part ?? lease).assertHeld();
}
