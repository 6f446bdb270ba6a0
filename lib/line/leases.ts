/** What this process holds of one name, who works under it, and how long it may go on inside the process. */
import type { Clock } from '../base/clock.js';
import type { InTheWay } from './caller.js';
import type { Hold } from './hold.js';
import type { Lease } from './lease.js';
import { exclusive, type Terms } from './request.js';

// Processes that wait have their turn after so many milliseconds, or so many hand-offs, in order of arrival.
const LONGEST_WHILE_CONTENDED = 10;
const MOST_HAND_OFFS = 64;
// The event loop turns at least this often while the lock goes from caller to caller.
const BREATH = 1;
// What names without a lease share; nothing is added to it.
const NONE: Lease[] = [];

/**
 * The leases of one name in this process. An exclusive hold goes from caller to caller without the store (a hand-off),
 * until other processes have waited for long enough.
 */
export class Leases {
  /** A hold between two callers: nobody has it until the event loop has turned. */
  passing: Hold | undefined;
  // Few, and new ones with every grant: see Chain for why this is no Map.
  private leases: Lease[] = NONE;
  private contendedSince: number | undefined;
  private handOffs = 0;
  private breathedAt = -Infinity;

  constructor(private readonly clock: Clock) {}

  get all(): readonly Lease[] {
    return this.leases;
  }

  /** Whether this process holds nothing of the name. */
  get none(): boolean {
    return this.leases.length === 0 && this.passing === undefined;
  }

  get(hold: Hold): Lease | undefined {
    return this.leases[this.placeOf(hold)];
  }

  withId(id: string): Hold | undefined {
    if (this.passing?.id === id) return this.passing;
    return this.leases.find(({ hold }) => hold.id === id)?.hold;
  }

  /** In place of whoever worked under the same hold. */
  set(lease: Lease): void {
    const place = this.placeOf(lease.hold);
    if (place >= 0) this.leases[place] = lease;
    else if (this.leases.length > 0) this.leases.push(lease);
    else this.leases = [lease]; // a push would make room for sixteen more, and most names have one
  }

  delete(hold: Hold): void {
    const place = this.placeOf(hold);
    if (place < 0) return;
    if (this.leases.length > 1) this.leases.splice(place, 1);
    else this.leases = NONE;
  }

  /** A connection is back, or notices can be heard now: exclusive holds check whether other processes wait. */
  checkContended(): void {
    this.passing?.confirm();
    for (const { hold } of this.leases) if (exclusive(hold.terms)) hold.confirm();
  }

  /** Whether a hold that excludes all others will go from caller to caller here. */
  handsOnAt(now: number): boolean {
    if (this.passing) return true;
    return this.leases.some(({ hold }) => exclusive(hold.terms) && hold.liveAt(now));
  }

  /** Who of this process is in the way, if anybody. */
  holderAt(now: number): InTheWay | undefined {
    const lease = this.leases.find(({ hold }) => hold.liveAt(now));
    if (!lease) return undefined;
    const { who, by, since, remaining } = lease;
    return { who, left: remaining, acquiredAt: by === 'acquire' ? since : undefined };
  }

  /** The capacity in use here, when it is another. */
  otherThan(capacity: number, now: number): number | undefined {
    const inUse = this.leases.find(({ hold }) => hold.liveAt(now))?.hold.terms.capacity;
    return inUse === capacity ? undefined : inUse;
  }

  /** Whether one of them excludes `wanted` now. */
  excludes(wanted: Terms, now: number): boolean {
    return this.leases.some(({ hold }) => (exclusive(hold.terms) || exclusive(wanted)) && hold.liveAt(now));
  }

  /** The store granted the lock: the hand-offs that are allowed are counted anew. */
  beginHandOffs(): void {
    this.contendedSince = undefined;
    this.handOffs = 0;
  }

  /** Whether a hold may go on here: it is proven for long enough, has a fence left, and other processes need not wait. */
  mayGoOn(hold: Hold, now: number): boolean {
    if (hold.lossReason || !hold.suffices(now)) return false;
    if (!hold.contended) return true;
    this.contendedSince ??= now;
    return now - this.contendedSince < LONGEST_WHILE_CONTENDED && this.handOffs < MOST_HAND_OFFS;
  }

  /** Counts a hand-off. False when the event loop has to turn first: then `breathe`, and look again. */
  handOff(now: number): boolean {
    this.handOffs += 1;
    return now - this.breathedAt < BREATH;
  }

  /** Keeps the hold in passing, and calls `next` once the event loop has turned. */
  breathe(hold: Hold, next: () => void): void {
    this.delete(hold);
    this.passing = hold;
    this.clock.breathe(() => {
      this.passing = undefined;
      this.breathedAt = this.clock.now();
      next();
    });
  }

  private placeOf(hold: Hold): number {
    let place = this.leases.length - 1;
    while (place >= 0 && this.leases[place]?.hold !== hold) place -= 1;
    return place;
  }
}
