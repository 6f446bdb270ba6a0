import { exclusive } from './caller-queue.js';
import type { Hold } from './hold.js';
import type { Tenure } from './tenure.js';

/** Who has the lock, as `host:pid label`, and for how many more milliseconds unless it is renewed; '' for unknown. */
export interface InTheWay {
  readonly who: string;
  readonly left: number | undefined;
}

/** What this process holds of one name, and who of its callers works under it. */
export class Holds extends Map<Hold, Tenure> {
  /** Whether one of them excludes all others now. */
  get alone(): boolean {
    for (const hold of this.keys()) if (hold.live && exclusive(hold)) return true;
    return false;
  }

  /** Who of this process is in the way, if anybody. */
  get holder(): InTheWay | undefined {
    for (const [hold, { wish, remaining }] of this) if (hold.live) return { who: wish.who, left: remaining };
    return undefined;
  }

  /** The capacity in use here, when it is another. */
  otherThan(capacity: number): number | undefined {
    for (const hold of this.keys())
      if (hold.live) return hold.capacity === capacity ? undefined : hold.capacity;
    return undefined;
  }

  /** Whether one of them excludes `share` now. */
  excludes(share: { units: number; capacity: number }): boolean {
    for (const hold of this.keys()) if (hold.live && (exclusive(hold) || exclusive(share))) return true;
    return false;
  }
}
