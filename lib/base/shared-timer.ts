import type { CancelTimer, Clock } from './clock.js';
import { Chain, type Link } from './chain.js';

/**
 * One timer for many points of time: it is set for the earliest of them. It handles jumps of the clock: a timer that was
 * set before a jump fires too late (see Clock.jumped), also for everything that was scheduled earlier. So the first call
 * after a jump sets it again.
 */
export abstract class SharedTimer {
  private setFor = Infinity;
  private setAfterJumps = 0;
  private cancel: CancelTimer | undefined;

  /** `longest` is the longest time, in milliseconds, for which the timer is set; after it, it looks again. */
  constructor(
    protected readonly clock: Clock,
    private readonly longest = Infinity,
  ) {}

  /**
   * Makes sure that `fire` is called at the local time `at` or earlier. Nearly always the timer is set for an earlier time
   * already and this only compares, so the clock is read only if it has to be.
   */
  protected setBy(at: number, now?: number): void {
    if (at >= this.setFor && this.setAfterJumps === this.clock.jumped) return;
    const from = now ?? this.clock.now();
    this.cancel?.();
    this.setFor = Math.min(at, this.setFor, from + this.longest);
    this.setAfterJumps = this.clock.jumped;
    this.cancel = this.clock.after(this.setFor - from, () => {
      this.setFor = Infinity;
      this.fire(this.clock.now());
    });
  }

  /** Leaves no timer. */
  protected unset(): void {
    this.cancel?.();
    this.setFor = Infinity;
  }

  /** Called when something may be due: handles what is due, and calls `setBy` for the earliest of the rest. */
  protected abstract fire(now: number): void;
}

/** Something that has to end before a point of time. */
export interface Deadline extends Link<Deadline> {
  /** Local time at which it is missed. */
  readonly deadline: number;
  missed(): void;
}

// After this time at the latest the timer looks again, so that it does not stay set for deadlines met long ago.
const LOOK_EVERY = 1_000;

/**
 * Deadlines that share one timer. Nearly all of them are met, so meeting one does not touch the timer: it fires at its time,
 * and is set again for what is still open.
 */
export class Deadlines extends SharedTimer {
  private readonly open = new Chain<Deadline>();
  private closed = false;

  constructor(clock: Clock) {
    super(clock, LOOK_EVERY);
  }

  /** How many are open. */
  get size(): number {
    return this.open.size;
  }

  /** Calls `missed` of the deadline when it passes, unless it is removed before. */
  add(deadline: Deadline): void {
    this.open.add(deadline);
    this.setBy(deadline.deadline);
  }

  delete(deadline: Deadline): void {
    this.open.remove(deadline);
    if (this.closed && this.open.size === 0) this.unset();
  }

  /** Leaves no timer once the last deadline is met. */
  close(): void {
    this.closed = true;
    if (this.open.size === 0) this.unset();
  }

  protected fire(now: number): void {
    let next = Infinity;
    const missed: Deadline[] = [];
    for (let each = this.open.first; each; each = each.after) {
      if (each.deadline > now) next = Math.min(next, each.deadline);
      else missed.push(each);
    }
    if (next < Infinity) this.setBy(next, now);
    if (missed.length > 0) this.clock.breathe(() => this.tell(missed));
  }

  /**
   * Called after a turn of the event loop: when the loop was late, answers may have arrived that nobody has read yet. It
   * leaves out deadlines that were met in the meantime, also because of another one.
   */
  private tell(missed: readonly Deadline[]): void {
    for (const each of missed) if (this.open.remove(each)) each.missed();
  }
}

/** Something that renews itself when told. */
export interface Renewable extends Link<Renewable> {
  /** Where the scheduler keeps it; 0 for nowhere. */
  renewalSlot: number;
  /** `due` is the local time for which it was scheduled. */
  renew(due: number): void;
}

// Renewals that fall into the same slot go out in one tick, so that a connection can carry them together.
const SLOT = 5;
// Leases with a ttl of ten seconds never need more slots; leases with a long ttl might need millions.
const MOST_SLOTS = 2_000;
// Renewals are spread over the last tenth, so that leases taken together do not renew together for ever.
const JITTER = 0.1;
// A renewal that is later than that was held up by the process or by the machine.
const LATE = 250;

/** The one timer behind all renewals of a store. */
export class RenewalScheduler extends SharedTimer {
  /** An empty slot stays until its time if there are few: most leases end soon, and another one falls into the same slot. */
  private readonly slots = new Map<number, Chain<Renewable>>();

  constructor(
    clock: Clock,
    private readonly random: () => number = Math.random,
    /** Told of renewals that come so many milliseconds too late, before they are made. */
    private readonly onLate?: (due: readonly Renewable[], late: number) => void,
  ) {
    super(clock);
  }

  /** Schedules `item` to renew about `ms` milliseconds after `now` (up to a tenth earlier); this replaces its old time. */
  set(item: Renewable, ms: number, now = this.clock.now()): void {
    this.delete(item);
    const at = now + ms * (1 - JITTER * this.random());
    const slot = Math.max(1, Math.ceil(at / SLOT));
    item.renewalSlot = slot;
    let items = this.slots.get(slot);
    if (!items) this.slots.set(slot, (items = new Chain()));
    items.add(item);
    this.setBy(slot * SLOT, now);
  }

  delete(item: Renewable): void {
    if (item.renewalSlot === 0) return;
    const items = this.slots.get(item.renewalSlot);
    items?.remove(item);
    if (items?.size === 0 && this.slots.size > MOST_SLOTS) this.slots.delete(item.renewalSlot);
    item.renewalSlot = 0;
  }

  close(): void {
    this.unset();
    for (const items of this.slots.values())
      for (let item = items.first; item; item = items.first) this.delete(item);
    this.slots.clear();
  }

  protected fire(now: number): void {
    let next = Infinity;
    let earliest = Infinity;
    const due: Renewable[] = [];
    const times: number[] = [];
    for (const [slot, items] of this.slots) {
      if (slot * SLOT > now && items.size > 0) {
        next = Math.min(next, slot);
        continue;
      }
      this.slots.delete(slot);
      if (items.size > 0) earliest = Math.min(earliest, slot);
      for (let item = items.first; item; item = items.first) {
        items.remove(item);
        item.renewalSlot = 0;
        due.push(item);
        times.push(slot * SLOT);
      }
    }
    if (next < Infinity) this.setBy(next * SLOT, now);
    const late = now - earliest * SLOT;
    if (late >= LATE) this.onLate?.(due, late);
    for (const [index, item] of due.entries()) item.renew(times[index] as number);
  }
}
