import { type Duration, shown } from '../base/duration.js';
import { LockUsageError } from '../base/errors.js';
import { OPTIONS } from '../locks/option-table.js';

/**
 * One fire of a schedule.
 *
 * @publicApi
 */
export interface Fire {
  /** The instant that the schedule names. All processes have to compute the same. */
  readonly at: Date;
  /** The time between this fire and its neighbour, in milliseconds. Infinity for a schedule that fires once. */
  readonly period: number;
}

/**
 * Which fires a scheduled method has, and how their runs are told apart.
 *
 * @publicApi
 */
export interface FirePlan {
  /**
   * The fire of the schedule that is nearest to `now`, which may lie a little after it: timers can be early, and clocks
   * differ. `method` is the decorated method, with all metadata that decorators have written on it.
   *
   * @throws LockUsageError for a method that has no schedule with common fires
   */
  nearest(now: Date, method: object): Fire;
  /**
   * When a fire is marked as run. `start`: before the method begins, so that it runs at most once per fire. `end`: when it
   * has succeeded, so that it runs at least once: the other processes wait, and take over if the running one dies.
   * @default 'start'
   */
  readonly mark?: 'start' | 'end' | undefined;
  /**
   * How long the mark is kept: 100 ms … 24 h. A process does not run a fire that is older than half of this, half the period
   * or an hour.
   * @default twice the period, at least 5 min and at most 2 h
   */
  readonly doneTtl?: Duration | undefined;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
// A process that is late by nearly a period must not take the next fire in advance.
const EARLIEST = 1_000;

/** @throws LockUsageError for what is no plan of fires */
export function checkFirePlan(value: unknown): FirePlan {
  const plan = value as Partial<FirePlan> | null;
  if (typeof plan !== 'object' || plan === null || typeof plan.nearest !== 'function')
    throw new LockUsageError(
      `The option fires takes what oncePerFire() returns, or an object with nearest(now, method); it was ${shown(value)}.`,
    );
  const { mark, doneTtl } = plan;
  if (mark !== undefined) OPTIONS.mark.check(mark, '');
  if (doneTtl !== undefined) OPTIONS.doneTtl.check(doneTtl, '');
  return value as FirePlan;
}

/** What is decided about one fire. */
export interface FireTerms {
  readonly at: Date;
  /** How long the mark of the fire is kept, in milliseconds. */
  readonly doneTtl: number;
  /** How long after the fire a run may begin, in milliseconds. */
  readonly latest: number;
  /** How long before the fire a run may begin: timers are early by a millisecond, and clocks are set back. */
  readonly earliest: number;
}

/** The terms of the fire that is nearest to `now`. @throws LockUsageError when the plan gives none */
export function fireTerms(plan: FirePlan, method: object, now: Date): FireTerms {
  const { at, period } = plan.nearest(now, method);
  if (!(at instanceof Date) || Number.isNaN(at.getTime()) || !(period > 0))
    throw new LockUsageError(
      `A plan of fires gives { at: Date, period: milliseconds }; it gave ${shown(at)} and ${shown(period)}.`,
    );
  const { doneTtl: given } = plan;
  const doneTtl =
    given === undefined
      ? Math.min(Math.max(2 * period, 5 * MINUTE), 2 * HOUR)
      : Math.ceil(OPTIONS.doneTtl.check(given, ''));
  const latest = Math.min(period / 2, doneTtl / 2, HOUR);
  return { at, doneTtl, latest, earliest: Math.min(latest, EARLIEST) };
}
