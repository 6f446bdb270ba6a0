import type { Clock } from '../base/clock.js';
import type { Deadlines } from '../base/deadlines.js';
import type { LockStore } from '../store/lock-store.js';
import type { RenewalScheduler } from '../validity/renewal-scheduler.js';
import type { AbortWatch } from './abort-watch.js';
import type { Farewell } from './farewell.js';

/** What everything of one line shares. */
export interface Surroundings {
  readonly store: LockStore;
  readonly clock: Clock;
  readonly scheduler: RenewalScheduler;
  readonly farewell: Farewell;
  readonly aborts: AbortWatch;
  /** Until when callers wait. */
  readonly patience: Deadlines;
  /** At least 0, less than 1: what polls and renewals are spread by. */
  readonly random: () => number;
}
