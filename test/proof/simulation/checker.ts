import type { HandedOver, LineLease } from '../../../lib/line/line-lease.js';
import { FenceLedger } from './fence-ledger.js';
import type { CallerPlan, Schedule } from './schedule.js';
import { guardOf } from './schedule.js';
import type { SimulatedProcess } from './simulated-process.js';
import type { SimulatedServer } from './simulated-server.js';
import { StallWatch } from './stall-watch.js';
import type { Timeline } from './timeline.js';

/** One call of acquire. */
export interface Ask {
  readonly process: SimulatedProcess;
  readonly plan: CallerPlan;
  readonly label: string;
  /** When it asked. */
  readonly at: number;
}

interface Held {
  readonly ask: Ask;
  lease: LineLease;
  units: number;
  readonly epoch: number;
  /** The API said that it is over. */
  over: boolean;
  /** It is being handed over: the server may know it under the next id. */
  handing: boolean;
}

/** A lease on its way to another process. */
export interface Parcel {
  readonly ask: Ask;
  readonly given: HandedOver;
  /** How many have gone on with it. */
  resumed: number;
}

/** Sees everything that the API says, and what the server stores; the first broken promise is the verdict. */
export class Checker {
  violation: string | undefined;
  grants = 0;
  /** The least time between the end of a lease by its holder and by the server, in milliseconds. */
  margin = Infinity;
  private readonly held = new Set<Held>();
  private readonly waiting: Ask[] = [];
  private readonly fences: FenceLedger;
  private readonly stalls: StallWatch;
  private readonly guard: number;
  private readonly stepped: boolean;
  /** When each name was held or waited for last. */
  private readonly lastUse = new Map<string, number>();

  constructor(
    private readonly timeline: Timeline,
    private readonly server: SimulatedServer,
    private readonly schedule: Schedule,
  ) {
    const { faults, callers } = schedule;
    this.guard = Math.min(...callers.map(({ ttl }) => guardOf(ttl)));
    this.stepped = faults.some(({ kind }) => kind === 'step');
    this.fences = new FenceLedger(schedule, server);
    this.stalls = new StallWatch(schedule);
    server.onGrant = (holder, span) => {
      if (holder.deadline - server.time() > span)
        this.fail(`${holder.id.slice(0, 8)} has a claim for too long`);
    };
    if (faults.length === 0) server.onApply = (before, state) => this.checkOrder(before, state.queue);
  }

  fail(what: string): void {
    if (this.violation !== undefined) return;
    this.violation = `${what}, at ${this.timeline.now.toFixed(3)} ms`;
    this.timeline.note(() => `!! ${what}`);
  }

  private report(what: string | undefined): void {
    if (what !== undefined) this.fail(what);
  }

  asked(ask: Ask): void {
    this.waiting.push(ask);
    const { units, ttl, wait, hold } = ask.plan;
    this.timeline.note(
      () => `${ask.label} asks for ${units} of ${ask.plan.name}, ttl ${ttl}, wait ${wait}, to hold ${hold}`,
    );
  }

  refused(ask: Ask, why: string): void {
    this.waiting.splice(this.waiting.indexOf(ask), 1);
    this.checkRefusal(ask);
    this.used(ask.plan.name);
    this.timeline.note(() => `${ask.label} is refused: ${why}`);
  }

  granted(ask: Ask, lease: LineLease): Held {
    this.grants += 1;
    const place = this.waiting.indexOf(ask);
    const overtaken = this.waiting.slice(0, place).find((other) => sameLine(ask, other));
    if (overtaken) this.fail(`${ask.label} overtook ${overtaken.label} in the line of its process`);
    this.waiting.splice(place, 1);
    const { id } = lease.hold;
    const held = {
      ask,
      lease,
      units: ask.plan.units,
      epoch: this.server.epochOf(id),
      over: false,
      handing: false,
    };
    this.timeline.note(() => `${ask.label} has ${ask.plan.name} as ${id.slice(0, 8)}, fence ${lease.fence}`);
    if (lease.over !== undefined) this.fail(`${ask.label} is given what is over already`);
    this.report(this.fences.enter(held));
    this.stalls.end(ask.plan.name);
    this.held.add(held);
    return held;
  }

  private used(name: string, until = this.timeline.now): void {
    this.lastUse.set(name, Math.max(until, this.lastUse.get(name) ?? -Infinity));
  }

  /** Whoever asks once is not refused for a hold that nobody uses. */
  private checkRefusal({ plan: { name, wait, abortAfter }, label, at }: Ask): void {
    const { faults, deaf, latency } = this.schedule;
    if (wait > 0 || abortAfter < Infinity || faults.length > 0 || deaf.length > 0) return;
    const inUse = (each: { readonly plan: CallerPlan }): boolean => each.plan.name === name;
    if (this.waiting.some(inUse) || [...this.held].some(({ ask }) => inUse(ask))) return;
    // What was released a moment ago may still be on its way.
    if ((this.lastUse.get(name) ?? -Infinity) + 10 * latency.usual + 1 >= at) return;
    this.fail(`${label} is refused what nobody uses`);
  }

