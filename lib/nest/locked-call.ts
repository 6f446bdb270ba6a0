import { LockBusyError } from '../base/lock-busy-error.js';
import type { Lease } from '../locks/lease.js';
import type { UsingOptions } from '../locks/lock.js';
import type { LockService } from '../locks/lock-service.js';
import { LEAVES_AT_SHUTDOWN, type LeavesAtShutdown } from '../locks/leaves-at-shutdown.js';
import type { LockNames } from './lock-key.js';
import { profileOf } from './lock-profiles.js';
import { checkKind, type LockedKind, runLocked } from './locked-kind.js';
import type { LockedOptions } from './locked-options.js';

type Work = (lease: Lease) => unknown;

/** What the options of a decorator come to, made once for all its calls. */
interface Plan {
  readonly kind: LockedKind;
  readonly settings: UsingOptions;
  readonly onBusy: NonNullable<LockedOptions['onBusy']>;
}

const LEAVES: LeavesAtShutdown = { [LEAVES_AT_SHUTDOWN]: true };

/** Runs work under the lock as the options of a decorator say; resolves with its value, or that of `onBusy`. */
export function lockedCall(
  options: LockedOptions,
): (
  locks: LockService,
  names: LockNames,
  work: Work,
  signal?: AbortSignal,
  leavesAtShutdown?: boolean,
) => Promise<unknown> {
  const { profile } = options;
  // What a profile says is known at the call only.
  const fixed = profile === undefined ? planOf(options) : undefined;
  return (locks, names, work, signal, leavesAtShutdown = false) => {
    const plan = fixed ?? planOf({ ...profileOf(locks, profile as string), ...options });
    let { settings } = plan;
    if (signal !== undefined) settings = { ...settings, signal };
    if (leavesAtShutdown) settings = { ...settings, ...LEAVES };
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
function planOf(options: LockedOptions): Plan {
  const { locks: _locks, profile: _profile, onBusy = 'throw', mode, permits, units, ...given } = options;
  const kind = { mode, permits, units };
  checkKind(kind);
  const settings = onBusy === 'skip' && given.wait === undefined ? { ...given, wait: 0 } : given;
  return { kind, settings, onBusy };
}

function isBusy(error: unknown): error is LockBusyError {
  return error instanceof LockBusyError && error.reason !== 'closed' && error.reason !== 'aborted';
}
