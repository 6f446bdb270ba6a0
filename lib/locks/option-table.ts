import { milliseconds, shown, spelled, type DurationRange } from '../base/duration.js';
import { LockUsageError } from '../base/errors.js';
import { WHOLE } from '../store/lock-machine.js';
import type { Durability } from '../store/lock-store.js';
import { abortSignal, refuseUnknown, truth, wholeNumber } from './checks.js';
import type { LockServiceOptions, RecorderOptions } from './lock-options.js';
import type { UsingOptions } from './lock.js';

/** Where an option can be given. `permits` stands for the calls of a semaphore, and `entry` for `lease.using`. */
export type OptionPlace =
  'registration' | 'acquire' | 'using' | 'once' | 'lead' | 'entry' | 'permits' | 'handOver' | 'resume';

/** Everything about one option. */
export interface OptionRow<T = unknown> {
  /** The values that it takes, as docs/configuration.md and the docstrings say. */
  readonly takes: string;
  /** Its default, as docs/configuration.md and the docstrings say. */
  readonly otherwise: string;
  readonly places: readonly OptionPlace[];
  /** Returns the checked value of an option that was given. @throws LockUsageError with the option, range and value */
  readonly check: (value: unknown, name: string) => T;
}

const DAY = 24 * 3_600_000;
const MOST_REPLICAS = 100;
const REPLICA_PATIENCE = 500;
const DURABILITY: ReadonlySet<string> = new Set(['replicas', 'timeout']);
const RECORDER: ReadonlySet<string> = new Set(['signal']);
/** In bytes. */
export const LONGEST_LABEL = 128;
/** The most permits of a semaphore. With one more it would be a read-write lock, whose readers would share its permits. */
export const MOST_PERMITS = WHOLE - 1;
/** Every way to ask for a lease. */
const CALLS = ['acquire', 'using', 'once'] as const;

/**
 * Every option of this library below Nest. The service, the decorator, profiles and modules take from here which options
 * exist and which values they take; a test compares the interfaces and their docstrings with it, and docs/configuration.md is
 * made of it.
 */
export const OPTIONS = {
  redis: row('a URL, options or a client of ioredis, `memory`', 'none', ['registration'], unchecked),
  namespace: row('`[A-Za-z0-9_.-]{1,64}`', "`'lock'`", ['registration'], namespaceOf),
  wait: duration(
    { option: 'wait', min: 0, max: DAY, infinite: true },
    'min(max(10 s, ttl + guard + 1 s), 30 s)',
    ['registration', ...CALLS, 'entry', 'resume'],
  ),
  ttl: duration({ option: 'ttl', min: 100, max: DAY }, '10 s', [
    'registration',
    ...CALLS,
    'lead',
    'handOver',
    'resume',
  ]),
  guard: duration({ option: 'guard', min: 0, max: DAY }, 'min(500 ms, ttl/4)', ['registration']),
  fenceMemory: duration({ option: 'fenceMemory', min: 0, max: DAY }, '60 s', ['registration']),
  shutdownGrace: duration({ option: 'shutdownGrace', min: 0, max: DAY }, '10 s', ['registration']),
  startup: word('startup', ['require', 'warn'], ['registration']),
  maxHold: duration({ option: 'maxHold', min: 100, max: DAY }, 'none', [...CALLS, 'lead', 'resume']),
  linger: duration({ option: 'linger', min: 0, max: DAY }, '0', ['acquire', 'using']),
  minHold: duration({ option: 'minHold', min: 0, max: DAY }, 'none', ['using']),
  maxWaiters: whole('maxWaiters', 'none', CALLS),
  renew: flag('renew', 'true', [...CALLS, 'lead', 'resume']),
  deadlock: word('deadlock', ['warn', 'fail'], ['registration', ...CALLS]),
  label: row('a text of 1 to 128 bytes', 'none', [...CALLS, 'lead', 'resume'], labelOf),
  signal: row('an AbortSignal', 'none', [...CALLS, 'entry', 'resume'], abortSignal),
  reentrant: flag('reentrant', 'false', ['registration', 'using']),
  nameOf: row('a function', 'none', ['registration'], nameFunction),
  durability: row('replicas 1 … 100, timeout 10 ms … 1 s', 'none', ['registration'], durabilityOf),
  clientTracking: flag('clientTracking', 'false', ['registration']),
  recorder: row(
    "true, false, `{ signal: 'SIGUSR2' }`, `{ signal: 'SIGHUP' }`",
    'false',
    ['registration'],
    recorderOf,
  ),
  leakDetectionThreshold: duration({ option: 'leakDetectionThreshold', min: 100, max: DAY }, 'none', [
    'registration',
  ]),
  within: row('a lease', 'none', ['using'], unchecked),
  onStoreError: word('onStoreError', ['throw', 'run'], ['using']),
  doneTtl: duration({ option: 'doneTtl', min: 100, max: DAY }, 'none', ['once']),
  mark: word('mark', ['start', 'end'], ['once'], 'end'),
  units: row('1 … permits', '1', ['permits'], (value, name) =>
    wholeNumber(value, 'units', MOST_PERMITS, name),
  ),
} as const satisfies Record<keyof UsingOptions | keyof LockServiceOptions, OptionRow> &
  Record<string, OptionRow>;

