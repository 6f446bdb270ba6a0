import type { ExecutionContext } from '@nestjs/common';
import { shown } from '../base/duration.js';
import { LockUsageError } from '../base/errors.js';
import { wholeNumber } from '../locks/checks.js';
import type { LockService } from '../locks/lock-service.js';
import {
  checkMinHold,
  flag,
  MOST_PERMITS,
  namesFor,
  OPTIONS,
  type OptionRow,
  row,
  word,
} from '../locks/option-table.js';
import { WHOLE } from '../store/lock-machine.js';
import type { UsingOptions } from '../locks/lock.js';
import { checkFirePlan, type FirePlan } from './fire-plan.js';
import type { LockLabel, LockSignal, OnBusy } from './lock-key.js';

/**
 * How a `@Locked` method or a LockInterceptor behaves. Each option may be left out or be undefined.
 *
 * @publicApi
 */
export interface LockedOptions<
  S extends LockSignal | undefined = undefined,
  B extends OnBusy | undefined = OnBusy,
  L extends LockLabel | undefined = string,
> extends Omit<UsingOptions, 'signal' | 'within' | 'label'> {
  /**
   * A function that returns the AbortSignal of a call, or undefined for none. Its abort ends the waiting at once, with
   * reason `aborted`; it does not end a lease. The function gets the method's arguments, which are checked at compile time,
   * and the instance as `this`.
   * @default none
   */
  readonly signal?: S | undefined;
  /**
   * A text for operators in `inspect` and for telemetry, 1 to 128 bytes, or a function that returns it for a call: it gets the
   * method's arguments, which are checked at compile time, and the instance as `this`. Calls of one label are expected to
   * hold their locks for about the same time (see `retryIn`), so give few different labels and no ids.
   * @default that of the profile, otherwise the fixed segments of the key when it is a template, otherwise none
   */
  readonly label?: L | undefined;
  /**
   * `read` shares the name with other readers. A call that reads and asks to write waits like any other, and ends at its
   * `wait`; it is refused with a LockUsageError only when it asks to enter, by `reentrant: true` or by `within`.
   * @default 'write': alone
   */
  readonly mode?: 'write' | 'read' | undefined;
  /**
   * How many calls may run at a time, instead of one. 1 … 2³⁰ − 1; all methods that use the name must give the same
   * number.
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
   * What happens when a call did not get the lock within `wait`, found the line full, or gave way in a deadlock. `throw`
   * throws the LockBusyError. `skip` returns undefined, and its `wait` is 0 unless given, as for `tryAcquire`, which throws
   * when the line is full and in a deadlock. A function is called, and its value is returned instead. The method's type must
   * allow what is returned, which is checked at compile time where it is given to the decorator. An error that the function
   * throws is the call's. A closed LockService and a wait that was aborted always throw, and an error of the method itself
   * never counts as a busy lock.
   * @default 'throw'
   */
  readonly onBusy?: B | undefined;
  /**
   * Runs the method once per fire of its schedule over all processes: made by `oncePerFire` of
   * `nestjs-distributed-lock/schedule`, or by you for another scheduler.
   * @default none
   */
  readonly fires?: FirePlan | undefined;
}

/**
 * How a LockInterceptor behaves: like a `@Locked` method, but it knows the request.
 *
 * @publicApi
 */
