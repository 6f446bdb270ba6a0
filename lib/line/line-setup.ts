/** What all lines of one store share. Made once, by Lines. */
import type { Clock } from '../base/clock.js';
import type { RenewalScheduler } from '../base/renewal-scheduler.js';
import type { LockStore } from '../store/lock-store.js';
import type { HoldTimes } from './hold-times.js';
import type { PendingReleases } from './pending-releases.js';
import type { Waiting } from './wait.js';

export interface LineSetup {
  readonly store: LockStore;
  readonly clock: Clock;
  readonly scheduler: RenewalScheduler;
  readonly pendingReleases: PendingReleases;
  readonly waiting: Waiting;
  /** For how long this process held locks lately. */
  readonly holdTimes: HoldTimes;
  /** At least 0 and less than 1; spreads polls and renewals. */
  readonly random: () => number;
}
