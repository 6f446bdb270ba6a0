import { exclusive } from './caller-queue.js';
import type { Hold } from './hold.js';
import type { Tenure } from './tenure.js';

/** Who has the lock, as `host:pid label`, and for how many more milliseconds unless it is renewed; '' for unknown. */
export interface InTheWay {
  readonly who: string;
  readonly left: number | undefined;
  /** Since when, in local milliseconds, if it is a lease that this process took by `acquire`. */
  readonly acquiredAt?: number | undefined;
}

/** What this process holds of one name, and who of its callers works under it. */
export class Holds {
  // Few, and new ones with every lease: see Chain for why this is no Map.
  private readonly tenures: Tenure[] = [];

  get all(): readonly Tenure[] {
    return this.tenures;
  }

  get size(): number {
    return this.tenures.length;
  }

  get(hold: Hold): Tenure | undefined {
    return this.tenures[this.placeOf(hold)];
  }

  withId(id: string): Hold | undefined {
    return this.tenures.find(({ hold }) => hold.id === id)?.hold;
  }

  /** In place of whoever worked under the same hold. */
  set(tenure: Tenure): void {
    const place = this.placeOf(tenure.hold);
    if (place < 0) this.tenures.push(tenure);
    else this.tenures[place] = tenure;
  }

  delete(hold: Hold): void {
    const place = this.placeOf(hold);
    if (place >= 0) this.tenures.splice(place, 1);
  }

  /** Whether one of them excludes all others now. */
  aloneAt(now: number): boolean {
    return this.tenures.some(({ hold }) => exclusive(hold.share) && hold.liveAt(now));
  }

  /** Who of this process is in the way, if anybody. */
  holderAt(now: number): InTheWay | undefined {
    const tenure = this.tenures.find(({ hold }) => hold.liveAt(now));
    if (!tenure) return undefined;
    const { who, by, since } = tenure.wish;
    return { who, left: tenure.remaining, acquiredAt: by === 'acquire' ? since : undefined };
  }

  /** The capacity in use here, when it is another. */
  otherThan(capacity: number, now: number): number | undefined {
    const inUse = this.tenures.find(({ hold }) => hold.liveAt(now))?.hold.share.capacity;
    return inUse === capacity ? undefined : inUse;
  }

  /** Whether one of them excludes `share` now. */
  excludes(share: { units: number; capacity: number }, now: number): boolean {
    return this.tenures.some(({ hold }) => (exclusive(hold.share) || exclusive(share)) && hold.liveAt(now));
  }

  private placeOf(hold: Hold): number {
    let place = this.tenures.length - 1;
    while (place >= 0 && this.tenures[place]?.hold !== hold) place -= 1;
    return place;
  }
}