export interface LockInterceptorOptions extends Omit<LockedOptions, 'signal' | 'label' | 'fires'> {
  /**
   * A function that returns the AbortSignal of a request, or undefined for none. Its abort ends the waiting at once, with
   * reason `aborted`; it does not end a lease.
   * @default none
   */
  readonly signal?: ((context: ExecutionContext) => AbortSignal | undefined) | undefined;
  /**
   * A text for operators in `inspect` and for telemetry, 1 to 128 bytes, or a function that returns it for a request.
   * @default that of the profile, otherwise none
   */
  readonly label?: string | ((context: ExecutionContext) => string) | undefined;
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
export interface LockProfile extends Omit<LockedOptions, 'locks' | 'profile' | 'signal' | 'label' | 'fires'> {
  /** A text for operators in `inspect` and for telemetry, 1 to 128 bytes. @default none */
  readonly label?: string | undefined;
}

/**
 * What the locked methods of a class have in common: see `@LockDefaults`.
 *
 * @publicApi
 */
export type LockDefaultsOptions = Pick<LockedOptions, 'profile' | 'ttl' | 'wait'>;

const USING = new Set([...namesFor('using')].filter((name) => name !== 'within' && name !== 'signal'));

/** The options that a decorator has in addition to those of `using`. */
const OF_DECORATORS = {
  permits: row('1 … 2³⁰ − 1', 'none', [], (value) => wholeNumber(value, 'permits', MOST_PERMITS, '')),
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
  label: row('a text of 1 to 128 bytes or a function', 'none', [], (value) =>
    typeof value === 'function' ? value : OPTIONS.label.check(value, ''),
  ),
  fires: row('a plan of fires', 'none', [], checkFirePlan),
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
export function checkLockedOptions(
  options: LockedOptions<LockSignal | undefined, OnBusy | undefined, LockLabel | undefined>,
  where: string,
): LockedOptions<LockSignal | undefined> {
  const given: LockedOptions<LockSignal | undefined> = Object.fromEntries(
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
  const given = checkLockedOptions(options, where) as LockInterceptorOptions;
  return leaveOnClose === undefined ? given : { ...given, leaveOnClose };
}

function checkGiven(given: LockedOptions<LockSignal | undefined>): void {
  for (const [option, value] of Object.entries(given)) {
    const found = LOCKED_OPTIONS.get(option);
    if (!found)
      throw new LockUsageError(
        `There is no option '${option}'; the options are ${[...LOCKED_OPTIONS.keys()].join(', ')}.`,
      );
    // The range of `units` depends on `permits`, see below.
    if (option !== 'units' || given.permits === undefined) found.check(value, '');
  }
  checkMinHold(given, '');
  // A profile is known only when the method is called.
  if (given.profile === undefined || given.permits !== undefined) checkKind(given);
  if (given.fires) checkFireOptions(given);
}

// Runs of one fire exclude each other by a mark, and a run that goes without its lock could not be marked.
const NOT_WITH_FIRES = [
  'mode',
  'permits',
  'units',
  'minHold',
  'linger',
  'onStoreError',
  'reentrant',
] as const;

/** @throws LockUsageError for options that do not go together with `fires` */
export function checkFireOptions(
  options: Pick<LockedOptions, (typeof NOT_WITH_FIRES)[number] | 'onBusy'>,
): void {
  const other = NOT_WITH_FIRES.find((option) => options[option] !== undefined);
  if (other !== undefined)
    throw new LockUsageError(`The options fires and ${other} exclude each other: one run per fire, alone.`);
  if (options.onBusy !== 'skip')
    throw new LockUsageError(
      `The option fires needs onBusy: 'skip', since all other processes skip the fire; it was ${shown(options.onBusy)}.`,
    );
}

/** The options that choose the kind of lock. */
export type LockedKind = Pick<LockedOptions, 'mode' | 'permits' | 'units'>;

/** @throws LockUsageError for numbers out of range, and for options of different kinds */
export function checkKind({ mode, permits, units }: LockedKind): void {
  if (permits !== undefined) wholeNumber(permits, 'permits', MOST_PERMITS, '');
  if (permits !== undefined && mode !== undefined)
    throw new LockUsageError(
      `The options mode: '${mode}' and permits: ${permits} exclude each other: a lock has readers and writers, or permits.`,
    );
  if (units === undefined) return;
  if (permits === undefined)
    throw new LockUsageError('The option units needs the option permits: the number of permits in all.');
  wholeNumber(units, 'units', permits, '');
}

/**
 * Checks whether the options of a method go together with those of its profile, its class and its registration.
 *
 * @internal
 * @throws LockUsageError with which every call would fail
 */
export function checkTogether(
  options: LockedOptions<LockSignal | undefined, OnBusy, LockLabel>,
  locks: Partial<Pick<LockService, 'checkLinger'>>, // that of an older copy of this package cannot
): void {
  checkKind(options);
  checkMinHold(options, '');
  if (options.fires) checkFireOptions(options);
  const { mode, permits, units = 1 } = options;
  const alone = mode !== 'read' && permits === undefined;
  locks.checkLinger?.(options, { units: alone ? WHOLE : units, capacity: permits ?? WHOLE });
}
