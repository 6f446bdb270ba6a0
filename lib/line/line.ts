import type { Clock } from '../base/clock.js';
import { Deadlines } from '../base/deadlines.js';
import type { LockNotice } from '../store/lock-operation.js';
import { CLAIM_WINDOW } from '../store/lock-state.js';
import type { LockStore } from '../store/lock-store.js';
import { RenewalScheduler } from '../validity/renewal-scheduler.js';
import { AbortWatch } from './abort-watch.js';
import { Agent } from './agent.js';
import { Caller, type Request } from './caller.js';
import { Farewell } from './farewell.js';
import type { Hold } from './hold.js';
import { HoldTimes } from './hold-times.js';
import { settleAtOther, SweptReleases } from './other-server.js';
import type { LossListener, Surroundings } from './surroundings.js';
import type { Tenure } from './tenure.js';
import { commandTimeout } from './terms.js';
import { Waiting } from './waiting.js';

// How many agents of idle names are kept beside those in use.
const KEPT_IDLE = 256;

/** What a caller is told of an error that it is refused with. */
export type Explanation = (error: Error) => Error;

/** Someone beside the agents whom notices are for. */
export interface Hearer {
  readonly id: string;
  notice(notice: LockNotice): void;
  /** A connection is back, or notices can be heard now: who waits asks again. */
  wake(): void;
  /** The process shuts down: who waits is sent away. */
  close(): void;
}

/** All waiting and holding of this process at one store: an agent per name in use. */
export class Line {
  readonly around: Surroundings;
  /** Notices that named nothing alive of this session; anybody may publish, so they change nothing. */
  ignoredNotices = 0;
  private readonly agents = new Map<string, Agent>();
  /** How many of them have something to do. */
  private busy = 0;
  private readonly hearers = new Map<string, Hearer>();
  /** The last releases of agents that are kept no more. */
  private readonly sweptReleases = new SweptReleases();
  private hurried = false;
  private closing = false;
  private readonly onDrained = new Set<() => void>();

  constructor(
    private readonly store: LockStore,
    private readonly clock: Clock,
    random: () => number = Math.random,
    onLost: LossListener = () => undefined,
    private readonly onMoved: (message: string) => void = () => undefined,
  ) {
    this.around = {
      store,
      clock,
      scheduler: new RenewalScheduler(clock, random),
      farewell: new Farewell(store, clock),
      aborts: new AbortWatch(),
      patience: new Deadlines(clock),
      waiting: new Waiting(clock),
      holdTimes: new HoldTimes(),
      onLost,
      random,
    };
    store.listen({
      notice: (name, notice) => this.hear(name, notice),
      wake: () => this.wake(),
      moved: (what) => void this.settleAtOther(what),
      ignored: () => (this.ignoredNotices += 1),
    });
  }

  /** Waits in line for what `leaseOn` makes of the grant; rejects with LockBusyError, LockStoreError or LockUsageError. */
  acquire<L>(request: Request, leaseOn: (tenure: Tenure) => L, explained?: Explanation): Promise<L> {
    // No promise of ours stands between the grant and whoever waits for it: each costs about as much as a hand-off.
    return new Promise((resolve, reject) => {
      const refuse = explained ? (error: Error): void => reject(explained(error)) : reject;
      const asked = this.hurried && request.leavesAtShutdown ? askingOnce(request) : request;
      this.admit(new Caller(asked, this.around.clock, (tenure) => resolve(leaseOn(tenure)), refuse));
    });
  }

  private admit(caller: Caller): void {
    const { signal, name } = caller.request;
    if (this.closing || signal?.aborted) return caller.refuse(this.closing ? 'closed' : 'aborted');
    let agent = this.agents.get(name);
    if (!agent) this.agents.set(name, (agent = new Agent(name, this.around, this.onIdle)));
    if (agent.idle) {
      agent.idle = false;
      this.busy += 1;
    }
    agent.admit(caller);
  }

  /** Whether somebody awaits a lock, or that a latch opens. */
  get awaited(): boolean {
    if (this.hearers.size > 0) return true;
    for (const agent of this.agents.values()) if (agent.waitedFor) return true;
    return false;
  }

