import { LockBusyError } from '../base/lock-busy-error.js';
import type { Lease } from '../locks/lease.js';
import type { LockService } from '../locks/lock-service.js';
import type { LockNames } from './lock-key.js';
import { profileOf } from './lock-profiles.js';
import { runLocked } from './locked-kind.js';
import type { LockedOptions } from './locked-options.js';

/** Runs work under the lock as the options of a decorator say; resolves with its value, or that of `onBusy`. */
export async function callLocked<T>(
  locks: LockService,
  names: LockNames,
  work: (lease: Lease) => T | PromiseLike<T>,
  options: LockedOptions,
  signal?: AbortSignal,
): Promise<unknown> {
  const { onBusy = 'throw', ...settings } = settingsOf(locks, options);
  if (onBusy === 'skip' && settings.wait === undefined) settings.wait = 0;
  let entered = false;
  try {
    return await runLocked(
      locks,
      names,
      (lease) => {
        entered = true;
        return work(lease);
      },
      { ...settings, signal },
    );
  } catch (error) {
    // A busy error that the work itself threw is the work's own.
    if (entered || onBusy === 'throw' || !isBusy(error)) throw error;
    return onBusy === 'skip' ? undefined : onBusy(error);
  }
}

function settingsOf(
  locks: LockService,
  options: LockedOptions,
): { -readonly [K in keyof LockedOptions]: LockedOptions[K] } {
  const { locks: _registration, profile, ...own } = options;
  return profile === undefined ? own : { ...profileOf(locks, profile), ...own };
}

function isBusy(error: unknown): error is LockBusyError {
  return error instanceof LockBusyError && error.reason !== 'closed' && error.reason !== 'aborted';
}
