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
// Further than from one 29 February to the next.
const FURTHEST = 5 * 366 * 24 * 3_600 * SECOND;

/**
 * The fires of a job that is added to the `SchedulerRegistry` by hand, for `runOncePerFire`. The job's present schedule
 * counts, also after `setTime`.
 *
 * @publicApi
 */
export function firesOf(job: ScheduledJob, options: Pick<FirePlan, 'mark' | 'doneTtl'> = {}): FirePlan {
  return { ...options, nearest: (now) => nearestFire(job.cronTime, now) };
}

/**
 * The fire of a schedule that a run which begins `now` belongs to: the last one, however late the run is, or the next one
 * if that is nearer and due within a second.
 */
export function nearestFire(times: CronTimes, now: Date): Fire {
  if (times.realDate)
    return { at: new Date((times.source as { toMillis(): number }).toMillis()), period: Infinity };
  const at = now.getTime();
  const next = fireAfter(times, at);
  const early = next - at;
  // The same period as for a run on time, and no search for the last fire.
  if (early <= SECOND && fireAfter(times, at - early - 1) === next)
    return { at: new Date(next), period: fireAfter(times, next) - next };
  const last = fireBefore(times, at);
  if (last === undefined) return { at: new Date(next), period: early + FURTHEST };
  return { at: new Date(last), period: next - last };
}

function fireAfter(times: CronTimes, at: number): number {
  return times.getNextDateFrom(new Date(at), zoneOf(times)).toMillis();
}

/** The last fire up to `at`; undefined when there was none for {@link FURTHEST}. */
function fireBefore(times: CronTimes, at: number): number | undefined {
  // Schedules can only be asked for what comes next: steps that double find a fire, and halves the last one.
  for (let back = SECOND; back <= FURTHEST; back *= 2) {
    let found = fireAfter(times, at - back);
    if (found > at) continue;
    for (let end = at; end - found >= SECOND;) {
      const middle = Math.floor((found + end) / 2);
      const next = fireAfter(times, middle);
      if (next > found && next <= end) found = next;
      else end = middle;
    }
    return found;
  }
  return undefined;
}

function zoneOf({ timeZone, utcOffset }: CronTimes): string | undefined {
  if (utcOffset === undefined) return timeZone;
  const minutes = Math.abs(utcOffset);
  const two = (part: number): string => String(part).padStart(2, '0');
  return `UTC${utcOffset < 0 ? '-' : '+'}${two(Math.trunc(minutes / 60))}:${two(minutes % 60)}`;
}
