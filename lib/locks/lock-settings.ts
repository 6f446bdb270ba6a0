import { hostname } from 'node:os';
import { milliseconds, shown, type DurationRange } from '../base/duration.js';
import { LockUsageError } from '../base/lock-usage-error.js';
import type { Request } from '../line/request.js';
import { WHOLE } from '../store/lock-state.js';
import type { UsingOptions } from './lock.js';
import type { LockServiceOptions } from './lock-options.js';
import { LEAVES_AT_SHUTDOWN, type LeavesAtShutdown } from './leaves-at-shutdown.js';
import { wholeNumber } from './whole-number.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** The range of `ttl`, of leases and of latches. */
export const TTL: DurationRange = { option: 'ttl', min: 100, max: DAY };
/** The range of `wait`. */
export const WAIT: DurationRange = { option: 'wait', min: 0, max: DAY, infinite: true };
/** The range of `doneTtl`. */
export const DONE_TTL: DurationRange = { option: 'doneTtl', min: 100, max: DAY };
const MAX_HOLD: DurationRange = { option: 'maxHold', min: 100, max: DAY };
/** The range of `minHold`. */
export const MIN_HOLD: DurationRange = { option: 'minHold', min: 0, max: DAY };
const upToADay = (option: string): DurationRange => ({ option, min: 0, max: DAY });
const LONGEST_LABEL = 128;
// Of waits that nobody chose.
const SHORTEST_WAIT = 10_000;
const LONGEST_WAIT = 30_000;

/** The options of `acquire` and `tryAcquire`. */
export const ACQUIRE_OPTIONS: ReadonlySet<string> = new Set([
  ...['wait', 'ttl', 'signal', 'label', 'renew', 'maxHold', 'maxWaiters'],
]);
/** The options of `using`. */
export const USING_OPTIONS: ReadonlySet<string> = new Set([
  ...ACQUIRE_OPTIONS,
  ...['reentrant', 'within', 'onStoreError', 'minHold'],
]);
/** The options of `lease.using`. */
export const ENTRY_OPTIONS: ReadonlySet<string> = new Set(['wait', 'signal']);
/** The options of `lead`. */
export const LEAD_OPTIONS: ReadonlySet<string> = new Set(['ttl', 'label', 'renew', 'maxHold']);

/** The checked options of a registration, in milliseconds. */
export class LockSettings {
  readonly namespace: string;
  readonly ttl: number;
  /** Undefined when none was given: then it depends on the ttl of a call. */
  readonly wait: number | undefined;
  readonly fenceMemory: number;
  readonly shutdownGrace: number;
  readonly startup: 'require' | 'warn';
  readonly reentrant: boolean;
  /** `host:pid` of this process. */
  readonly process = `${hostname()}:${process.pid}`;
  private readonly guard: number | undefined;

  /** @throws LockUsageError that names the option, its range and its value. */
  constructor(options: LockServiceOptions) {
    if (typeof options !== 'object' || options === null)
      throw new LockUsageError(`The options of the lock module are an object; they were ${shown(options)}.`);
    // Defaults are for undefined only: null is a mistake, and is told as one.
    const { ttl = 10_000, wait, guard, fenceMemory = 60_000, shutdownGrace = 10_000 } = options;
    const { namespace = 'lock', startup = 'require' } = options;
    this.ttl = milliseconds(ttl, TTL);
    this.wait = wait === undefined ? undefined : milliseconds(wait, WAIT);
    this.guard = guard === undefined ? undefined : milliseconds(guard, upToADay('guard'));
    this.fenceMemory = milliseconds(fenceMemory, upToADay('fenceMemory'));
    this.shutdownGrace = milliseconds(shutdownGrace, upToADay('shutdownGrace'));
    this.namespace = namespaceOf(namespace);
    this.startup = startupOf(startup);
    this.reentrant = truth(options.reentrant ?? false, 'reentrant', '');
  }

