import { hostname } from 'node:os';
import { shown } from '../base/duration.js';
import { LockUsageError } from '../base/errors.js';
import type { Request, Terms } from '../line/request.js';
import { WHOLE } from '../store/lock-machine.js';
import type { Durability } from '../store/lock-store.js';
import type { UsingOptions } from './lock.js';
import type { LockServiceOptions } from './lock-options.js';
import { LEAVES_AT_SHUTDOWN, type LeavesAtShutdown } from './hidden-options.js';
import { OPTIONS } from './option-table.js';

// The limits of the default wait.
const SHORTEST_WAIT = 10_000;
const LONGEST_WAIT = 30_000;

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
  readonly durability: Durability | undefined;
  /** `host:pid` of this process. */
  readonly process = `${hostname()}:${process.pid}`;
  private readonly guard: number | undefined;
  /** What the last call asked for. Most calls ask for the same, and share it. */
  private lastTerms: Terms | undefined;

  /** @throws LockUsageError that names the option, its range and its value. */
  constructor(options: LockServiceOptions) {
    if (typeof options !== 'object' || options === null)
      throw new LockUsageError(
        `The options of the lock module must be an object; they were ${shown(options)}.`,
      );
    // Defaults are for undefined only; null is a mistake and is refused.
    const { ttl = 10_000, wait, guard, fenceMemory = 60_000, shutdownGrace = 10_000 } = options;
    const { namespace = 'lock', startup = 'require', reentrant, durability } = options;
    this.ttl = OPTIONS.ttl.check(ttl, '');
    this.wait = wait === undefined ? undefined : OPTIONS.wait.check(wait, '');
    this.guard = guard === undefined ? undefined : OPTIONS.guard.check(guard, '');
    this.fenceMemory = OPTIONS.fenceMemory.check(fenceMemory, '');
    this.shutdownGrace = OPTIONS.shutdownGrace.check(shutdownGrace, '');
    this.namespace = OPTIONS.namespace.check(namespace, '');
    this.startup = OPTIONS.startup.check(startup, '');
    this.reentrant = reentrant === undefined ? false : OPTIONS.reentrant.check(reentrant, '');
    this.durability = durability === undefined ? undefined : OPTIONS.durability.check(durability, '');
  }

  /**
   * For how long a call waits. If neither the call nor the registration says so, it is longer than the lease of a holder
   * that dies can last, provided that the holder has the same ttl; but never longer than half a minute.
   * @throws LockUsageError
   */
  waitOf({ wait, ttl }: Pick<UsingOptions, 'wait' | 'ttl'>, otherwise = this.wait): number {
    if (wait !== undefined) return OPTIONS.wait.check(wait, '');
    return otherwise ?? this.defaultWait(ttl === undefined ? this.ttl : OPTIONS.ttl.check(ttl, ''));
  }

  private guardOf(ttl: number): number {
    return this.guard ?? Math.min(500, ttl / 4);
  }

  private defaultWait(ttl: number): number {
    return Math.min(Math.max(SHORTEST_WAIT, ttl + this.guardOf(ttl) + 1_000), LONGEST_WAIT);
  }

  /** What one call asks of the line; `otherwise` is its wait if it gives none, see `waitOf`. @throws LockUsageError */
  request(
    name: string,
    options: UsingOptions,
    otherwise = this.wait,
    share = { units: WHOLE, capacity: WHOLE },
    by: Request['by'] = 'acquire',
  ): Request {
    const ttl = options.ttl === undefined ? this.ttl : OPTIONS.ttl.check(options.ttl, name);
    const { signal, label, maxWaiters = Infinity } = options;
    if (maxWaiters !== Infinity) OPTIONS.maxWaiters.check(maxWaiters, name);
    if (signal !== undefined) OPTIONS.signal.check(signal, name);
    const wait =
      options.wait === undefined
        ? (otherwise ?? this.defaultWait(ttl))
        : OPTIONS.wait.check(options.wait, name);
    const identity =
      label === undefined ? this.process : `${this.process} ${OPTIONS.label.check(label, name)}`;
    return {
      name,
      terms: this.termsFor(ttl, wait === 0, share, identity),
      wait,
      renews: options.renew === undefined || OPTIONS.renew.check(options.renew, name),
      maxHold: options.maxHold === undefined ? Infinity : OPTIONS.maxHold.check(options.maxHold, name),
      maxWaiters,
      signal,
      by,
      unattended: false,
      leavesAtShutdown: (options as LeavesAtShutdown)[LEAVES_AT_SHUTDOWN] === true,
    };
  }

  private termsFor(
    ttl: number,
    once: boolean,
    { units, capacity }: Pick<Terms, 'units' | 'capacity'>,
    identity: string,
  ): Terms {
    const last = this.lastTerms;
    const same =
      last?.ttl === ttl &&
      last.once === once &&
      last.units === units &&
      last.capacity === capacity &&
      last.identity === identity;
    return same
      ? last
      : (this.lastTerms = { once, units, capacity, ttl, guard: this.guardOf(ttl), identity });
  }
}
