import { type LockLog, warn } from '../locks/lock-log.js';
import { fireTerms } from './fire-plan.js';
import type { LockedOptions } from './locked-options.js';

// What the decorators of @nestjs/schedule write on a method. Read by key: the package is none of ours.
const DECORATORS = new Map([
  ['SCHEDULE_CRON_OPTIONS', '@Cron'],
  ['SCHEDULE_INTERVAL_OPTIONS', '@Interval'],
  ['SCHEDULE_TIMEOUT_OPTIONS', '@Timeout'],
]);

/**
 * Checks a locked method that a scheduler calls in every process. A lock alone makes the processes run one after the other,
 * each for the same fire, so a method that says nothing about that gets a warning, unless it is among those `warned` of.
 *
 * @throws LockUsageError when it runs once per fire, and its schedule cannot tell fires
 */
export function checkSchedule(
  owner: object,
  method: object,
  options: LockedOptions,
  warned: Set<object>,
  log: LockLog,
): void {
  if (options.fires) {
    fireTerms(options.fires, method, new Date());
    return;
  }
  const schedule = [...DECORATORS].find(([key]) => Reflect.hasOwnMetadata(key, method))?.[1];
  if (schedule === undefined || options.minHold !== undefined || options.onBusy !== undefined) return;
  if (warned.has(method)) return;
  warned.add(method);
  const place = `${owner.constructor.name}.${(method as { name?: string }).name}`;
  const message =
    `${place} has ${schedule} and @Locked: each process runs it at each fire, one after the other. ` +
    (schedule === '@Cron'
      ? "To run it once per fire, write @Locked(name, oncePerFire()), from 'nestjs-distributed-lock/schedule'. "
      : "To run it in one process at a time, write onBusy: 'skip', with minHold: a little less than the interval. ") +
    "If each process shall run it, write onBusy: 'throw'.";
  warn(log, 'scheduled', message, { place });
}
