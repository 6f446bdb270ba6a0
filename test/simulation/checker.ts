import type { Tenure } from '../../lib/line/tenure.js';
import type { CallerPlan, Schedule } from './schedule.js';
import { guardOf } from './schedule.js';
import type { SimulatedProcess } from './simulated-process.js';
import type { SimulatedServer } from './simulated-server.js';
import type { Timeline } from './timeline.js';

/** One call of acquire. */
export interface Ask {
  readonly process: SimulatedProcess;
  readonly plan: CallerPlan;
  readonly label: string;
}

interface Held {
  readonly ask: Ask;
  readonly tenure: Tenure;
  readonly epoch: number;
}

/** Sees everything that the API says, and what the server stores; the first broken promise is the verdict. */
export class Checker {
  violation: string | undefined;
  grants = 0;
  /** The least time between the end of a lease by its holder and by the server, in milliseconds. */
  margin = Infinity;
  private readonly held = new Set<Held>();
  private readonly waiting: Ask[] = [];
  private readonly fences = new Map<string, { latest: number; exclusive: number; all: Set<number> }>();
  private readonly guard: number;
  private readonly stepped: boolean;
  /** The records are lost while the fences are ahead of the clock: outside of what is promised. */
  private readonly fencesMayFall: boolean;

  constructor(
    private readonly timeline: Timeline,
    private readonly server: SimulatedServer,
    private readonly schedule: Schedule,
  ) {
    const { faults, fenceMemory, callers } = schedule;
    this.guard = Math.min(...callers.map(({ ttl }) => guardOf(ttl)));
    this.stepped = faults.some(({ kind }) => kind === 'step');
    const lost = faults.some(({ kind }) => kind === 'flush' || kind === 'restart');
    const back = faults.some((fault) => fault.kind === 'step' && fault.by < 0);
    // Taking a lock by force uses its block up, at once.
    const ahead = faults.some((fault) => fault.kind === 'revoke' && fault.force);
    this.fencesMayFall = (lost && (back || ahead)) || (fenceMemory === 0 && back);
    if (faults.length === 0) server.onApply = (_, before, state) => this.checkOrder(before, state.queue);
  }

  fail(what: string): void {
    this.violation ??= `${what}, at ${this.timeline.now.toFixed(3)} ms`;
    this.timeline.note(() => `!! ${what}`);
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
    this.timeline.note(() => `${ask.label} is refused: ${why}`);
  }

  granted(ask: Ask, tenure: Tenure): Held {
    this.grants += 1;
    const place = this.waiting.indexOf(ask);
    const overtaken = this.waiting.slice(0, place).find((other) => sameLine(ask, other));
    if (overtaken) this.fail(`${ask.label} overtook ${overtaken.label} in the line of its process`);
    this.waiting.splice(place, 1);
    const { id } = tenure.hold;
    const held = { ask, tenure, epoch: this.server.epochOf(id) };
    this.timeline.note(() => `${ask.label} has ${ask.plan.name} as ${id.slice(0, 8)}, fence ${tenure.fence}`);
    this.checkFence(held);
    this.held.add(held);
    return held;
  }

  released(held: Held): void {
    this.held.delete(held);
    this.timeline.note(() => `${held.ask.label} releases (${held.tenure.over ?? 'held'})`);
  }

  /** Holds everywhere, now: what the API would say if it were asked. */
  sweep(): void {
    if (this.held.size === 0) return;
    const inUse = new Map<string, number>();
    for (const held of this.held) {
      const { ask, tenure, epoch } = held;
      if (ask.process.life.killed) this.held.delete(held);
      else if (tenure.over === undefined && this.server.epochOf(tenure.hold.id) === epoch && epoch > 0) {
        const lock = `${ask.plan.name} ${epoch}`;
        const units = (inUse.get(lock) ?? 0) + ask.plan.units;
        inUse.set(lock, units);
        if (units > this.schedule.capacity)
          this.fail(`${units} units of ${ask.plan.name} are held, the last by ${ask.label}`);
        if (epoch === this.server.epoch) this.checkKept(held);
      }
    }
  }

  /** A lease that its holder believes is one that the server keeps, and longer than believed. */
  private checkKept({ ask, tenure }: Held): void {
    const { hold } = tenure;
    const holder = this.server.record(hold.name)?.holders.find(({ id }) => id === hold.id);
    const kept = holder ? (holder.deadline - this.server.time()) / 1_000 : -Infinity;
    if (holder?.units !== ask.plan.units || kept <= 0)
      return this.fail(`${ask.label} holds what the server does not keep for it`);
    if (this.stepped) return;
    const believed = tenure.hold.deadline - ask.process.clock.now();
    const margin = kept - believed / (1 + ask.process.clock.drift);
    this.margin = Math.min(this.margin, margin - this.guard);
    if (margin < this.guard)
      this.fail(`${ask.label} believes its lease for ${this.guard - margin} ms too long`);
  }

  private checkFence({ ask, tenure, epoch }: Held): void {
    const { name, units } = ask.plan;
    const seen = this.fences.get(name) ?? { latest: 0, exclusive: 0, all: new Set<number>() };
    this.fences.set(name, seen);
    const alone = units === this.schedule.capacity;
    const { fence } = tenure;
    // What was taken by force, or lost by the server, is protected by the fence alone: it may be an old one.
    if (epoch === this.server.epoch && !this.fencesMayFall) {
      if (seen.all.has(fence)) this.fail(`${ask.label} has the fence ${fence}, which was given out before`);
      if (fence <= (alone ? seen.latest : seen.exclusive))
        this.fail(`${ask.label} has the fence ${fence}, and a conflicting hold before had ${seen.latest}`);
    }
    seen.all.add(fence);
    seen.latest = Math.max(seen.latest, fence);
    if (alone) seen.exclusive = Math.max(seen.exclusive, fence);
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
