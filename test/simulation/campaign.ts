import { scheduleOf, type Kind, type Schedule } from './schedule.js';
import { shrink } from './shrink.js';
import { Simulation } from './simulation.js';

/** How many schedules each of the three kinds runs: SIM_SCHEDULES in all, 2 000 by default. */
const SCHEDULES = Math.ceil(Number(process.env['SIM_SCHEDULES'] ?? 2_000) / 3);
/** Where the seeds begin; with SIM_SEED a failure is repeated. */
const FIRST = Number(process.env['SIM_SEED'] ?? 1);

export const PATIENCE = 3_600_000;

/** Runs the schedules of one kind; throws at the first broken promise, with the least schedule that breaks it. */
export async function campaign(kind: Kind): Promise<{ schedules: number; grants: number; margin: number }> {
  let [grants, margin] = [0, Infinity];
  const loose: unknown[] = [];
  const hear = (reason: unknown): void => void loose.push(reason);
  process.on('unhandledRejection', hear);
  try {
    for (let seed = FIRST; seed < FIRST + SCHEDULES; seed += 1) {
      const schedule = scheduleOf(kind, seed);
      const verdict = await new Simulation(schedule).run();
      await new Promise((resolve) => setImmediate(resolve));
      if (loose.length > 0) throw new Error(`SIM_SEED=${seed} (${kind}): nobody handles ${String(loose[0])}`);
      if (verdict.violation) throw new Error(await reportOf(schedule, verdict.violation));
      grants += verdict.grants;
      margin = Math.min(margin, verdict.margin);
    }
  } finally {
    process.off('unhandledRejection', hear);
  }
  return { schedules: SCHEDULES, grants, margin };
}

async function reportOf(schedule: Schedule, violation: string): Promise<string> {
  const least = await shrink(schedule, violation);
  const { violation: stillBroken, trace } = await new Simulation(least, true).run();
  return [
    `SIM_SEED=${schedule.seed} SIM_SCHEDULES=3 (${schedule.kind}): ${violation}`,
    `The least schedule that breaks a promise: ${stillBroken ?? 'none'}`,
    JSON.stringify(least, (_, value: unknown) => (value === Infinity ? 'Infinity' : value)),
    ...trace.slice(-150),
  ].join('\n');
}