  /**
   * For how long a call waits. Not said by the call or the registration, it is longer than the lease of a holder that
   * dies meanwhile can last, if its ttl is that of the caller; but never longer than half a minute. @throws LockUsageError
   */
  waitOf({ wait, ttl }: Pick<UsingOptions, 'wait' | 'ttl'>, otherwise = this.wait): number {
    if (wait !== undefined) return milliseconds(wait, WAIT);
    return otherwise ?? this.defaultWait(ttl === undefined ? this.ttl : milliseconds(ttl, TTL));
  }

  private guardOf(ttl: number): number {
    return this.guard ?? Math.min(500, ttl / 4);
  }

  private defaultWait(ttl: number): number {
    return Math.min(Math.max(SHORTEST_WAIT, ttl + this.guardOf(ttl) + 1_000), LONGEST_WAIT);
  }

  /** What one call asks of the line; its wait is `otherwise` unless it says so, see `waitOf`. @throws LockUsageError */
  request(
    name: string,
    options: UsingOptions,
    otherwise = this.wait,
    share = { units: WHOLE, capacity: WHOLE },
    by: Request['by'] = 'acquire',
  ): Request {
    const ttl = options.ttl === undefined ? this.ttl : milliseconds(options.ttl, TTL);
    const { signal, label, maxWaiters = Infinity } = options;
    if (maxWaiters !== Infinity) wholeNumber(maxWaiters, 'maxWaiters', WHOLE, name);
    abortSignal(signal, name);
    const wait =
      options.wait === undefined ? (otherwise ?? this.defaultWait(ttl)) : milliseconds(options.wait, WAIT);
    return {
      name,
      terms: {
        once: wait === 0,
        units: share.units,
        capacity: share.capacity,
        ttl,
        guard: this.guardOf(ttl),
        who: label === undefined ? this.process : `${this.process} ${labelOf(label, name)}`,
      },
      wait,
      renews: truth(options.renew, 'renew', name),
      maxHold: options.maxHold === undefined ? Infinity : milliseconds(options.maxHold, MAX_HOLD),
      maxWaiters,
      signal,
      by,
      unattended: false,
      leavesAtShutdown: (options as LeavesAtShutdown)[LEAVES_AT_SHUTDOWN] === true,
    };
  }
}

/** Checks what a call is given as its options, by name. @throws LockUsageError */
export function checkOptions(options: unknown, name: string, known: ReadonlySet<string>): void {
  if (typeof options === 'object' && options !== null && !Array.isArray(options))
    return refuseUnknown(options, known, name);
  throw new LockUsageError(
    `The options are an object, such as { wait: '5s' }; they were ${shown(options)}.`,
    name,
  );
}

/**
 * Refuses an option that does not exist, which a mistyped name is: it would have no effect, in silence. One that is
 * undefined counts as not given.
 *
 * @throws LockUsageError that names the options there are
 */
export function refuseUnknown(options: object, known: ReadonlySet<string>, name?: string): void {
  // for…in, not Object.keys: calls come through here at the rate of the locks.
  for (const option in options)
    if (!known.has(option) && (options as Record<string, unknown>)[option] !== undefined)
      throw new LockUsageError(
        `There is no option ${shown(option)} here; there ${known.size === 1 ? 'is only' : 'are'} ${[...known].join(', ')}.`,
        name,
      );
}

/** The option signal. @throws LockUsageError */
export function abortSignal(signal: unknown, name: string): AbortSignal | undefined {
  if (signal === undefined || signal instanceof AbortSignal) return signal;
  throw new LockUsageError(`The option signal takes an AbortSignal; it was ${shown(signal)}.`, name);
}

/** The value of an option that is true unless given. @throws LockUsageError */
export function truth(value: unknown, option: string, name: string): boolean {
  if (value === undefined || typeof value === 'boolean') return value ?? true;
  throw new LockUsageError(`The option ${option} takes true or false; it was ${shown(value)}.`, name);
}

function labelOf(label: unknown, name: string): string {
  if (typeof label === 'string' && label !== '' && Buffer.byteLength(label) <= LONGEST_LABEL)
    return label.replace(/[\r\n]/g, ' '); // who waits has a line in the record
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

function startupOf(startup: unknown): 'require' | 'warn' {
  if (startup === 'require' || startup === 'warn') return startup;
  throw new LockUsageError(`The option startup takes 'require' or 'warn'; it was ${shown(startup)}.`);
}
