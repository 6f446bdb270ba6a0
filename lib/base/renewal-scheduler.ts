import { Chain, type Link } from './chain.js';
import type { Clock } from './clock.js';
import { SharedTimer } from './shared-timer.js';

/** Something that renews itself when told. */
export interface Renewable extends Link<Renewable> {
  /** Where the scheduler keeps it; 0 for nowhere. */
  renewalSlot: number;
  renew(): void;
}

// Renewals that fall into the same slot go out in one tick, so that a connection can carry them together.
const SLOT = 5;
// Leases with a ttl of ten seconds never need more slots; leases with a long ttl might need millions.
const MOST_SLOTS = 2_000;
// Renewals are spread over the last tenth, so that leases taken together do not renew together for ever.
const JITTER = 0.1;

/** The one timer behind all renewals of a store. */
export class RenewalScheduler extends SharedTimer {
  /** An empty slot stays until its time if there are few: most leases end soon, and another one falls into the same slot. */
  private readonly slots = new Map<number, Chain<Renewable>>();

  constructor(
    clock: Clock,
    private readonly random: () => number = Math.random,
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
    const due: Renewable[] = [];
    for (const [slot, items] of this.slots) {
      if (slot * SLOT > now && items.size > 0) {
        next = Math.min(next, slot);
        continue;
      }
      this.slots.delete(slot);
      for (let item = items.first; item; item = items.first) {
        items.remove(item);
        item.renewalSlot = 0;
        due.push(item);
      }
    }
    if (next < Infinity) this.setBy(next * SLOT, now);
    for (const item of due) item.renew();
  }
}
