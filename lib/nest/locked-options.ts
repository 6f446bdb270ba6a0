import type { ExecutionContext } from '@nestjs/common';
import { shown } from '../base/duration.js';
import { type LockBusyError, LockUsageError } from '../base/errors.js';
import type { LockService } from '../locks/lock-service.js';
import { wholeNumber } from '../locks/checks.js';
import { flag, namesFor, OPTIONS, type OptionRow, row, whole, word } from '../locks/option-table.js';
import { WHOLE } from '../store/lock-machine.js';
import type { UsingOptions } from '../locks/lock.js';
import type { LockSignal } from './lock-key.js';

/**
 * How a `@Locked` method or a LockInterceptor behaves. Each option may be left out or be undefined.
 *
 * @publicApi
 */
export interface LockedOptions<S extends LockSignal | undefined = undefined> extends Omit<
  UsingOptions,
  'signal' | 'within'
> {
  /**
   * A function that returns the AbortSignal of a call, or undefined for none. Its abort ends the waiting at once, with
   * reason `aborted`; it does not end a lease. The function gets the method's arguments, which are checked at compile time,
   * and the instance as `this`.
   * @default none
   */
  readonly signal?: S | undefined;
  /**
   * `read` shares the name with other readers; a call that reads and asks to write is refused.
   * @default 'write': alone
   */
  readonly mode?: 'write' | 'read' | undefined;
  /**
   * How many calls may run at a time, instead of one. 1 … 2³⁰; all methods that use the name must give the same number.
   * @default none
   */
  readonly permits?: number | undefined;
  /** How many of the permits one call takes. 1 … permits. @default 1 */
  readonly units?: number | undefined;
  /** The registration to lock with: the `name` given to `forRoot`. @default the default registration */
  readonly locks?: string | undefined;
  /** A named set of options of the registration, from `forRoot({ profiles })`; options given here win. */
  readonly profile?: string | undefined;
  /**
   * What happens when a call did not get the lock within `wait`, or found the line full. `throw` throws the LockBusyError.
   * `skip` returns undefined, and its `wait` is 0 unless given, as for `tryAcquire`. A function is called, and its value is
   * returned instead. A closed LockService always throws, and an error of the method itself never counts as a busy lock.
   * @default 'throw'
   */
  readonly onBusy?: 'throw' | 'skip' | ((error: LockBusyError) => unknown) | undefined;
}

/**
 * How a LockInterceptor behaves: like a `@Locked` method, but it knows the request.
 *
 * @publicApi
 */
export interface LockInterceptorOptions extends Omit<LockedOptions, 'signal'> {
  /**
   * A function that returns the AbortSignal of a request, or undefined for none. Its abort ends the waiting at once, with
   * reason `aborted`; it does not end a lease.
   * @default none
   */
  readonly signal?: ((context: ExecutionContext) => AbortSignal | undefined) | undefined;
  /**
   * Whether an HTTP request that waits for the lock gives up when its connection closes, over Express and Fastify. With
   * `false` it keeps its place, and its handler runs for a client that is gone.
   * @default true
   */
  readonly leaveOnClose?: boolean | undefined;
}

/**
 * A named set of options that `@Locked(key, { profile })` refers to.
 *
 * @publicApi
 */
export type LockProfile = Omit<LockedOptions, 'locks' | 'profile' | 'signal'>;

const USING = new Set([...namesFor('using')].filter((name) => name !== 'within' && name !== 'signal'));

