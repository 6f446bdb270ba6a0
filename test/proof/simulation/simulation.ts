import { sessionOf } from '../../../lib/store/lock-machine.js';
import { Checker } from './checker.js';
import { FaultInjector } from './fault-injector.js';
import { calmAfter } from './fault-plan.js';
import { Random } from './random.js';
import { guardOf, type Schedule } from './schedule.js';
import { SimulatedProcess } from './simulated-process.js';
import { SimulatedServer } from './simulated-server.js';
import { Timeline } from './timeline.js';

/** Breaks a server on purpose, before anything happens. */
export type Tamper = (server: SimulatedServer) => void;

/** What a run showed. */
export interface Verdict {
  /** The first promise that was broken. */
  readonly violation: string | undefined;
  readonly trace: readonly string[];
  readonly grants: number;
  /** The least by which a server kept a lease longer than its guard, in milliseconds. */
  readonly margin: number;
}

// A waiter that died is dropped after so long, a claim of it after so long.
const SILENCE = 15_000;
const CLAIM = 2_000;
const SOON = 50;
const GUARD = 500;
const DOUBT = 2_500;
const LEFT = 'a holder or a queue is left';

/** Runs a schedule to its end, in virtual time. */
export class Simulation {
  private readonly timeline = new Timeline();
  private readonly server: SimulatedServer;
  private readonly checker: Checker;
  private readonly processes: SimulatedProcess[];
  private readonly calm: boolean;

  constructor(
    private readonly schedule: Schedule,
    { traced = false, tamper }: { traced?: boolean; tamper?: Tamper | undefined } = {},
  ) {
    const { timeline } = this;
    if (traced) timeline.trace = [];
    this.server = new SimulatedServer(timeline, schedule);
    const checker = (this.checker = new Checker(timeline, this.server, schedule));
    const random = new Random(schedule.seed ^ 0x5bd1e995);
    this.processes = schedule.drifts.map(
      (_, index) => new SimulatedProcess(index, schedule, timeline, this.server, checker, random.fork()),
    );
    for (const process of this.processes) process.all = this.processes;
    tamper?.(this.server);
    this.calm = schedule.faults.length === 0;
    timeline.afterEach = () => checker.sweep();
  }

  async run(): Promise<Verdict> {
    const { timeline, checker, schedule } = this;
    const injector = new FaultInjector(timeline, this.server, this.processes);
    for (const fault of schedule.faults) timeline.at(fault.at, () => injector.inject(fault));
    timeline.at(calmAfter(schedule.faults), () =>
      this.processes.forEach(({ store }) => {
        store.commands.road.calm();
        store.notices.road.calm();
      }),
    );
    schedule.callers.forEach((plan, number) =>
      timeline.at(plan.at, () => this.processes[plan.process]?.call(plan, number)),
    );
    await this.inTurn();
    const { trace = [] } = timeline;
    return { violation: checker.violation, trace, grants: checker.grants, margin: checker.margin };
  }

  private async inTurn(): Promise<void> {
    const { callers } = this.schedule;
    const begun = Math.max(0, ...callers.map(({ at }) => at), calmAfter(this.schedule.faults));
    await this.until(begun, () => false);
    const work = callers.reduce((sum, { hold, keep, entries, givesFor, takers }) => {
      const elsewhere = takers.reduce((most, taker) => Math.max(most, taker.after + taker.hold), givesFor);
      return sum + hold + keep + elsewhere + entries.reduce((one, other) => one + other, 100);
    }, 0);
    const settled = () => this.living.every(({ open }) => open === 0);
    await this.until(begun + work + 2 * SILENCE, settled, 'a caller waits for ever');
    const longest = Math.max(
      0,
      ...callers.map(
        ({ ttl, keep, givesFor }) => Math.max(ttl, givesFor) + guardOf(Math.max(ttl, givesFor)) + keep,
      ),
    );
    const visits = this.visit();
    const kept = Math.max(0, ...callers.map(({ keep, linger }) => Math.max(keep, 1.02 * linger)));
    const round = SOON + 10 * this.schedule.latency.usual + kept;
    // A process that runs gives all back; where a copy of a command may be read late, it waits for that first.
    const jumps = this.schedule.faults.some(({ kind }) => kind === 'step' || kind === 'jump');
    const mine = () => this.empty((session) => this.owners.has(session));
    if (!jumps) await this.until(this.timeline.now + round + (this.calm ? 0 : DOUBT), mine, LEFT);
    const dying = callers.length * (CLAIM + GUARD); // one after the other, where nobody can tell that they are dead
    await this.until(this.timeline.now + longest + dying + SILENCE, () => this.empty(() => true), LEFT);
    visits.end();
    const quiet = () => this.living.every(({ clock }) => clock.pending === 0);
    await this.until(this.timeline.now + longest + SILENCE, quiet, 'a timer is left in an idle process');
    for (const process of this.living) process.shutdown(10_000);
    await this.until(this.timeline.now + 1_000, () => settled() && quiet(), 'a process does not close');
  }

  /** Lets time go on until `done`; not being done within `limit` is a violation called `otherwise`. */
  private async until(limit: number, done: () => boolean, otherwise?: string): Promise<void> {
    const { checker, timeline } = this;
    const met = await timeline.run(limit, () => checker.violation !== undefined || done());
    if (!met && otherwise) checker.fail(otherwise);
  }

  private get living(): SimulatedProcess[] {
    return this.processes.filter(({ life }) => !life.killed);
  }

  /** Somebody comes by now and then and asks for nothing: what a clock that stepped back made endless ends again. */
  private visit(): { end(): void } {
    const visitor = { kind: 'release', id: 'visitor.0', used: 0, keep: 0, done: 0 } as const;
    for (const name of new Set(this.schedule.callers.map((caller) => caller.name)))
      this.server.apply(name, visitor);
    let next = { end: this.timeline.after(1_000, () => (next = this.visit())) };
    return { end: () => next.end() };
  }

  /** The sessions that are alive to the end. */
  private get owners(): Set<string> {
    return new Set(this.living.filter(({ closing }) => !closing).map(({ store }) => store.session));
  }

  /** Whether the server has neither a holder nor a queue of these sessions. */
  private empty(of: (session: string) => boolean): boolean {
    const now = this.server.time();
    return this.schedule.callers.every(({ name }) => {
      const record = this.server.record(name);
      if (!record) return true;
      const { holders, queue } = record;
      return (
        holders.every(({ id, deadline }) => deadline <= now || !of(sessionOf(id))) &&
        queue.every(({ id, until, alive }) => Math.min(until, alive) <= now || !of(sessionOf(id)))
      );
    });
  }
}
