import { CronTime } from 'cron';
import { type FirePlan, type LockedOptions, LockUsageError } from '../index.js';
import { nearestFire } from './cron-fires.js';

/**
 * How a scheduled method runs once per fire. The options of `@Locked` that are named here may be given, too.
 *
 * @publicApi
 */
export interface OncePerFireOptions
  extends
    Pick<FirePlan, 'mark' | 'doneTtl'>,
    Pick<LockedOptions, 'label' | 'locks' | 'maxHold' | 'profile' | 'renew' | 'ttl' | 'wait'> {}

// What the decorators of @nestjs/schedule write on a method. Read by key, so that its version does not matter.
const CRON_OPTIONS = 'SCHEDULE_CRON_OPTIONS';
const OTHERS = { SCHEDULE_INTERVAL_OPTIONS: '@Interval', SCHEDULE_TIMEOUT_OPTIONS: '@Timeout' } as const;

interface CronOptions {
  readonly cronTime: ConstructorParameters<typeof CronTime>[0];
  readonly timeZone?: string | undefined;
  readonly utcOffset?: number | undefined;
}

/**
 * Makes a method with `@Cron` run once per fire over all processes: `@Locked('nightly-report', oncePerFire())`. The fire is
 * the last instant of the schedule by the local clock, or the next one if it is due within a second, and the name of the
 * lock carries it. With `mark: 'start'` (the default) a fire is marked before the method begins: it runs at most once, and
 * is not repeated when its process dies. With `mark: 'end'` it is marked when the method has succeeded: the other processes
 * wait, and one of them runs it when the first dies or fails. A process that is later than half the period, half of
 * `doneTtl` or an hour does not run.
 *
 * Runs of two fires may overlap when one takes longer than the period. It needs the package `cron`, which @nestjs/schedule
 * brings.
 *
 * @throws LockUsageError for options out of range; when the application starts, for a method without `@Cron`:
 * `@Interval` and `@Timeout` count from the start of each process, so that processes have no fire in common
 * @publicApi
 */
export function oncePerFire(options: OncePerFireOptions = {}): LockedOptions<undefined, 'skip'> {
  const { mark, doneTtl, ...locked } = options;
  const schedules = new WeakMap<object, CronTime>();
  const scheduleOf = (method: object): CronTime => {
    const known = schedules.get(method);
    if (known) return known;
    const made = cronTimeOf(method);
    schedules.set(method, made);
    return made;
  };
  return {
    ...locked,
    onBusy: 'skip',
    fires: { mark, doneTtl, nearest: (now, method) => nearestFire(scheduleOf(method), now) },
  };
}

function cronTimeOf(method: object): CronTime {
  const options = Reflect.getMetadata(CRON_OPTIONS, method) as CronOptions | undefined;
  if (options !== undefined) {
    const { cronTime, timeZone, utcOffset } = options;
    return utcOffset === undefined
      ? new CronTime(cronTime, timeZone)
      : new CronTime(cronTime, null, utcOffset);
  }
  const { name } = method as { name?: string };
  for (const [key, decorator] of Object.entries(OTHERS))
    if (Reflect.hasMetadata(key, method))
      throw new LockUsageError(
        `${name} has ${decorator} and oncePerFire(): ${decorator} counts from the start of each process, so that processes ` +
          "have no fire in common. Use @Cron, or onBusy: 'skip' with minHold.",
      );
  throw new LockUsageError(
    `${name} has oncePerFire() and no @Cron. For a job that is added to the SchedulerRegistry, call ` +
      'runOncePerFire(locks, name, firesOf(job), work) in it.',
  );
}