/** The options that a decorator has in addition to those of `using`. */
const OF_DECORATORS = {
  permits: whole('permits', 'none', []),
  units: OPTIONS.units,
  mode: word('mode', ['read', 'write'], [], 'write'),
  onBusy: row("'throw', 'skip' or a function", "'throw'", [], (value) => {
    if (value === 'throw' || value === 'skip' || typeof value === 'function') return value;
    throw new LockUsageError(
      `The option onBusy takes 'throw', 'skip' or a function; it was ${shown(value)}.`,
    );
  }),
  locks: row('a non-empty string', 'the default registration', [], (value) => wordOf(value, 'locks')),
  profile: row('a non-empty string', 'none', [], (value) => wordOf(value, 'profile')),
  signal: row('a function', 'none', [], (value) => {
    if (typeof value === 'function') return value;
    throw new LockUsageError(
      `The option signal takes a function of the arguments that returns an AbortSignal; it was ${shown(value)}.`,
    );
  }),
} as const satisfies Partial<Record<keyof LockedOptions, OptionRow>>;

/** All options of `@Locked`. */
const LOCKED_OPTIONS: ReadonlyMap<string, OptionRow> = new Map<string, OptionRow>([
  ...Object.entries<OptionRow>(OPTIONS).filter(([name]) => USING.has(name)),
  ...Object.entries<OptionRow>(OF_DECORATORS),
]);
const LEAVE_ON_CLOSE = flag('leaveOnClose', 'true', []);

function wordOf(value: unknown, option: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw new LockUsageError(`The option ${option} takes a non-empty string; it was ${shown(value)}.`);
}

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
  try {
    LEAVE_ON_CLOSE.check(leaveOnClose, '');
  } catch (error) {
    throw new LockUsageError(`${where}: ${(error as Error).message}`);
  }
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
  for (const [option, value] of Object.entries(given)) {
    const found = LOCKED_OPTIONS.get(option);
    if (!found)
      throw new LockUsageError(
        `There is no option '${option}'; the options are ${[...LOCKED_OPTIONS.keys()].join(', ')}.`,
      );
    // The range of `units` depends on `permits`, see below.
    if (option !== 'units' || given.permits === undefined) found.check(value, '');
  }
  // A profile is known only when the method is called.
  if (given.profile === undefined || given.permits !== undefined) checkKind(given);
}

// A LockService knows no profiles; they belong to the registration that made it and go when it goes.
const profilesOf = new WeakMap<LockService, Readonly<Record<string, LockProfile>>>();

/**
 * Attaches the profiles of a registration to its LockService.
 *
 * @throws LockUsageError for an option that a profile cannot have
 */
export function attachProfiles(locks: LockService, profiles: Readonly<Record<string, LockProfile>>): void {
  for (const [name, profile] of Object.entries(profiles)) checkProfile(name, profile);
  profilesOf.set(locks, profiles);
}

/**
 * The options of a profile.
 *
 * @throws LockUsageError that lists the profiles there are
 */
export function profileOf(locks: LockService, name: string): LockProfile {
  const profiles = profilesOf.get(locks);
  // A LockService that no module made, as in a unit test, has no profiles at all.
  if (profiles === undefined) return {};
  const profile = Object.hasOwn(profiles, name) ? profiles[name] : undefined;
  if (profile !== undefined) return profile;
  const known = Object.keys(profiles);
  throw new LockUsageError(
    `There is no lock profile '${name}'; ` +
      (known.length > 0
        ? `the profiles are ${known.map((each) => `'${each}'`).join(', ')}.`
        : 'there are no profiles.') +
      ` Add it: DistributedLockModule.forRoot({ profiles: { '${name}': { … } } }).`,
  );
}

/** The options that choose the kind of lock. */
export type LockedKind = Pick<LockedOptions, 'mode' | 'permits' | 'units'>;

/** @throws LockUsageError for numbers out of range, and for options of different kinds */
export function checkKind({ mode, permits, units }: LockedKind): void {
  if (permits !== undefined) wholeNumber(permits, 'permits', WHOLE, '');
  if (permits !== undefined && mode !== undefined)
    throw new LockUsageError(
      `The options mode: '${mode}' and permits: ${permits} exclude each other: a lock has readers and writers, or permits.`,
    );
  if (units === undefined) return;
  if (permits === undefined)
    throw new LockUsageError('The option units needs the option permits: the number of permits in all.');
  wholeNumber(units, 'units', permits, '');
}
