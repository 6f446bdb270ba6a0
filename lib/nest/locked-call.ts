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
import { combinedOptions, profileNameOf } from './lock-defaults.js';
import type { LockNames } from './lock-key.js';
import { unlessBusy, type Work } from '../locks/busy-call.js';
import { runFire } from './fire-run.js';
import { profileOf } from './lock-profiles.js';
import {
  checkFireOptions,
  checkKind,
  type LockDefaultsOptions,
  type LockedKind,
  type LockedOptions,
} from './locked-options.js';

/** The options of a decorator as its calls need them, made once. */
interface Plan {
  readonly kind: LockedKind;
  readonly settings: UsingOptions & WithOrigin;
  /** The same for a call that gives up waiting when the servers are about to close. */
  readonly leaving: Plan['settings'];
  readonly onBusy: NonNullable<LockedOptions['onBusy']>;
  readonly fires: LockedOptions['fires'];
}

const LEAVES: LeavesAtShutdown = { [LEAVES_AT_SHUTDOWN]: true };

/** What differs from call to call. */
export interface CallDetails {
  readonly signal?: AbortSignal | undefined;
  readonly label?: string | undefined;
  /** The instance, where it matters who calls: see {@link CallOrigin}. */
  readonly self?: object | undefined;
  /** Whether it stops waiting when the servers of a process that shuts down are about to close. */
  readonly leavesAtShutdown?: boolean | undefined;
  /** The decorated method with its metadata, where its schedule matters. */
  readonly method?: object | undefined;
}

/** Where the calls of a decorator or an interceptor come from. */
export interface CallSource {
  readonly origin?: CallOrigin | undefined;
  /** The label of a template, which every other label overrides. */
  readonly label?: string | undefined;
  /** The defaults of the class, which are known when a method is called. */
  readonly defaults?: (() => LockDefaultsOptions | undefined) | undefined;
}

/** Runs work under the lock as the options of a decorator say; resolves with its value, or that of `onBusy`. */
export function lockedCall(
  options: LockedOptions,
  { origin, label, defaults }: CallSource = {},
): (locks: LockService, names: LockNames, work: Work, call?: CallDetails) => Promise<unknown> {
  const labelled = label === undefined ? undefined : { label };
  let fixed: Plan | undefined;
  const planned = new WeakMap<LockService, Plan>();
  // Profiles and the defaults of a class are known when a method is called, not when it is decorated.
  const planFor = (locks: LockService): Plan => {
    const known = planned.get(locks);
    if (known) return known;
    const common = defaults?.();
    const name = profileNameOf(options, common);
    const profile = name === undefined ? undefined : profileOf(locks, name);
    const plan = planOf({ ...labelled, ...combinedOptions(options, common, profile) }, origin);
    if (name === undefined) fixed = plan;
    else planned.set(locks, plan);
    return plan;
  };
  return (locks, names, work, call) => {
    const plan = fixed ?? planFor(locks);
    const settings = call === undefined ? plan.settings : settingsFor(plan, call, origin);
    if (plan.fires) {
      const { place: where = 'A locked method' } = origin ?? {};
      return runFire(plan.fires, { locks, names, method: call?.method ?? {}, where, settings }, work);
    }
    const run = (held: Work): Promise<unknown> => runLocked(locks, names, held, plan.kind, settings);
    const { onBusy } = plan;
    if (onBusy === 'throw') return run(work);
    return unlessBusy(run, work, onBusy === 'skip' ? () => undefined : onBusy);
  };
}

function settingsFor(
  { settings, leaving }: Plan,
  { signal, label, self, leavesAtShutdown }: CallDetails,
  origin: CallOrigin | undefined,
): Plan['settings'] {
  const shared = leavesAtShutdown ? leaving : settings;
  if (signal === undefined && label === undefined && self === undefined) return shared;
  return {
    ...shared,
    ...(signal === undefined ? {} : { signal }),
    ...(label === undefined ? {} : { label }),
    ...(self === undefined || !origin ? {} : { [ORIGIN]: { ...origin, self } }),
  };
}

/** @throws LockUsageError for options of different kinds */
function planOf(options: LockedOptions, origin: CallOrigin | undefined): Plan {
  const { locks: _, profile: __, signal: ___, label, onBusy = 'throw', fires, ...others } = options;
  const { mode, permits, units, ...rest } = others;
  // A label that is a function is asked by each call.
  const given = typeof label === 'string' ? { ...rest, label } : rest;
  const kind = { mode, permits, units };
  checkKind(kind);
  if (fires) {
    checkFireOptions(options);
    const settings = { ...given, ...(origin ? { [ORIGIN]: origin } : {}) };
    return { kind, settings, leaving: settings, onBusy, fires };
  }
  const settings = {
    ...given,
    ...(onBusy === 'skip' && given.wait === undefined ? { wait: 0 } : {}),
    ...(origin ? { [ORIGIN]: origin } : {}),
  };
  return { kind, settings, leaving: { ...settings, ...LEAVES }, onBusy, fires };
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
