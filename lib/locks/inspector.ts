import { shown } from '../base/duration.js';
import { LockUsageError } from '../base/lock-usage-error.js';
import { checkName } from '../base/name.js';
import { holderOf } from '../line/caller.js';
import type { LockReading, LockStore } from '../store/lock-store.js';
import type { LockReport } from './lock-report.js';
import { checkOptions, truth } from './lock-settings.js';

const PATIENCE = 1_000;
const REVOKE_OPTIONS: ReadonlySet<string> = new Set(['reason', 'force']);

/** What operators do: look at locks, and take them away. */
export class Inspector {
  constructor(private readonly store: LockStore) {}

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

  async revoke(name: string, options: { reason: string; force?: boolean }): Promise<boolean> {
    checkName(name);
    checkOptions(options, name, REVOKE_OPTIONS);
    const { reason, force } = options;
    if (typeof reason !== 'string' || reason === '')
      throw new LockUsageError(`The option reason takes a text for the log; it was ${shown(reason)}.`, name);
    const forced = force !== undefined && truth(force, 'force', name);
    const operation = { kind: 'revoke', reason, force: forced } as const;
    return (await this.store.execute(name, operation, PATIENCE)).count > 0;
  }
}

function reportOf({ name, key, state, now }: LockReading): LockReport {
  const holders = state.holders.filter(({ deadline }) => deadline > now);
  return {
    name,
    key,
    capacity: state.capacity,
    inUse: holders.reduce((sum, { units }) => sum + units, 0),
    holders: holders.map(({ who, units, since, deadline, first, last }) => ({
      ...person(who),
      units,
      since: new Date(since / 1_000),
      remaining: (deadline - now) / 1_000,
      fences: [first, last] as const,
    })),
    queue: state.queue.map(({ who, units, since }) => ({
      ...person(who),
      units,
      since: new Date(since / 1_000),
    })),
    ...(state.fence > 0 ? { fence: state.fence } : {}),
  };
}

function person(who: string): { host: string; pid: number; label?: string } {
  return holderOf(who) ?? { host: who, pid: 0 };
}
