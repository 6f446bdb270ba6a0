import { shown } from '../base/duration.js';
import { LockUsageError } from '../base/errors.js';
import { checkName } from '../base/name.js';
import { MOST_TOLD } from '../line/deadlock-watch.js';
import { holderOf } from '../line/request.js';
import { publishRevoked } from '../line/lock-channels.js';
import type { LockReading, LockStore } from '../store/lock-store.js';
import { livingWaiters, mayLinger, WHOLE, type LockState } from '../store/lock-machine.js';
import type { StuckHold } from '../store/lock-operation.js';
import { checkOptions, truth } from './checks.js';
import { type LockLog, warn } from './lock-log.js';

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
  /** When the store answered, by its clock: that of `since`, too. */
  readonly at: Date;
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
    /**
     * Set when its process may keep the lock after its last use (`linger`): perhaps nobody works under it. Only that process
     * knows; it gives the lock back as soon as somebody asks for it.
     */
    readonly mayLinger?: true;
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
    /**
     * What calls of that process hold until this wait is over, as the process told the store: what they held when
     * they began to wait here, and then what is held by calls that wait for that in turn. At most 16 exclusive leases, told
     * after a quarter of a second and with each sign of life; undefined when there are none.
     */
    readonly holds?: readonly {
      readonly name: string;
      readonly fence: number;
      /** What the call that holds `name` waits for: the name of this report, or another one of `holds`. */
      readonly waitsFor: string;
    }[];
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
    private readonly log: LockLog,
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
    const fields = { lock: name, reason, holder, count };
    if (count > 0) warn(this.log, 'revoked', revocation(name, reason, forced, count, holder), fields);
    if (count > 0) tellRevocation(name, reason, forced, count, holder);
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

function tellRevocation(
  name: string,
  reason: string,
  force: boolean,
  holders: number,
  identity: string,
): void {
  const holder = holderOf(identity);
  publishRevoked({ name, reason, force, holders, ...(holder && { holder }) });
}

function reportOf({ name, key, state, now }: LockReading): LockReport {
  const { capacity, fence } = state;
  const holders = state.holders.filter(({ deadline }) => deadline > now);
  const queue = livingWaiters(state, now);
  const used = holders.length + queue.length > 0;
  return {
    name,
    at: new Date(now / 1_000),
    key,
    ...(used && capacity !== WHOLE ? { permits: capacity } : {}),
    capacity: used ? capacity : 0,
    inUse: holders.reduce((sum, { units }) => sum + units, 0),
    holders: holders.map(
      ({ id, identity, units, since, deadline, first, last, revocation: revokeReason }) => ({
        ...person(identity),
        kind: kindOf(units, state),
        units,
        since: new Date(since / 1_000),
        ...(revokeReason === undefined ? {} : { revokeReason }),
        ...(mayLinger(id) ? { mayLinger: true as const } : {}),
        remaining: (deadline - now) / 1_000,
        fences: [first, last] as const,
      }),
    ),
    queue: queue.map(({ identity, units, since, holding }) => ({
      ...person(identity),
      kind: kindOf(units, state),
      units,
      since: new Date(since / 1_000),
      ...(holding && { holds: holdsOf(holding, name) }),
    })),
    ...(fence > 0 ? { fence } : {}),
  };
}

/** What stands in a queue entry of `queue`; a place that does not exist, which no process of ours writes, is left out. */
function holdsOf(holding: readonly StuckHold[], queue: string) {
  return holding.slice(0, MOST_TOLD).flatMap(({ name, fence, behind }) => {
    const waitsFor = behind < 0 ? queue : holding[behind]?.name;
    return waitsFor === undefined ? [] : [{ name, fence, waitsFor }];
  });
}

function kindOf(units: number, { capacity }: LockState): LockKind {
  if (capacity !== WHOLE) return 'semaphore';
  return units === WHOLE ? 'exclusive' : 'shared';
}

function person(identity: string): { host: string; pid: number; label?: string } {
  return holderOf(identity) ?? { host: identity, pid: 0 };
}
