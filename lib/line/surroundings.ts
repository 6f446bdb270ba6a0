import type { Clock } from '../base/clock.js';
import type { Deadlines } from '../base/deadlines.js';
import type { LockLostReason } from '../base/errors.js';
import type { LockStore } from '../store/lock-store.js';
import type { RenewalScheduler } from '../validity/renewal-scheduler.js';
import type { AbortWatch } from './abort-watch.js';
import type { Farewell } from './farewell.js';
import type { HoldTimes } from './hold-times.js';
import type { Tenure } from './tenure.js';
import type { Waiting } from './waiting.js';

/** Whom a line tells of every lease that was lost, at the moment in which it finds that out. */
export type LossListener = (tenure: Tenure, reason: LockLostReason) => void;

/** What everything of one line shares. */
export interface Surroundings {
  readonly store: LockStore;
  readonly clock: Clock;
  readonly scheduler: RenewalScheduler;
  readonly farewell: Farewell;
  readonly aborts: AbortWatch;
  /** Until when callers wait. */
  readonly patience: Deadlines;
  /** Who waits, and keeps the process alive meanwhile. */
  readonly waiting: Waiting;
  /** For how long locks were held lately. */
  readonly holdTimes: HoldTimes;
  readonly onLost: LossListener;
  /** At least 0, less than 1: what polls and renewals are spread by. */
  readonly random: () => number;
}
