import type { Fault } from './fault.js';
import { scheduleOf, type Kind, type Schedule } from './schedule.js';
import { shrink } from './shrink.js';
import { Simulation, type Tamper } from './simulation.js';

/** What a campaign showed; one without a violation kept every promise. */
export interface Findings {
  readonly schedules: number;
  readonly grants: number;
  readonly faults: Partial<Record<Fault['kind'], number>>;
  /** The least by which the server kept a lease longer than its guard, in milliseconds. */
  margin: number;
}

/** How many schedules each of the three kinds runs: SIM_SCHEDULES in all, 2 000 by default. */
const SCHEDULES = Math.ceil(Number(process.env['SIM_SCHEDULES'] ?? 2_000) / 3);
/** Where the seeds begin; with SIM_SEED a failure is repeated. */
const FIRST = Number(process.env['SIM_SEED'] ?? 1);

export const PATIENCE = 3_600_000;

/**
 * Runs random schedules of one kind; throws at the first broken promise, with the seed and the least schedule
 * that breaks it. `tamper` breaks the server on purpose.
 */
export async function campaign(
  kind: Kind,
  {
    schedules = SCHEDULES,
    first = FIRST,
    tamper,
    alter = (schedule) => schedule,
  }: { schedules?: number; first?: number; tamper?: Tamper; alter?: (schedule: Schedule) => Schedule } = {},
): Promise<Findings> {
  const found = { schedules, grants: 0, faults: {} as Findings['faults'], margin: Infinity };
  const loose: unknown[] = [];
  const hear = (reason: unknown): void => void loose.push(reason);
  process.on('unhandledRejection', hear);
  try {
    for (let seed = first; seed < first + schedules; seed += 1) {
      const schedule = alter(scheduleOf(kind, seed));
      const { violation, grants, margin } = await new Simulation(schedule, { tamper }).run();
      await new Promise((resolve) => setImmediate(resolve));
      if (loose.length > 0) throw new Error(`${seedOf(schedule)}: nobody handles ${String(loose[0])}`);
      if (violation) throw new Error(await reportOf(schedule, violation, tamper));
      found.grants += grants;
      found.margin = Math.min(found.margin, margin);
      for (const fault of schedule.faults) found.faults[fault.kind] = (found.faults[fault.kind] ?? 0) + 1;
    }
  } finally {
    process.off('unhandledRejection', hear);
  }
  if (process.env['SIM_SCHEDULES']) console.info(`${kind} from seed ${first}: ${JSON.stringify(found)}`);
  return found;
}

function seedOf({ seed, kind }: Schedule): string {
  return `SIM_SEED=${seed} SIM_SCHEDULES=3 (${kind})`;
}

async function reportOf(schedule: Schedule, violation: string, tamper: Tamper | undefined): Promise<string> {
  const least = await shrink(schedule, violation, tamper);
  const { violation: stillBroken, trace } = await new Simulation(least, { traced: true, tamper }).run();
  return [
    `${seedOf(schedule)}: ${violation}`,
    `The least schedule that breaks it: ${stillBroken ?? 'none'}`,
    JSON.stringify(least, (_, value: unknown) => (value === Infinity ? 'Infinity' : value)),
    ...trace.slice(-150),
  ].join('\n');
}
