import { calmAfter } from './fault-plan.js';
import type { Schedule } from './schedule.js';

// After the last fault, what died in the queue or with a lease is gone after so long.
const RECOVERY = 25_000;
const LAG = 60;
// Who cannot be told asks so often.
const ASKS_EVERY = 140;
// The end of a hold that was kept after its release is announced to nobody: who waits looks now and then.
const LOOK = 5_600;

/** How long a name lies idle although somebody waits for it. */
export class StallWatch {
  /** The longest that was seen where nothing is wrong, in milliseconds. */
  longest = 0;
  private readonly idleSince = new Map<string, number>();
  private readonly keptUntil = new Map<string, number>();
  private readonly from: number;
  private readonly bound: number;

  constructor({ faults, latency, deaf }: Schedule) {
    this.from = faults.length === 0 ? 0 : calmAfter(faults) + RECOVERY;
    this.bound = LAG + 30 * latency.usual + (deaf.length > 0 ? ASKS_EVERY : 0);
  }

  /** Somebody was granted, for however short a time. */
  end(name: string): void {
    this.idleSince.delete(name);
  }

  keep(name: string, until: number): void {
    this.keptUntil.set(name, Math.max(until + LOOK, this.keptUntil.get(name) ?? 0));
  }

  /** Says which name lies idle for too long at `now`. */
  look(now: number, held: ReadonlySet<string>, wanted: ReadonlySet<string>): string | undefined {
    for (const name of this.idleSince.keys()) if (!wanted.has(name)) this.idleSince.delete(name);
    for (const name of wanted) {
      const busy = now < this.from || held.has(name) || now < (this.keptUntil.get(name) ?? 0);
      const since = busy ? now : (this.idleSince.get(name) ?? now);
      if (busy) this.idleSince.delete(name);
      else this.idleSince.set(name, since);
      this.longest = Math.max(this.longest, now - since);
      if (now - since > this.bound) return `${name} lies idle, and somebody waits for it`;
    }
    return undefined;
  }
}
