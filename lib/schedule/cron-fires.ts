import type { Fire, FirePlan } from '../index.js';

/** What is needed of a `CronTime` of the package `cron`, on which @nestjs/schedule is built. */
interface CronTimes {
  readonly realDate: boolean;
  readonly source: unknown;
  readonly timeZone?: string | undefined;
  readonly utcOffset?: number | undefined;
  getNextDateFrom(start: Date, timeZone?: string): { toMillis(): number };
}

/**
 * A job of the package `cron`, as the `SchedulerRegistry` of @nestjs/schedule has it.
 *
 * @publicApi
 */
export interface ScheduledJob {
  readonly cronTime: CronTimes;
}

const SECOND = 1_000;
const HOUR = 3_600_000;
// A run is never later than an hour, so what lies further back does not matter.
const FURTHEST = 2 * HOUR;

/**
 * The fires of a job that is added to the `SchedulerRegistry` by hand, for `runOncePerFire`. The job's present schedule
 * counts, also after `setTime`.
 *
 * @publicApi
 */
export function firesOf(job: ScheduledJob, options: Pick<FirePlan, 'mark' | 'doneTtl'> = {}): FirePlan {
  return { ...options, nearest: (now) => nearestFire(job.cronTime, now) };
}

/** The fire of a schedule that is nearest to `now`, on either side. */
export function nearestFire(times: CronTimes, now: Date): Fire {
  if (times.realDate)
    return { at: new Date((times.source as { toMillis(): number }).toMillis()), period: Infinity };
  const at = now.getTime();
  const next = fireAfter(times, at);
  const last = fireBefore(times, at);
  if (last === undefined) return { at: new Date(next), period: next - at + FURTHEST };
  return { at: new Date(at - last <= next - at ? last : next), period: next - last };
}

function fireAfter(times: CronTimes, at: number): number {
  return times.getNextDateFrom(new Date(at), zoneOf(times)).toMillis();
}

/** The last fire up to `at`; undefined when there was none for {@link FURTHEST}. */
function fireBefore(times: CronTimes, at: number): number | undefined {
  // Schedules can only be asked for what comes next. Steps that double stay within twice the distance of the last fire.
  for (let back = SECOND; back <= FURTHEST; back *= 2) {
    let found: number | undefined;
    for (let next = fireAfter(times, at - back); next <= at; next = fireAfter(times, next)) {
      if (found !== undefined && next <= found) break; // around a change of the clock
      found = next;
    }
    if (found !== undefined) return found;
  }
  return undefined;
}

function zoneOf({ timeZone, utcOffset }: CronTimes): string | undefined {
  if (utcOffset === undefined) return timeZone;
  const minutes = Math.abs(utcOffset);
  const two = (part: number): string => String(part).padStart(2, '0');
  return `UTC${utcOffset < 0 ? '-' : '+'}${two(Math.trunc(minutes / 60))}:${two(minutes % 60)}`;
}
