import { type LockBusyError, LockError } from '../base/errors.js';
import {
  ORIGIN,
  type CallOrigin,
  type WithOrigin,
  LEAVES_AT_SHUTDOWN,
  type LeavesAtShutdown,
} from '../locks/hidden-options.js';
import type { Lock, UsingOptions, Lease } from '../locks/lock.js';
import type { PermitOptions } from '../locks/semaphore.js';
import type { LockService } from '../locks/lock-service.js';
import type { LockNames } from './lock-key.js';
import { checkKind, type LockedKind, type LockedOptions, profileOf } from './locked-options.js';

type Work = (lease: Lease) => unknown;

/** The options of a decorator as its calls need them, made once. */
interface Plan {
  readonly kind: LockedKind;
  readonly settings: UsingOptions & WithOrigin;
  /** The same for a call that gives up waiting when the servers are about to close. */
  readonly leaving: Plan['settings'];
  readonly onBusy: NonNullable<LockedOptions['onBusy']>;
}

const LEAVES: LeavesAtShutdown = { [LEAVES_AT_SHUTDOWN]: true };

/** What differs from call to call. */
export interface CallDetails {
  readonly signal?: AbortSignal | undefined;
  /** The instance, where it matters who calls: see {@link CallOrigin}. */
  readonly self?: object | undefined;
  /** Whether it stops waiting when the servers of a process that shuts down are about to close. */
  readonly leavesAtShutdown?: boolean | undefined;
}

/** Runs work under the lock as the options of a decorator say; resolves with its value, or that of `onBusy`. */
export function lockedCall(
  options: LockedOptions,
  origin?: CallOrigin,
): (locks: LockService, names: LockNames, work: Work, call?: CallDetails) => Promise<unknown> {
  const { profile } = options;
  // A profile is known only when the method is called.
  const fixed = profile === undefined ? planOf(options, origin) : undefined;
  return (locks, names, work, call) => {
    const plan = fixed ?? planOf({ ...profileOf(locks, profile as string), ...options }, origin);
    const settings = call === undefined ? plan.settings : settingsFor(plan, call, origin);
    const run = (held: Work): Promise<unknown> => runLocked(locks, names, held, plan.kind, settings);
    return plan.onBusy === 'throw' ? run(work) : unlessBusy(run, work, plan.onBusy);
  };
}

function settingsFor(
  { settings, leaving }: Plan,
  { signal, self, leavesAtShutdown }: CallDetails,
  origin: CallOrigin | undefined,
): Plan['settings'] {
  const shared = leavesAtShutdown ? leaving : settings;
  if (signal === undefined && self === undefined) return shared;
  return {
    ...shared,
    ...(signal === undefined ? {} : { signal }),
    ...(self === undefined || !origin ? {} : { [ORIGIN]: { ...origin, self } }),
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
    // A busy error that the work itself threw is not about this lock.
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
  return { kind, settings, leaving: { ...settings, ...LEAVES }, onBusy };
}

function isBusy(error: unknown): error is LockBusyError {
  // Checked by its code, since the LockService may come from another copy of this package.
  if (!LockError.is(error) || error.code !== 'LOCK_BUSY') return false;
  const { reason } = error as LockBusyError;
  return reason !== 'closed' && reason !== 'aborted';
}

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
