import { shown } from '../base/duration.js';
import { LockUsageError } from '../base/errors.js';
import { checkName } from '../base/name.js';
import { holderOf } from '../line/caller.js';
import type { LockReading, LockStore } from '../store/lock-store.js';
import { livingWaiters, WHOLE, type LockState } from '../store/lock-machine.js';
import { checkOptions, truth } from './checks.js';

/**
 * How a name is held or waited for: `exclusive` by a mutex or a writer, `shared` by a reader, or `semaphore` for
 * permits of a semaphore.
 *
 * @publicApi
 */
export type LockKind = 'exclusive' | 'shared' | 'semaphore';

/**
 * What `inspect` reports about one name: a snapshot from the moment when the store answered.
 *
 * @publicApi
 */
export interface LockReport {
  readonly name: string;
  /** The key in the store. */
  readonly key: string;
  /**
   * How many permits there are, when the name is in use as a semaphore; undefined for mutexes and read-write locks, and
   * when nobody uses the name.
   */
  readonly permits?: number;
  /**
   * How many units the name has: the permits of a semaphore; 2³⁰ for mutexes and read-write locks, of which a writer
   * or mutex takes all and a reader one; 0 when nobody uses the name.
   */
  readonly capacity: number;
  /** How many of these units the holders have together. */
  readonly inUse: number;
  /** The holding processes. */
  readonly holders: readonly {
    readonly host: string;
    readonly pid: number;
    readonly label?: string;
    readonly kind: LockKind;
    /** The permits of a semaphore; 1 for a reader, and 2³⁰ for a mutex or writer. */
    readonly units: number;
    readonly since: Date;
    /**
     * Why an operator revoked it: the name is free when this holder gives it back, or after `remaining`. Undefined
     * while nobody revoked it; '' when the reason is not known.
     */
    readonly revokeReason?: string;
    /** Milliseconds until the store frees it unless renewed (the guard is in it). */
    readonly remaining: number;
    /** The first and the last fence the process may use. */
    readonly fences: readonly [number, number];
  }[];
  /** The waiting processes, in order of arrival. A process without a sign of life for 15 s is left out. */
  readonly queue: readonly {
    readonly host: string;
    readonly pid: number;
    readonly label?: string;
    readonly kind: LockKind;
    readonly units: number;
    readonly since: Date;
  }[];
  /** The last fence used or reserved; undefined when the store remembers none. */
  readonly fence?: number;
}

const COMMAND_TIMEOUT = 1_000;
const REVOKE_OPTIONS: ReadonlySet<string> = new Set(['reason', 'force']);
const LONGEST_REASON = 512;

/** What operators need: reports about locks, and revocation. */
export class Inspector {
  constructor(
    private readonly store: LockStore,
    private readonly log: { warn(message: string): void },
  ) {}

  async inspect(name: string): Promise<LockReport> {
    return reportOf(await this.store.read(checkName(name), COMMAND_TIMEOUT));
  }

  async *list(): AsyncGenerator<LockReport> {
    const told = new Set<string>(); // a walk may come to the same name twice
    for await (const page of this.store.list(COMMAND_TIMEOUT))
      for (const report of page.map(reportOf)) {
        if (told.has(report.name) || report.holders.length + report.queue.length === 0) continue;
        told.add(report.name);
        yield report;
      }
  }

  async revoke(name: string, options: { reason: string; force?: boolean | undefined }): Promise<boolean> {
    checkName(name);
    checkOptions(options, name, REVOKE_OPTIONS);
    const { reason, force } = options;
    if (typeof reason !== 'string' || reason === '' || Buffer.byteLength(reason) > LONGEST_REASON)
      throw new LockUsageError(
        `The option reason takes a text for the log, of 1 to ${LONGEST_REASON} bytes; it was ${shown(reason)}.`,
        name,
      );
    const forced = force !== undefined && truth(force, 'force', name);
    const operation = { kind: 'revoke', reason, force: forced } as const;
    const { count, holder } = await this.store.execute(name, operation, COMMAND_TIMEOUT);
    if (count > 0) this.log.warn(revocation(name, reason, forced, count, holder));
    return count > 0;
  }
}

/** The line in the log of the process that revoked. */
function revocation(name: string, reason: string, forced: boolean, count: number, holder: string): string {
  const others = count > 1 ? ` and ${count - 1} more` : '';
  const then = forced
    ? 'The name is free now; only fences protect what they still write.'
    : 'The name is free when they give it back, or when their leases end.';
  return `The lock '${name}' was revoked${forced ? ' by force' : ''} (${reason}). It was held by ${holder}${others}. ${then}`;
}

function reportOf({ name, key, state, now }: LockReading): LockReport {
  const { capacity, fence } = state;
  const holders = state.holders.filter(({ deadline }) => deadline > now);
  const queue = livingWaiters(state, now);
  const used = holders.length + queue.length > 0;
  return {
    name,
    key,
    ...(used && capacity !== WHOLE ? { permits: capacity } : {}),
    capacity: used ? capacity : 0,
    inUse: holders.reduce((sum, { units }) => sum + units, 0),
    holders: holders.map(({ identity, units, since, deadline, first, last, revocation: revokeReason }) => ({
      ...person(identity),
      kind: kindOf(units, state),
      units,
      since: new Date(since / 1_000),
      ...(revokeReason === undefined ? {} : { revokeReason }),
      remaining: (deadline - now) / 1_000,
      fences: [first, last] as const,
    })),
    queue: queue.map(({ identity, units, since }) => ({
      ...person(identity),
      kind: kindOf(units, state),
      units,
      since: new Date(since / 1_000),
    })),
    ...(fence > 0 ? { fence } : {}),
  };
}

function kindOf(units: number, { capacity }: LockState): LockKind {
  if (capacity !== WHOLE) return 'semaphore';
  return units === WHOLE ? 'exclusive' : 'shared';
}

function person(identity: string): { host: string; pid: number; label?: string } {
  return holderOf(identity) ?? { host: identity, pid: 0 };
}
