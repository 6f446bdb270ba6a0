import { milliseconds, shown } from '../base/duration.js';
import { LockUsageError } from '../base/errors.js';
import { LockSettings, MIN_HOLD, truth } from '../locks/lock-settings.js';
import { checkKind } from './locked-kind.js';
import type { LockedOptions, LockInterceptorOptions, LockProfile } from './locked-options.js';

type Check = (value: unknown) => boolean;

const isWord: Check = (value) => typeof value === 'string' && value !== '';
const CHECKS = {
  onStoreError: ["'throw' or 'run'", (value) => value === 'throw' || value === 'run'],
  onBusy: [
    "'throw', 'skip' or a function",
    (value) => value === 'throw' || value === 'skip' || typeof value === 'function',
  ],
  mode: ["'read' or 'write'", (value) => value === 'read' || value === 'write'],
  locks: ['a non-empty string', isWord],
  profile: ['a non-empty string', isWord],
  signal: ['a function of the arguments that returns an AbortSignal', (value) => typeof value === 'function'],
} as const satisfies Partial<Record<keyof LockedOptions, readonly [string, Check]>>;
const OF_LOCKS = ['wait', 'ttl', 'maxHold', 'minHold', 'maxWaiters', 'renew', 'label', 'reentrant'];
const KNOWN = [...OF_LOCKS, 'permits', 'units', ...Object.keys(CHECKS)];

/**
 * Checks the options of a decorator when the class is defined, and leaves out those that are undefined.
 *
 * @throws LockUsageError that names the option, the range and the value
 */
export function checkLockedOptions(options: LockedOptions, where: string): LockedOptions {
  const given: LockedOptions = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  );
  try {
    checkGiven(given);
  } catch (error) {
    throw new LockUsageError(`${where}: ${(error as Error).message}`);
  }
  return given;
}

/** The same for a LockInterceptor. @throws LockUsageError that names the option, the range and the value */
export function checkInterceptorOptions(
  { leaveOnClose, ...options }: LockInterceptorOptions,
  where: string,
): LockInterceptorOptions {
  if (leaveOnClose !== undefined && typeof leaveOnClose !== 'boolean')
    throw new LockUsageError(
      `${where}: The option leaveOnClose takes true or false; it was ${shown(leaveOnClose)}.`,
    );
  const given = checkLockedOptions(options as LockedOptions, where) as LockInterceptorOptions;
  return leaveOnClose === undefined ? given : { ...given, leaveOnClose };
}

/** Checks one profile: the options of `@Locked` without those that choose a registration or a profile. */
export function checkProfile(name: string, profile: LockProfile): void {
  const where = `The profile '${name}'`;
  const { locks, profile: other, signal } = profile as LockedOptions;
  if (locks !== undefined || other !== undefined || signal !== undefined)
    throw new LockUsageError(`${where} cannot choose a registration, a profile or a signal; @Locked does.`);
  checkLockedOptions(profile, where);
}

function checkGiven(given: LockedOptions): void {
  const unknown = Object.keys(given).find((option) => !KNOWN.includes(option));
  if (unknown !== undefined)
    throw new LockUsageError(`There is no option '${unknown}'; there are ${KNOWN.join(', ')}.`);
  const { signal: _, ...asked } = given;
  new LockSettings({}).request('', asked, 0); // checks what every acquisition has
  truth(given.reentrant, 'reentrant', '');
  if (given.minHold !== undefined) milliseconds(given.minHold, MIN_HOLD);
  for (const [option, [words, fits]] of Object.entries(CHECKS)) {
    const value = given[option as keyof typeof CHECKS];
    if (value !== undefined && !fits(value))
      throw new LockUsageError(`The option ${option} takes ${words}; it was ${shown(value)}.`);
  }
  // What a profile says is known at the call only.
  if (given.profile === undefined || given.permits !== undefined) checkKind(given);
}