  downgraded(held: Held, lease: LineLease): void {
    held.lease = lease;
    held.units = 1;
    this.timeline.note(() => `${held.ask.label} goes on with one unit`);
  }

  /** Until somebody resumes it, or its time is over, nobody works under it. */
  handedOver({ ask, lease }: Held, given: HandedOver): Parcel {
    const { name, givesFor } = ask.plan;
    if (lease.over !== 'released') this.fail(`${ask.label} has handed over what it still holds`);
    const until = this.timeline.now + givesFor + guardOf(givesFor);
    this.stalls.keep(name, until);
    this.used(name, until);
    this.timeline.note(() => `${ask.label} hands ${name} over for ${givesFor} ms`);
    return { ask, given, resumed: 0 };
  }

  resumed(parcel: Parcel, ask: Ask, lease: LineLease): Held {
    this.grants += 1;
    if ((parcel.resumed += 1) > 1) this.fail(`${ask.label} resumes what somebody has resumed already`);
    const { id } = lease.hold;
    const { units } = parcel.given;
    const held = { ask, lease, units, epoch: this.server.epochOf(id), over: false, handing: false };
    this.timeline.note(
      () => `${ask.label} goes on with ${ask.plan.name} as ${id.slice(0, 8)}, fence ${lease.fence}`,
    );
    if (lease.over !== undefined) this.fail(`${ask.label} is given what is over already`);
    if (lease.fence <= parcel.given.fence) this.fail(`${ask.label} has a fence that was used before`);
    this.report(this.fences.enter(held));
    this.stalls.end(ask.plan.name);
    this.held.add(held);
    return held;
  }

  released(held: Held): void {
    this.held.delete(held);
    const { name, keep } = held.ask.plan;
    if (keep > 0) this.stalls.keep(name, this.timeline.now + keep);
    this.used(name, this.timeline.now + keep);
    this.timeline.note(() => `${held.ask.label} releases (${held.lease.over ?? 'held'})`);
  }

  /** Holds everywhere, now: what the API would say if it were asked. */
  sweep(): void {
    const inUse = new Map<string, number>();
    const names = new Set<string>();
    for (const held of this.held) {
      const { ask, lease, epoch } = held;
      if (ask.process.life.killed) this.held.delete(held);
      else if (lease.over !== undefined) this.checkLoss(held);
      else {
        if (held.over) this.fail(`${ask.label} holds again what was over`);
        names.add(ask.plan.name);
        if (epoch > 0 && this.server.epochOf(lease.hold.id) === epoch) this.checkUnits(held, inUse);
      }
    }
    const wanted = new Set<string>();
    for (const { plan, process } of this.waiting) if (!process.life.killed) wanted.add(plan.name);
    this.report(this.stalls.look(this.timeline.now, names, wanted));
  }

  private checkLoss(held: Held): void {
    const { ask, lease, over } = held;
    held.over = true;
    if (!over && lease.over === 'taken' && this.server.keeps(lease.name, lease.hold.id))
      this.fail(`${ask.label} is told that it lost what the server keeps for it`);
  }

  private checkUnits(held: Held, inUse: Map<string, number>): void {
    const { ask, epoch } = held;
    const lock = `${ask.plan.name} ${epoch}`;
    const units = (inUse.get(lock) ?? 0) + held.units;
    inUse.set(lock, units);
    if (units > this.schedule.capacity)
      this.fail(`${units} units of ${ask.plan.name} are held, the last by ${ask.label}`);
    if (epoch === this.server.epoch) this.checkKept(held);
  }

  /** A lease that its holder believes is one that the server keeps, and longer than believed. */
  private checkKept({ ask, lease, units, handing }: Held): void {
    const { hold } = lease;
    const holder = this.server
      .record(hold.name)
      ?.holders.find(({ id }) => id === hold.id || (handing && this.server.idBefore(id) === hold.id));
    const kept = holder ? (holder.deadline - this.server.time()) / 1_000 : -Infinity;
    if (!holder || holder.units < units || kept <= 0)
      return this.fail(`${ask.label} holds what the server does not keep for it`);
    if (this.stepped) return;
    const believed = lease.hold.deadline - ask.process.clock.now();
    const margin = kept - believed / (1 + ask.process.clock.drift);
    this.margin = Math.min(this.margin, margin - this.guard);
    if (margin < this.guard)
      this.fail(`${ask.label} believes its lease for ${this.guard - margin} ms too long`);
  }

  /** Without faults, whoever leaves the queue by a grant stood before everybody who stays. */
  private checkOrder(before: readonly string[], queue: readonly { readonly id: string }[]): void {
    const kept = before.filter((id) => queue.some((waiter) => waiter.id === id));
    for (const id of before)
      if (!kept.includes(id) && this.server.epochOf(id) > 0)
        if (before.indexOf(id) > before.indexOf(kept[0] ?? id))
          this.fail(`${id.slice(0, 8)} was granted before ${kept[0]?.slice(0, 8)}, which came first`);
  }
}

export type { Held };

function sameLine(one: Ask, other: Ask): boolean {
  return (
    one.process === other.process && one.plan.name === other.plan.name && one.plan.units === other.plan.units
  );
}
