/** What this process holds of one name, who works under it, and for how long it may be handed off inside the process. */
import type { Clock } from '../base/clock.js';
import type { InTheWay } from './caller.js';
import type { Hold } from './hold.js';
import type { LineLease } from './line-lease.js';
import type { Lingering } from './lingering.js';
import { exclusive, type Terms } from './request.js';

// When other processes wait, they get the lock after so many milliseconds or so many hand-offs, in order of arrival.
const LONGEST_WHILE_CONTENDED = 10;
const MOST_HAND_OFFS = 64;
// A hold that was granted with the mark of done work is handed off for so many milliseconds: later, the mark may be over.
const LONGEST_WHILE_MARKED = 10;
// The event loop turns at least this often while the lock goes from caller to caller.
const BREATH = 1;

/** The hand-offs since the store granted the lock. */
class HandOffs {
  count = 0;
  /** When the first of them was made while other processes waited. */
  contendedSince: number | undefined;
  /** When the event loop turned last in between. */
  breathedAt = -Infinity;
  /** A hold between two callers: no caller has it until the event loop has turned. */
  passing: Hold | undefined;
}

/**
 * The leases of one name in this process. An exclusive hold is handed off from caller to caller without the store, until
 * other processes have waited for long enough.
 */
export class Leases {
  /** What nobody here uses, and is kept for the next caller. Declared only: most names keep nothing. */
  declare lingering?: Lingering;
  /** Most names have one lease, and the others of a name follow it: a list would be larger than all else of a name. */
  private first: LineLease | undefined;
  /** Undefined until the first hand-off: most holds have one caller. */
  private handOffs: HandOffs | undefined;

  /** A hold between two callers. */
  get passing(): Hold | undefined {
    return this.handOffs?.passing;
  }

  get all(): LineLease[] {
    const all: LineLease[] = [];
    for (let lease = this.first; lease; lease = lease.next) all.push(lease);
    return all;
  }

  /** Whether this process holds nothing of the name. */
  get none(): boolean {
    return this.first === undefined && this.passing === undefined && this.idle === undefined;
  }

  /** The hold that nobody here uses. */
  get idle(): Hold | undefined {
    return this.lingering?.hold;
  }

  get(hold: Hold): LineLease | undefined {
    let lease = this.first;
    while (lease && lease.hold !== hold) lease = lease.next;
    return lease;
  }

  withId(id: string): Hold | undefined {
    if (this.passing?.id === id) return this.passing;
    if (this.idle?.id === id) return this.idle;
    return this.find(({ hold }) => hold.id === id)?.hold;
  }

  /** Takes the place of the lease that had the same hold. */
  set(lease: LineLease): void {
    const { hold } = lease;
    let before: LineLease | undefined;
    let place = this.first;
    for (; place && place.hold !== hold; place = place.next) before = place;
    if (before) before.next = lease;
    else this.first = lease;
    if (place) passOn(place, lease);
  }

  delete(hold: Hold): void {
    let before: LineLease | undefined;
    let place = this.first;
    for (; place && place.hold !== hold; place = place.next) before = place;
    if (!place) return;
    if (before) before.next = place.next;
    else this.first = place.next;
    passOn(place);
  }

  /** Whether a lease would leave its hold to the next caller here, whenever that comes. */
  get asksToLinger(): boolean {
    return this.find(({ linger }) => linger !== undefined) !== undefined;
  }

  /** A connection is back, or notices can be heard now: exclusive holds check whether other processes wait. */
  checkContended(): void {
    this.passing?.confirm();
    for (const { hold } of this.all) if (exclusive(hold.terms)) hold.confirm(hold.renews);
  }

  /** Whether an exclusive hold will be handed off to the next caller here, who wants it for `ttl`. */
  willHandOffAt(now: number, ttl: number): boolean {
    if (this.passing) return !this.passing.keepsLongerThan(ttl);
    const fits = ({ hold }: LineLease): boolean =>
      exclusive(hold.terms) && hold.liveAt(now) && !hold.keepsLongerThan(ttl);
    return this.find(fits) !== undefined;
  }

  /** Who of this process is in the way, if anybody. */
  holderAt(now: number): InTheWay | undefined {
    const lease = this.find(({ hold }) => hold.liveAt(now));
    if (!lease) return undefined;
    const { identity, by, since, remaining } = lease;
    return { identity, left: remaining, acquiredAt: by === 'acquire' ? since : undefined };
  }

  /** The capacity that is in use here, if it differs. */
  otherThan(capacity: number, now: number): number | undefined {
    const inUse = this.find(({ hold }) => hold.liveAt(now))?.hold.terms.capacity;
    return inUse === capacity ? undefined : inUse;
  }

  /** Whether one of the leases excludes `wanted` now. */
  excludes(wanted: Terms, now: number): boolean {
    const excluding = ({ hold }: LineLease): boolean =>
      (exclusive(hold.terms) || exclusive(wanted)) && hold.liveAt(now);
    return this.find(excluding) !== undefined;
  }

  /** The store granted the lock: hand-offs are counted anew. */
  beginHandOffs(): void {
    if (!this.handOffs) return;
    this.handOffs.count = 0;
    this.handOffs.contendedSince = undefined;
  }

  /** Whether a hold may be handed off here: proven for long enough, with a fence left, not contended for too long, and no old mark. */
  mayGoOn(hold: Hold, now: number): boolean {
    if (hold.lossReason || !hold.suffices(now)) return false;
    if (hold.workDoneAt !== undefined && now - hold.workDoneAt >= LONGEST_WHILE_MARKED) return false;
    if (!hold.contended) return true;
    const handOffs = (this.handOffs ??= new HandOffs());
    handOffs.contendedSince ??= now;
    return now - handOffs.contendedSince < LONGEST_WHILE_CONTENDED && handOffs.count < MOST_HAND_OFFS;
  }

  /** Counts a hand-off. Returns false when the event loop has to turn first: then call `breathe`. */
  countHandOff(now: number): boolean {
    const handOffs = (this.handOffs ??= new HandOffs());
    handOffs.count += 1;
    return now - handOffs.breathedAt < BREATH;
  }

  /** Keeps the hold between two callers, and calls `next` once the event loop has turned. */
  breathe(hold: Hold, clock: Clock, next: () => void): void {
    const handOffs = (this.handOffs ??= new HandOffs());
    this.delete(hold);
    handOffs.passing = hold;
    clock.breathe(() => {
      handOffs.passing = undefined;
      handOffs.breathedAt = clock.now();
      next();
    });
  }

  private find(meets: (lease: LineLease) => boolean): LineLease | undefined {
    let lease = this.first;
    while (lease && !meets(lease)) lease = lease.next;
    return lease;
  }
}

/** Whoever keeps a lease that is over must not keep those after it; these follow `heir` now, if there is one. */
function passOn(over: LineLease, heir?: LineLease): void {
  if (!over.next) return;
  if (heir) heir.next = over.next;
  over.next = undefined;
}
