import { LockUsageError } from '../base/errors.js';
import { WHOLE } from '../store/lock-state.js';
import type { LockService } from '../locks/lock-service.js';
import type { Lease } from '../locks/lease.js';
import type { Lock, UsingOptions } from '../locks/lock.js';
import type { PermitOptions } from '../locks/semaphore.js';
import { wholeNumber } from '../locks/whole-number.js';
import type { LockNames } from './lock-key.js';
import type { LockedOptions } from './locked-options.js';

/** The options that choose the kind of lock. */
export type LockedKind = Pick<LockedOptions, 'mode' | 'permits' | 'units'>;

/** Runs work under the kind of lock that the options choose; several names are taken all or none. */
export function runLocked<T>(
  locks: LockService,
  names: LockNames,
  work: (lease: Lease) => T | PromiseLike<T>,
  { mode = 'write', permits, units }: LockedKind,
  settings: UsingOptions,
): Promise<T> {
  if (mode === 'write' && permits === undefined) return locks.using(names, work, settings);
  const lockOn = (name: string): Lock<Lease, PermitOptions> =>
    permits === undefined ? locks.readWrite(name)[mode] : locks.semaphore(name, permits);
  const lock: Lock<Lease, PermitOptions> =
    typeof names === 'string' ? lockOn(names) : locks.allOf(names.map(lockOn));
  return lock.using(work, { ...settings, units });
}

/** @throws LockUsageError for numbers out of range, and for options of different kinds */
export function checkKind({ mode, permits, units }: LockedKind): void {
  if (permits !== undefined) wholeNumber(permits, 'permits', WHOLE, '');
  if (permits !== undefined && mode !== undefined)
    throw new LockUsageError(
      `The options mode: '${mode}' and permits: ${permits} exclude each other: a lock has readers and writers, or permits.`,
    );
  if (units === undefined) return;
  if (permits === undefined)
    throw new LockUsageError('The option units needs permits: say how many there are in all.');
  wholeNumber(units, 'units', permits, '');
}
