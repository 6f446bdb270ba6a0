import { shown } from '../base/duration.js';
import { LockUsageError } from '../base/lock-usage-error.js';
import { checkName } from '../base/name.js';
import { holderOf } from '../line/caller.js';
import { WHOLE, type LockState } from '../store/lock-state.js';
import type { LockReading, LockStore } from '../store/lock-store.js';
import { livingWaiters } from '../store/lock-machine.js';
import type { LockKind, LockReport } from './lock-report.js';
import { checkOptions, truth } from './lock-settings.js';

const PATIENCE = 1_000;
const REVOKE_OPTIONS: ReadonlySet<string> = new Set(['reason', 'force']);
const LONGEST_REASON = 512;

/** What operators do: look at locks, and take them away. */
export class Inspector {
  constructor(
    private readonly store: LockStore,
    private readonly log: { warn(message: string): void },
  ) {}

  async inspect(name: string): Promise<LockReport> {
    return reportOf(await this.store.read(checkName(name), PATIENCE));
  }

  async *list(): AsyncGenerator<LockReport> {
    const told = new Set<string>(); // a walk may come to a name again
    for await (const page of this.store.list(PATIENCE))
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
    const { count, who } = await this.store.execute(name, operation, PATIENCE);
    if (count > 0) this.log.warn(revocation(name, reason, forced, count, who));
    return count > 0;
  }
}

/** What the log of the one who revoked says. */
function revocation(name: string, reason: string, forced: boolean, count: number, who: string): string {
  const others = count > 1 ? ` and ${count - 1} more` : '';
  const then = forced
    ? 'The name is free now; only fences protect what they still write.'
    : 'The name is free when they give it back, or when their leases end.';
  return `The lock '${name}' was revoked${forced ? ' by force' : ''} (${reason}). It was held by ${who}${others}. ${then}`;
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
    holders: holders.map(({ who, units, since, deadline, first, last, revocation: revokeReason }) => ({
      ...person(who),
      kind: kindOf(units, state),
      units,
      since: new Date(since / 1_000),
      ...(revokeReason === undefined ? {} : { revokeReason }),
      remaining: (deadline - now) / 1_000,
      fences: [first, last] as const,
    })),
    queue: queue.map(({ who, units, since }) => ({
      ...person(who),
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

function person(who: string): { host: string; pid: number; label?: string } {
  return holderOf(who) ?? { host: who, pid: 0 };
}
