import type { Schedule } from './schedule.js';
import { Simulation, type Tamper } from './simulation.js';

const MOST_RUNS = 400;

/** A smaller schedule that still breaks the promise: callers and faults are left out as long as it does. */
export async function shrink(schedule: Schedule, violation: string, tamper?: Tamper): Promise<Schedule> {
  let [least, runs] = [schedule, 0];
  const fails = async (candidate: Schedule): Promise<boolean> => {
    runs += 1;
    const { violation: found } = await new Simulation(candidate, { tamper }).run();
    return found !== undefined && kindOf(found) === kindOf(violation);
  };
  for (let smaller = true; smaller;) {
    smaller = false;
    for (const part of ['faults', 'callers'] as const)
      for (let size = Math.ceil(least[part].length / 2); size >= 1; size = size > 1 ? Math.ceil(size / 2) : 0)
        for (let from = 0; from < least[part].length && runs < MOST_RUNS;) {
          const kept = [...least[part].slice(0, from), ...least[part].slice(from + size)];
          const candidate = { ...least, [part]: kept };
          if (candidate.callers.length > 0 && (await fails(candidate))) {
            least = candidate;
            smaller = true;
          } else from += size;
        }
  }
  return least;
}

/** The words of a violation, without who and when. */
function kindOf(violation: string): string {
  return violation.replace(/p?[\d.#]+/g, '');
}