/** Checks the minimum hold of a call. @throws LockUsageError for one out of range, and for a maxHold that would end it */
export function checkMinHold(
  { minHold, maxHold }: Pick<UsingOptions, 'minHold' | 'maxHold'>,
  name: string,
): void {
  if (minHold === undefined) return;
  const least = OPTIONS.minHold.check(minHold, name);
  const most = maxHold === undefined ? Infinity : OPTIONS.maxHold.check(maxHold, name);
  if (most < least)
    throw new LockUsageError(
      `The option maxHold (${spelled(most)}) is shorter than minHold (${spelled(least)}): the lease would be lost, and the ` +
        'name free, before minHold is over.',
      name,
    );
}

/** The names of the options of some places, in the order of the table. */
export function namesFor(...places: readonly OptionPlace[]): ReadonlySet<string> {
  const rows = Object.entries<OptionRow>(OPTIONS);
  return new Set(rows.flatMap(([name, row]) => (row.places.some((at) => places.includes(at)) ? [name] : [])));
}

/** A row whose values the table says in words. */
export function row<T>(
  takes: string,
  otherwise: string,
  places: readonly OptionPlace[],
  check: OptionRow<T>['check'],
): OptionRow<T> {
  return { takes, otherwise, places, check };
}

/** A row that takes one of two words; the first is the default unless `otherwise` is given. */
export function word<const W extends string>(
  option: string,
  [first, second]: readonly [W, W],
  places: readonly OptionPlace[],
  otherwise: W = first,
): OptionRow<W> {
  return row(`\`'${first}'\`, \`'${second}'\``, `\`'${otherwise}'\``, places, (value, name) => {
    if (value === first || value === second) return value as W;
    throw new LockUsageError(
      `The option ${option} takes '${first}' or '${second}'; it was ${shown(value)}.`,
      name,
    );
  });
}

/** A row that takes true or false. */
export function flag(
  option: string,
  otherwise: 'true' | 'false',
  places: readonly OptionPlace[],
): OptionRow<boolean> {
  return row('true, false', otherwise, places, (value, name) => truth(value, option, name));
}

/** A row that takes a whole number from 1. */
export function whole(option: string, otherwise: string, places: readonly OptionPlace[]): OptionRow<number> {
  return row('1 … 2³⁰', otherwise, places, (value, name) => wholeNumber(value, option, WHOLE, name));
}

function duration(
  range: DurationRange,
  otherwise: string,
  places: readonly OptionPlace[],
): OptionRow<number> {
  const [from, to] = [range.min, range.max].map((ms) =>
    ms === 0 ? '0' : spelled(ms).replace(/[a-z]+$/, ' $&'),
  );
  const takes = `${from} … ${to}${range.infinite ? ' or Infinity' : ''}`;
  return row(takes, otherwise, places, (value) => milliseconds(value, range));
}

/** For options that can only be checked where they are used. */
function unchecked(value: unknown): unknown {
  return value;
}

function labelOf(label: unknown, name: string): string {
  if (typeof label === 'string' && label !== '' && Buffer.byteLength(label) <= LONGEST_LABEL)
    return label.replace(/[\r\n]/g, ' '); // in the record, each waiter is one line
  throw new LockUsageError(
    `The option label takes a text of 1 to ${LONGEST_LABEL} bytes; it was ${shown(label)}.`,
    name,
  );
}

function namespaceOf(namespace: unknown): string {
  if (typeof namespace === 'string' && /^[A-Za-z0-9_.-]{1,64}$/.test(namespace)) return namespace;
  throw new LockUsageError(
    `The option namespace takes 1 to 64 of the characters A-Z a-z 0-9 _ . -; it was ${shown(namespace)}.`,
  );
}

function nameFunction(nameOf: unknown): (name: string) => string {
  if (typeof nameOf === 'function') return nameOf as (name: string) => string;
  throw new LockUsageError(
    `The option nameOf takes a function that returns the name to lock; it was ${shown(nameOf)}.`,
  );
}

// An option of the registration alone: callers of one name share places in the queue and hand holds to each other, so
// that whoever asks for replicas could be handed a hold of somebody who does not.
function durabilityOf(durability: unknown): Durability {
  if (typeof durability !== 'object' || durability === null || Array.isArray(durability))
    throw new LockUsageError(
      `The option durability takes an object, such as { replicas: 2, timeout: '500ms' }; it was ${shown(durability)}.`,
    );
  refuseUnknown(durability, DURABILITY);
  const { replicas, timeout = REPLICA_PATIENCE } = durability as Record<string, unknown>;
  return {
    replicas: wholeNumber(replicas, 'durability.replicas', MOST_REPLICAS, ''),
    timeout: milliseconds(timeout, { option: 'durability.timeout', min: 10, max: 1_000 }),
  };
}

/** Undefined for none. */
function recorderOf(recorder: unknown): RecorderOptions | undefined {
  if (typeof recorder !== 'object' || recorder === null) {
    if (recorder === true) return {};
    if (recorder === false) return undefined;
    throw new LockUsageError(
      `The option recorder takes true, false, or an object, such as { signal: 'SIGUSR2' }; it was ${shown(recorder)}.`,
    );
  }
  refuseUnknown(recorder, RECORDER);
  const { signal } = recorder as Record<string, unknown>;
  if (signal === undefined) return {};
  return { signal: word('recorder.signal', ['SIGUSR2', 'SIGHUP'], []).check(signal, '') };
}
