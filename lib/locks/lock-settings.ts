import { hostname } from 'node:os';
import { shown, spelled } from '../base/duration.js';
import { LockError, LockUsageError } from '../base/errors.js';
import { checkName } from '../base/name.js';
import type { HeldLease, Request, Span, Terms } from '../line/request.js';
import { WHOLE } from '../store/lock-machine.js';
import type { Durability } from '../store/lock-store.js';
import type { UsingOptions } from './lock.js';
import type { LockServiceOptions, RecorderOptions } from './lock-options.js';
import { LEAVES_AT_SHUTDOWN, type LeavesAtShutdown } from './hidden-options.js';
import { OPTIONS } from './option-table.js';

// The limits of the default wait.
const SHORTEST_WAIT = 10_000;
const LONGEST_WAIT = 30_000;

/** How many of the units of a name a call takes. */
export type Share = Pick<Terms, 'units' | 'capacity'>;

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
  readonly deadlock: 'warn' | 'fail';
  readonly durability: Durability | undefined;
  readonly clientTracking: boolean;
  /** How acquisitions are recorded; undefined when they are not. */
  readonly recorder: RecorderOptions | undefined;
  /** After how many milliseconds a held lease is reported; undefined for never. */
  readonly leakDetectionThreshold: number | undefined;
  /** Makes the name that is locked of the one that a caller gives. */
  readonly nameOf: LockServiceOptions['nameOf'];
  /** `host:pid` of this process. */
  readonly process = `${hostname()}:${process.pid}`;
  private readonly guard: number | undefined;
  /** What the last call asked for. Most calls ask for the same, and share it. */
  private lastTerms: Terms | undefined;
  /** Callers of one name mostly ask for the same; thousands of them may wait with one request. */
  private lastRequest: Request | undefined;

  /** @throws LockUsageError that names the option, its range and its value. */
  constructor(options: LockServiceOptions) {
    if (typeof options !== 'object' || options === null)
      throw new LockUsageError(
        `The options of the lock module must be an object; they were ${shown(options)}.`,
      );
    // Defaults are for undefined only; null is a mistake and is refused.
    const { ttl = 10_000, wait, guard, fenceMemory = 60_000, shutdownGrace = 10_000 } = options;
    const {
      namespace = 'lock',
      startup = 'require',
      reentrant,
      deadlock,
      durability,
      clientTracking = false,
      recorder = false,
      nameOf,
      leakDetectionThreshold,
    } = options;
    this.ttl = OPTIONS.ttl.check(ttl, '');
    this.wait = wait === undefined ? undefined : OPTIONS.wait.check(wait, '');
    this.guard = guard === undefined ? undefined : OPTIONS.guard.check(guard, '');
    this.fenceMemory = OPTIONS.fenceMemory.check(fenceMemory, '');
    this.shutdownGrace = OPTIONS.shutdownGrace.check(shutdownGrace, '');
    this.namespace = OPTIONS.namespace.check(namespace, '');
    this.startup = OPTIONS.startup.check(startup, '');
    this.reentrant = reentrant === undefined ? false : OPTIONS.reentrant.check(reentrant, '');
    this.deadlock = deadlock === undefined ? 'warn' : OPTIONS.deadlock.check(deadlock, '');
    this.durability = durability === undefined ? undefined : OPTIONS.durability.check(durability, '');
    this.recorder = OPTIONS.recorder.check(recorder, '');
    this.clientTracking = OPTIONS.clientTracking.check(clientTracking, '');
    this.leakDetectionThreshold =
      leakDetectionThreshold === undefined
        ? undefined
        : OPTIONS.leakDetectionThreshold.check(leakDetectionThreshold, '');
    this.nameOf = nameOf === undefined ? undefined : OPTIONS.nameOf.check(nameOf, '');
  }

  /** The name that a call locks when its caller says `name`. @throws LockUsageError, and what `nameOf` throws */
  nameNow(name: string): string {
    const { nameOf } = this;
    return nameOf === undefined ? name : madeName(nameOf, name);
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

  /** How long a lease of `ttl` lasts in all. */
  spanOf(ttl: number): Span {
    return { ttl, guard: this.guardOf(ttl) };
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
    held?: () => readonly HeldLease[],
  ): Request {
    const ttl = options.ttl === undefined ? this.ttl : OPTIONS.ttl.check(options.ttl, name);
    const { signal, label, maxWaiters = Infinity } = options;
    if (maxWaiters !== Infinity) OPTIONS.maxWaiters.check(maxWaiters, name);
    if (signal !== undefined) OPTIONS.signal.check(signal, name);
    const deadlock =
      options.deadlock === undefined ? this.deadlock : OPTIONS.deadlock.check(options.deadlock, name);
    const wait =
      options.wait === undefined
        ? (otherwise ?? this.defaultWait(ttl))
        : OPTIONS.wait.check(options.wait, name);
    const identity =
      label === undefined ? this.process : `${this.process} ${OPTIONS.label.check(label, name)}`;
    const linger = options.linger === undefined ? 0 : this.lingerOf(options.linger, ttl, share, name);
    const terms = this.termsFor(ttl, wait === 0, share, identity, linger > 0);
    const renews = options.renew === undefined || OPTIONS.renew.check(options.renew, name);
    const maxHold = options.maxHold === undefined ? Infinity : OPTIONS.maxHold.check(options.maxHold, name);
    const leavesAtShutdown = (options as LeavesAtShutdown)[LEAVES_AT_SHUTDOWN] === true;
    const last = this.lastRequest;
    const same =
      held === undefined &&
      last?.name === name &&
      last.terms === terms &&
      last.wait === wait &&
      last.linger === linger &&
      last.renews === renews &&
      last.maxHold === maxHold &&
      last.maxWaiters === maxWaiters &&
      last.signal === signal &&
      last.by === by &&
      last.leavesAtShutdown === leavesAtShutdown;
    if (same) return last;
    const request: Request = {
      name,
      terms,
      wait,
      linger,
      renews,
      maxHold,
      maxWaiters,
      signal,
      holding: held && { leases: held, yields: deadlock === 'fail' },
      by,
      unattended: false,
      leavesAtShutdown,
    };
    // What refers to somebody's signal or context is not kept.
    if (held === undefined && signal === undefined) this.lastRequest = request;
    return request;
  }

  private termsFor(
    ttl: number,
    once: boolean,
    { units, capacity }: Share,
    identity: string,
    lingers: boolean,
  ): Terms {
    const last = this.lastTerms;
    const same =
      last?.ttl === ttl &&
      last.once === once &&
      last.units === units &&
      last.capacity === capacity &&
      last.identity === identity &&
      last.lingers === lingers;
    return same
      ? last
      : (this.lastTerms = { once, units, capacity, ttl, guard: this.guardOf(ttl), identity, lingers });
  }

  /** Checks whether calls for such a share may linger. @throws LockUsageError */
  checkLinger({ linger, ttl }: Pick<UsingOptions, 'linger' | 'ttl'>, share: Share): void {
    if (linger !== undefined)
      this.lingerOf(linger, ttl === undefined ? this.ttl : OPTIONS.ttl.check(ttl, ''), share, '');
  }

  /** @throws LockUsageError where nothing may linger, or not for so long */
  private lingerOf(given: unknown, ttl: number, { units, capacity }: Share, name: string): number {
    const linger = OPTIONS.linger.check(given, name);
    if (linger === 0) return 0;
    if (units !== capacity)
      throw new LockUsageError(
        `The option linger is for locks that exclude every other, not for readers and permits; it was ${shown(given)}.`,
        name,
      );
    if (this.durability)
      throw new LockUsageError(
        `The option linger cannot be given where the registration has durability: no replica acknowledges what is granted ` +
          `without the store. It was ${shown(given)}.`,
        name,
      );
    if (linger > ttl)
      throw new LockUsageError(
        `The option linger takes at most the ttl of the call (${spelled(ttl)}); it was ${shown(given)}.`,
        name,
      );
    return linger;
  }
}

function madeName(nameOf: (name: string) => string, name: string): string {
  const made = nameOf(checkName(name)); // so that a missing value is found before a prefix hides it
  try {
    return checkName(made);
  } catch (error) {
    if (!LockError.is(error)) throw error;
    throw new LockUsageError(
      `The function given as option nameOf was called for '${name}': ${error.message}`,
      name,
    );
  }
}
