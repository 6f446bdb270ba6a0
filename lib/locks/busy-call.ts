import { type LockBusyError, LockError } from '../base/errors.js';
import type { Lease } from './lock.js';

/** What runs under a lock. */
export type Work = (lease: Lease) => unknown;

/**
 * Runs work by `run`, which takes a lock for it; when that fails before the work has begun, resolves with what `otherwise`
 * returns instead. What the work itself threw is not about this lock.
 */
export async function workOrElse<L, T, R, E>(
  run: (held: (lease: L) => T) => Promise<R>,
  work: (lease: L) => T,
  otherwise: (error: unknown) => E | PromiseLike<E>,
): Promise<R | E> {
  let begun = false;
  const begin = (lease: L): T => {
    begun = true;
    return work(lease);
  };
  try {
    return await run(begin);
  } catch (error) {
    if (begun) throw error;
    return otherwise(error);
  }
}

/** The same when the lock was busy, which `onBusy` is told. */
export function unlessBusy<L, T, R, E>(
  run: (held: (lease: L) => T) => Promise<R>,
  work: (lease: L) => T,
  onBusy: (error: LockBusyError) => E | PromiseLike<E>,
): Promise<R | E> {
  return workOrElse(run, work, (error) => {
    if (!isBusy(error)) throw error;
    return onBusy(error);
  });
}

function isBusy(error: unknown): error is LockBusyError {
  // Checked by its code, since the LockService may come from another copy of this package.
  if (!LockError.is(error) || error.code !== 'LOCK_BUSY') return false;
  const { reason } = error as LockBusyError;
  return reason !== 'closed' && reason !== 'aborted';
}
