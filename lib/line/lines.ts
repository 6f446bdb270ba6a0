/** Everything that this process holds or waits for at one store: the lines of all names, and the waits for latches. */
import type { Clock } from '../base/clock.js';
import type { Explanation, LockLostReason } from '../base/errors.js';
import { RenewalScheduler } from '../base/shared-timer.js';
import type { LockNotice } from '../store/lock-operation.js';
import { CLAIM_WINDOW } from '../store/lock-machine.js';
import type { Concerns, LockStore } from '../store/lock-store.js';
import { commandTimeout } from '../store/server-clock.js';
import { Caller } from './caller.js';
import type { Hold } from './hold.js';
import { LatchWait } from './latch-wait.js';
import type { LineLease } from './line-lease.js';
import { type LineSetup, HoldTimes } from './line-setup.js';
import { Line } from './line.js';
import { settleAtOther } from './other-server.js';
import { PendingReleases } from './pending-releases.js';
import type { Request } from './request.js';
import { Waiting } from './wait.js';

// How many lines of idle names are kept in addition to those in use.
const KEPT_IDLE = 256;

/** Everything that this process holds or waits for at one store: a line for each name in use. */
export class Lines {
  readonly setup: LineSetup;
  /** How many notices named nothing alive of this session. Anybody may publish, so they change nothing. */
  ignoredNotices = 0;
  private readonly lines = new Map<string, Line>();
  /** How many lines have something to do. */
  private busy = 0;
  private readonly latchWaits = new Map<string, LatchWait>();
  private hurried = false;
  private closing = false;
  private readonly onDrained = new Set<() => void>();

  constructor(
    private readonly store: LockStore,
    private readonly clock: Clock,
    random: () => number = Math.random,
    /** Called for every lost lease, as soon as the loss is noticed. */
    private readonly onLost: (lease: LineLease, reason: LockLostReason) => void = () => undefined,
    /** Called with one sentence about what became of the leases when another server took the place of ours. */
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

  /** Waits in line; resolves with what `leaseOn` makes of the grant. Rejects with LockBusyError, LockStoreError or LockUsageError. */
  acquire<L>(request: Request, leaseOn: (lease: LineLease) => L, explained?: Explanation): Promise<L> {
    // There is no other promise between the grant and the caller: each costs about as much as a hand-off.
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

  /** Whether somebody waits for a lock or for a latch. */
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

  /** Resolves when nobody holds or waits, or after `grace` ms; grants go on meanwhile. */
  async drain(grace: number): Promise<void> {
    const end = this.clock.now() + grace;
    while (this.busy > 0 && this.clock.now() < end) {
      await this.drained(end - this.clock.now());
      // Work that takes one lock after another asks for the next one before the event loop turns.
      await new Promise<void>((turned) => this.clock.breathe(turned));
    }
  }

  /** Grants nothing more; refuses waiting callers; lets work keep its leases for `grace` ms; then releases everything. */
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
    // A name that is used again soon finds its line, and only a few idle lines are kept.
    if (this.lines.size <= 2 * this.busy + KEPT_IDLE) return;
    for (const each of [...this.lines.values()]) {
      if (!each.idle) continue;
      this.setup.pendingReleases.remember(each.lastRelease);
      this.lines.delete(each.name);
    }
  };

  /** Another server answers: asks it about all leases, and sends it recent releases again. */
  private async settleAtOther(what: string, concerns: Concerns = everyName): Promise<void> {
    const holds: Hold[] = [];
    const releases = this.setup.pendingReleases.lastOfEach();
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
    // A grant for an attempt that nobody needs any more is given back; for a forged one this changes nothing.
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

/** The same request, but asking once. */
function askingOnce(request: Request): Request {
  return { ...request, hurried: true, wait: 0, terms: { ...request.terms, once: true } };
}