  /** The servers are about to close: callers that leave then are sent away, and later ones ask once. */
  hurry(): void {
    this.hurried = true;
    for (const agent of [...this.agents.values()]) agent.closeLine(false);
  }

  /** Whether anybody holds a lock or waits for one. */
  get inUse(): boolean {
    return this.busy > 0;
  }

  /** Grants go on; resolves when nobody holds or waits, or after `grace` ms. */
  async drain(grace: number): Promise<void> {
    const end = this.clock.now() + grace;
    while (this.busy > 0 && this.clock.now() < end) {
      await this.drained(end - this.clock.now());
      // Work that takes one lock after another comes back before the event loop turns.
      await new Promise<void>((turned) => this.clock.breathe(turned));
    }
  }

  /** No new grants; who waits is sent away; who works keeps its lease for `grace` ms; then all is released. */
  async close(grace: number): Promise<void> {
    if (this.closing) return;
    this.closing = true;
    for (const agent of [...this.agents.values()]) agent.closeLine();
    for (const hearer of [...this.hearers.values()]) hearer.close();
    if (this.busy > 0) await this.drained(grace);
    for (const agent of [...this.agents.values()]) agent.closeTenures();
    await this.within(commandTimeout(Infinity), this.around.farewell.settled());
    this.around.farewell.close();
    this.around.scheduler.close();
    this.around.patience.close();
    this.around.waiting.close();
  }

  /** Who can be sent away (`close`) is so at once when the process shuts down already. */
  register(hearer: Hearer): void {
    this.hearers.set(hearer.id, hearer);
    if (this.closing) hearer.close();
  }

  forget(id: string): void {
    this.hearers.delete(id);
  }

  private readonly onIdle = (agent: Agent): void => {
    if (agent.idle) return;
    agent.idle = true;
    this.busy -= 1;
    if (this.busy === 0 && this.onDrained.size > 0) this.tellDrained();
    // A name that is used again soon finds its agent; what is idle beside that is little.
    if (this.agents.size <= 2 * this.busy + KEPT_IDLE) return;
    for (const each of [...this.agents.values()]) {
      if (!each.idle) continue;
      this.sweptReleases.keep(each.lastRelease);
      this.agents.delete(each.name);
    }
  };

  private drained(grace: number): Promise<void> {
    return this.within(grace, new Promise<void>((drained) => this.onDrained.add(drained)));
  }

  private tellDrained(): void {
    for (const drained of this.onDrained) drained();
    this.onDrained.clear();
  }

  /** Another server answers: it is asked for all leases, and told again what was given back lately. */
  private async settleAtOther(what: string): Promise<void> {
    const holds: Hold[] = [];
    const releases = this.sweptReleases.all();
    for (const agent of this.agents.values()) {
      agent.addHolds(holds);
      if (agent.lastRelease) releases.set(agent.name, agent.lastRelease);
    }
    const isAlive = (name: string, id: string): boolean => this.agents.get(name)?.withId(id) !== undefined;
    this.onMoved(`${what}: ${await settleAtOther(this.around, holds, [...releases.values()], isAlive)}`);
  }

  private wake(): void {
    for (const hearer of [...this.hearers.values()]) hearer.wake();
    for (const agent of this.agents.values()) agent.wake();
  }

  private hear(name: string, notice: LockNotice): void {
    if (this.agents.get(name)?.notice(notice)) return;
    const hearer = this.hearers.get(notice.id);
    if (hearer) return hearer.notice(notice);
    this.ignoredNotices += 1;
    if (notice.kind !== 'granted') return;
    // A grant for an attempt that nobody waits for any more is given back; for a forged one this is nothing.
    const ttl = Math.min(notice.span, CLAIM_WINDOW) / 1_000;
    const end = this.clock.now() + ttl;
    void this.around.farewell.send({ name, id: notice.id, used: 0, keep: 0, done: 0, ttl, end, doubt: 0 });
  }

  /** Waits for `work`, up to `ms`; leaves no timer. */
  private within(ms: number, work: Promise<unknown>): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.clock.after(ms, resolve);
      void work.then(() => {
        cancel();
        resolve();
      });
    });
  }
}

/** The same request of a caller that does not wait. */
function askingOnce(request: Request): Request {
  return { ...request, hurried: true, wait: 0, terms: { ...request.terms, once: true } };
}
