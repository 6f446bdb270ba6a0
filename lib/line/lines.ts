/** All waiting and holding of this process at one store: the lines of all names, and the waits for latches. */
import type { Clock } from '../base/clock.js';
import type { Explanation, LockLostReason } from '../base/errors.js';
import { RenewalScheduler } from '../base/renewal-scheduler.js';
import type { LockNotice } from '../store/lock-operation.js';
import { CLAIM_WINDOW } from '../store/lock-state.js';
import type { Concerns, LockStore } from '../store/lock-store.js';
import { commandTimeout } from '../store/server-clock.js';
import { Caller } from './caller.js';
import type { Hold } from './hold.js';
import { HoldTimes } from './hold-times.js';
import { LatchWait } from './latch-wait.js';
import type { Lease } from './lease.js';
import type { LineSetup } from './line-setup.js';
import { Line } from './line.js';
import { settleAtOther, SweptReleases } from './other-server.js';
import { PendingReleases } from './pending-releases.js';
import type { Request } from './request.js';
import { Waiting } from './wait.js';

// How many lines of idle names are kept beside those in use.
const KEPT_IDLE = 256;

/** All waiting and holding of this process at one store: a line for each name in use. */
export class Lines {
  readonly setup: LineSetup;
  /** Notices that named nothing alive of this session; anybody may publish, so they change nothing. */
  ignoredNotices = 0;
  private readonly lines = new Map<string, Line>();
  /** How many of them have something to do. */
  private busy = 0;
  private readonly latchWaits = new Map<string, LatchWait>();
  /** The last releases of lines that are kept no more. */
  private readonly sweptReleases = new SweptReleases();
  private hurried = false;
  private closing = false;
  private readonly onDrained = new Set<() => void>();

  constructor(
    private readonly store: LockStore,
    private readonly clock: Clock,
    random: () => number = Math.random,
    /** Told of every lease that was lost, at the moment in which that is found out. */
    private readonly onLost: (lease: Lease, reason: LockLostReason) => void = () => undefined,
    /** Told in one sentence what came of the leases when another server took the place of ours. */
    private readonly onMoved: (message: string) => void = () => undefined,
  ) {
    this.setup = {
      store,
      clock,
      scheduler: new RenewalScheduler(clock, random),
      pendingReleases: new PendingReleases(store, clock),
      waiting: new Waiting(clock),
      holdTimes: new HoldTimes(),
      random,
    };
    store.listen({
      notice: (name, notice) => this.hear(name, notice),
      wake: (concerns) => this.wake(concerns),
      moved: (what, concerns) => void this.settleAtOther(what, concerns),
      ignored: () => (this.ignoredNotices += 1),
    });
  }

  /** Waits in line for what `leaseOn` makes of the grant; rejects with LockBusyError, LockStoreError or LockUsageError. */
  acquire<L>(request: Request, leaseOn: (lease: Lease) => L, explained?: Explanation): Promise<L> {
    // No promise of ours stands between the grant and whoever waits for it: each costs about as much as a hand-off.
    return new Promise((resolve, reject) => {
      const refuse = explained ? (error: Error): void => reject(explained(error)) : reject;
      const asked = this.hurried && request.leavesAtShutdown ? askingOnce(request) : request;
      this.admit(new Caller(asked, this.setup.clock, (lease) => resolve(leaseOn(lease)), refuse));
    });
  }

  private admit(caller: Caller): void {
    const { signal, name } = caller.request;
    if (this.closing || signal?.aborted) return caller.refuse(this.closing ? 'closed' : 'aborted');
    let line = this.lines.get(name);
    if (!line) this.lines.set(name, (line = new Line(name, this.setup, this.onIdle, this.onLost)));
    if (line.idle) {
      line.idle = false;
      this.busy += 1;
    }
    line.admit(caller);
  }

  /** Whether somebody awaits a lock, or that a latch opens. */
  get awaited(): boolean {
    if (this.latchWaits.size > 0) return true;
    for (const line of this.lines.values()) if (line.waitedFor) return true;
    return false;
  }

