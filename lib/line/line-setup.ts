/** What all lines of one store share: made once, by Lines; and for how long locks are held in this process. */
import type { Clock } from '../base/clock.js';
import type { RenewalScheduler } from '../base/shared-timer.js';
import type { LockStore } from '../store/lock-store.js';
import type { DeadlockWatch } from './deadlock-watch.js';
import type { PendingReleases } from './pending-releases.js';
import { labelOf } from './request.js';
import type { Waiting } from './wait.js';

export interface LineSetup {
  readonly store: LockStore;
  readonly clock: Clock;
  readonly scheduler: RenewalScheduler;
  readonly pendingReleases: PendingReleases;
  readonly waiting: Waiting;
  /** Finds out who waits for each other. */
  readonly deadlocks: DeadlockWatch;
  /** For how long this process held locks lately. */
  readonly holdTimes: HoldTimes;
  /** At least 0 and less than 1; spreads polls and renewals. */
  readonly random: () => number;
  /** Whether holds may linger: until the process shuts down. */
  mayLinger: boolean;
}

// The median of hold times is that of the last KEPT holds; at most MOST_LABELS labels are told apart.
const KEPT = 64;
const MOST_LABELS = 256;

/** The last holds of one kind of work. */
class Ring {
  private readonly times = new Float64Array(KEPT);
  private count = 0;
  private known: number | undefined;

  add(ms: number): void {
    this.times[this.count % KEPT] = ms;
    this.count += 1;
    this.known = undefined;
  }

  /** Undefined before the first. */
  get median(): number | undefined {
    if (this.count === 0 || this.known !== undefined) return this.known;
    const times = this.times.slice(0, KEPT < this.count ? KEPT : this.count).sort();
    return (this.known = times[times.length >> 1]);
  }

  forget(): this {
    this.count = 0;
    this.known = undefined;
    return this;
  }
}

/**
 * For how long the callers of this process hold locks, in all and by label, so that a refused caller knows what to expect.
 * Every release adds to it, so adding is cheap; it is read only when a caller is refused.
 */
export class HoldTimes {
  private readonly all = new Ring();
  private readonly byLabel = new Map<string, Ring>();
  private lastIdentity = '';
  private last: Ring | undefined;

  /** `identity` is `host:pid label`. */
  add(identity: string, ms: number): void {
    this.all.add(ms);
    if (identity !== this.lastIdentity) {
      this.lastIdentity = identity;
      const label = labelOf(identity);
      this.last = label === '' ? undefined : (this.byLabel.get(label) ?? this.ringFor(label));
    }
    this.last?.add(ms);
  }

  /** The median of the last holds with the first of these labels that is known here; the median of all if none is. */
  typical(...identities: readonly string[]): number | undefined {
    for (const each of identities) {
      const median = this.byLabel.get(labelOf(each))?.median;
      if (median !== undefined) return median;
    }
    return this.all.median;
  }

  /** A ring for a new label; when there are too many labels, it reuses the ring of the oldest one. */
  private ringFor(label: string): Ring {
    let ring: Ring | undefined;
    if (this.byLabel.size >= MOST_LABELS)
      for (const [oldest, its] of this.byLabel) {
        this.byLabel.delete(oldest);
        ring = its.forget();
        break;
      }
    this.byLabel.set(label, (ring ??= new Ring()));
    return ring;
  }
}
