import type { LockBusyError } from '../base/lock-busy-error.js';
import { LockError } from '../base/lock-error.js';
import { ORIGIN, type CallOrigin, type WithOrigin } from '../locks/call-origin.js';
import type { Lease } from '../locks/lease.js';
import type { UsingOptions } from '../locks/lock.js';
import type { LockService } from '../locks/lock-service.js';
import type { LockNames } from './lock-key.js';
import { profileOf } from './lock-profiles.js';
import { checkKind, type LockedKind, runLocked } from './locked-kind.js';
import type { LockedOptions } from './locked-options.js';

type Work = (lease: Lease) => unknown;

/** What the options of a decorator come to, made once for all its calls. */
interface Plan {
  readonly kind: LockedKind;
  readonly settings: UsingOptions & WithOrigin;
  readonly onBusy: NonNullable<LockedOptions['onBusy']>;
}

/**
 * Runs work under the lock as the options of a decorator say; resolves with its value, or that of `onBusy`. `self` is the
 * instance where it matters who calls: see {@link CallOrigin}.
 */
export function lockedCall(
  options: LockedOptions,
  origin?: CallOrigin,
): (
  locks: LockService,
  names: LockNames,
  work: Work,
  signal?: AbortSignal,
  self?: object,
) => Promise<unknown> {
  const { profile } = options;
  // What a profile says is known at the call only.
  const fixed = profile === undefined ? planOf(options, origin) : undefined;
  return (locks, names, work, signal, self) => {
    const plan = fixed ?? planOf({ ...profileOf(locks, profile as string), ...options }, origin);
    let { settings } = plan;
    if (signal !== undefined) settings = { ...settings, signal };
    if (self !== undefined && origin) settings = { ...settings, [ORIGIN]: { ...origin, self } };
    const run = (held: Work): Promise<unknown> => runLocked(locks, names, held, plan.kind, settings);
    return plan.onBusy === 'throw' ? run(work) : unlessBusy(run, work, plan.onBusy);
  };
}

async function unlessBusy(
  run: (held: Work) => Promise<unknown>,
  work: Work,
  onBusy: Exclude<Plan['onBusy'], 'throw'>,
): Promise<unknown> {
  let entered = false;
  try {
    return await run((lease) => {
      entered = true;
      return work(lease);
    });
  } catch (error) {
    // A busy error that the work itself threw is the work's own.
    if (entered || !isBusy(error)) throw error;
    return onBusy === 'skip' ? undefined : onBusy(error);
  }
}

/** @throws LockUsageError for options of different kinds */
function planOf(options: LockedOptions, origin: CallOrigin | undefined): Plan {
  const { locks: _, profile: __, signal: ___, onBusy = 'throw', mode, permits, units, ...given } = options;
  const kind = { mode, permits, units };
  checkKind(kind);
  const settings = {
    ...given,
    ...(onBusy === 'skip' && given.wait === undefined ? { wait: 0 } : {}),
    ...(origin ? { [ORIGIN]: origin } : {}),
  };
  return { kind, settings, onBusy };
}

function isBusy(error: unknown): error is LockBusyError {
  // By its code: the LockService may be that of another copy of this package.
  if (!LockError.is(error) || error.code !== 'LOCK_BUSY') return false;
  const { reason } = error as LockBusyError;
  return reason !== 'closed' && reason !== 'aborted';
}