  /** The servers are about to close: callers that leave then are sent away, and later ones ask once. */
  hurry(): void {
    this.hurried = true;
    for (const line of [...this.lines.values()]) line.sendAway(false);
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
    for (const line of [...this.lines.values()]) line.sendAway();
    for (const wait of [...this.latchWaits.values()]) wait.close();
    if (this.busy > 0) await this.drained(grace);
    for (const line of [...this.lines.values()]) line.closeLeases();
    await this.within(commandTimeout(Infinity), this.setup.pendingReleases.settled());
    this.setup.pendingReleases.close();
    this.setup.scheduler.close();
    this.setup.waiting.close();
  }

  /**
   * Waits until a round of a latch is open ('' for the current round). Rejects with LockBusyError, LockStoreError or
   * LockUsageError.
   */
  opened(name: string, round: string, wait: number, signal: AbortSignal | undefined): Promise<void> {
    const one = new LatchWait(this.setup, name, round, wait, signal, ({ id }) => this.latchWaits.delete(id));
    this.latchWaits.set(one.id, one);
    if (this.closing) one.close();
    else one.begin();
    return one.opened;
  }

  private readonly onIdle = (line: Line): void => {
    if (line.idle) return;
    line.idle = true;
    this.busy -= 1;
    if (this.busy === 0 && this.onDrained.size > 0) this.tellDrained();
    // A name that is used again soon finds its line; what is idle beside that is little.
    if (this.lines.size <= 2 * this.busy + KEPT_IDLE) return;
    for (const each of [...this.lines.values()]) {
      if (!each.idle) continue;
      this.sweptReleases.keep(each.lastRelease);
      this.lines.delete(each.name);
    }
  };

  /** Another server answers: it is asked for all leases, and told again what was given back lately. */
  private async settleAtOther(what: string, concerns: Concerns = everyName): Promise<void> {
    const holds: Hold[] = [];
    const releases = this.sweptReleases.all();
    for (const name of releases.keys()) if (!concerns(name)) releases.delete(name);
    for (const line of this.lines.values()) {
      if (!concerns(line.name)) continue;
      line.addHolds(holds);
      if (line.lastRelease) releases.set(line.name, line.lastRelease);
    }
    const isAlive = (name: string, id: string): boolean => this.lines.get(name)?.withId(id) !== undefined;
    this.onMoved(`${what}: ${await settleAtOther(this.setup, holds, [...releases.values()], isAlive)}`);
  }

  private drained(grace: number): Promise<void> {
    return this.within(grace, new Promise<void>((drained) => this.onDrained.add(drained)));
  }

  private tellDrained(): void {
    for (const drained of this.onDrained) drained();
    this.onDrained.clear();
  }

  private wake(concerns: Concerns = everyName): void {
    for (const wait of [...this.latchWaits.values()]) if (concerns(wait.name)) wait.wake();
    for (const line of this.lines.values()) if (concerns(line.name)) line.wake();
  }

  private hear(name: string, notice: LockNotice): void {
    if (this.lines.get(name)?.notice(notice)) return;
    const latchWait = this.latchWaits.get(notice.id);
    if (latchWait) return latchWait.notice(notice);
    this.ignoredNotices += 1;
    if (notice.kind !== 'granted') return;
    // A grant for an attempt that nobody waits for any more is given back; for a forged one this is nothing.
    const ttl = Math.min(notice.span, CLAIM_WINDOW) / 1_000;
    const end = this.clock.now() + ttl;
    void this.setup.pendingReleases.send({
      name,
      id: notice.id,
      used: 0,
      keep: 0,
      done: 0,
      ttl,
      end,
      doubt: 0,
    });
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

const everyName = (): boolean => true;

/** The same request of a caller that does not wait. */
function askingOnce(request: Request): Request {
  return { ...request, hurried: true, wait: 0, terms: { ...request.terms, once: true } };
}
