/** Everything that this process holds or waits for at one store: the lines of all names, and the waits for latches. */
import type { Clock } from '../base/clock.js';
import type { Explanation, LockLostReason } from '../base/errors.js';
import { type Renewable, RenewalScheduler } from '../base/shared-timer.js';
import type { LockNotice } from '../store/lock-operation.js';
import { CLAIM_WINDOW } from '../store/lock-machine.js';
import type { Concerns, LockStore } from '../store/lock-store.js';
import { commandTimeout } from '../store/server-clock.js';
import { Caller, type LeaseMaker } from './caller.js';
import { DeadlockWatch, type Deadlock } from './deadlock-watch.js';
import type { Hold } from './hold.js';
import { LatchWait } from './latch-wait.js';
import type { LineLease } from './line-lease.js';
import { HoldTimes } from './line-setup.js';
import { Line, type SetupOfLines } from './line.js';
import { acquireChannel, traced } from './lock-channels.js';
import { settleAtOther } from './other-server.js';
import { PendingReleases } from './pending-releases.js';
import type { Request } from './request.js';
import { type NotTakenOver, Resumption } from './resumption.js';
import { Waiting } from './wait.js';

// How many lines of idle names are kept in addition to those in use.
const KEPT_IDLE = 256;

/** Everything that this process holds or waits for at one store: a line for each name in use. */
export class Lines {
  readonly setup: SetupOfLines;
  /** How many notices named nothing alive of this session. Anybody may publish, so they change nothing. */
  ignoredNotices = 0;
  private readonly lines = new Map<string, Line>();
  /** How many lines have something to do. */
  private busy = 0;
  private readonly latchWaits = new Map<string, LatchWait>();
  private readonly resumptions = new Map<string, Resumption>();
  private hurried = false;
  private closing = false;
  private readonly onDrained = new Set<() => void>();

  constructor(
    private readonly store: LockStore,
    private readonly clock: Clock,
    random: () => number = Math.random,
    /** Called for every lost lease, as soon as the loss is noticed. */
    onLost: (lease: LineLease, reason: LockLostReason) => void = () => undefined,
    /** Called with one sentence about what became of the leases when another server took the place of ours. */
    private readonly onMoved: (message: string) => void = () => undefined,
    /** Called when renewals come so many milliseconds too late, with the holds that they are for. */
    onLate?: (holds: readonly Hold[], late: number) => void,
    /** Called once for each deadlock, in one of the processes that are part of it. */
    onDeadlock?: (deadlock: Deadlock) => void,
  ) {
    this.setup = {
      store,
      clock,
      scheduler: new RenewalScheduler(
        clock,
        random,
        onLate as (due: readonly Renewable[], late: number) => void,
      ),
      pendingReleases: new PendingReleases(store, clock),
      waiting: new Waiting(clock),
      deadlocks: new DeadlockWatch(store, clock, (name) => this.lines.get(name), onDeadlock),
      holdTimes: new HoldTimes(),
      random,
      mayLinger: true,
      onIdle: (line) => this.idle(line),
      onLost,
    };
    store.listen({
      notice: (name, notice) => this.hear(name, notice),
      wake: (concerns) => this.wake(concerns),
      moved: (what, concerns) => void this.settleAtOther(what, concerns),
      changed: (name) => this.changed(name),
      deaf: () => this.endLingers(),
      ignored: () => (this.ignoredNotices += 1),
    });
  }

  /** Waits in line; resolves with what `maker` makes of the grant. Rejects with LockBusyError, LockStoreError or LockUsageError. */
  acquire<L>(request: Request, maker: LeaseMaker<L>, explained?: Explanation): Promise<L> {
    if (acquireChannel.hasSubscribers && !request.trace)
      return traced(request, this.setup.store.session, (withTrace) =>
        this.acquire(withTrace, maker, explained),
      );
    // There is no other promise between the grant and the caller: each costs about as much as a hand-off.
    return new Promise((resolve, reject) => {
      const refuse = explained ? (error: Error): void => reject(explained(error)) : reject;
      const asked = this.hurried && request.leavesAtShutdown ? askingOnce(request) : request;
      this.admit(new Caller(asked, this.setup.clock, maker, resolve, refuse));
    });
  }

  private admit(caller: Caller): void {
    const { signal, name } = caller.request;
    if (this.closing || signal?.aborted) return caller.refuse(this.closing ? 'closed' : 'aborted');
    const line = this.lineOf(name);
    line.admit(caller);
    if (caller.request.holding && caller.linked) this.setup.deadlocks.watch(line);
  }

  /** The line of a name, which is in use from now on. */
  private lineOf(name: string): Line {
    let line = this.lines.get(name);
    if (!line) this.lines.set(name, (line = new Line(name, this.setup)));
    if (line.idle) {
      line.idle = false;
      this.busy += 1;
    }
    return line;
  }

  /**
   * Goes on with a hold that another process has handed over under the id `from`. Resolves with the lease, or with what the
   * store says instead. Rejects with LockBusyError (aborted, closed) or LockStoreError.
   */
  async resume(request: Request, from: string): Promise<LineLease | NotTakenOver> {
    const one = new Resumption(this.setup, request, from);
    if (request.signal?.aborted) throw one.abandon('aborted');
    this.resumptions.set(one.id, one);
    try {
      const answer = this.closing ? undefined : await one.answer();
      if (!answer || this.closing) throw one.abandon('closed');
      if (answer.outcome !== 'granted') return answer;
      const line = this.lineOf(request.name);
      const lease = line.resume((owner) => one.holdOf(answer, owner), request, one.since);
      one.passOnTo(lease.hold);
      return lease;
    } finally {
      this.resumptions.delete(one.id);
    }
  }

  /** Whether somebody waits for a lock or for a latch. */
  get awaited(): boolean {
    if (this.latchWaits.size + this.resumptions.size > 0) return true;
    for (const line of this.lines.values()) if (line.waitedFor) return true;
    return false;
  }

  /** The servers are about to close: callers that leave then are sent away, and later ones ask once. */
  hurry(): void {
    this.hurried = true;
    this.stopLingering();
    for (const line of [...this.lines.values()]) line.sendAway(false);
  }

  /** Whether anybody holds a lock or waits for one. */
  get inUse(): boolean {
    return this.busy > 0;
  }

  /** Resolves when nobody holds or waits, or after `grace` ms; grants go on meanwhile, but nothing lingers any more. */
  async drain(grace: number): Promise<void> {
    this.stopLingering();
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
    // Whoever closes may have nothing else to do, and no timer of ours keeps a process alive.
    this.setup.waiting.enter();
    this.setup.waiting.keep();
    this.stopLingering();
    for (const line of [...this.lines.values()]) line.sendAway();
    for (const wait of [...this.latchWaits.values()]) wait.close();
    for (const one of [...this.resumptions.values()]) one.close();
    if (this.busy > 0) await this.drained(grace);
    for (const line of [...this.lines.values()]) line.closeLeases();
    await this.within(commandTimeout(Infinity), this.setup.pendingReleases.settled());
    this.setup.pendingReleases.close();
    this.setup.scheduler.close();
    this.setup.deadlocks.close();
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

  /** Ends what this process holds of a name, for tests. */
  lose(name: string, reason: 'expired' | 'taken'): void {
    this.lines.get(name)?.lose(reason);
  }

  private idle(line: Line): void {
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
  }

  /** Another server answers: asks it about all leases, and sends it recent releases again. */
  private async settleAtOther(what: string, concerns: Concerns = everyName): Promise<void> {
    const holds: Hold[] = [];
    const releases = this.setup.pendingReleases.lastOfEach();
    for (const name of releases.keys()) if (!concerns(name)) releases.delete(name);
    for (const line of [...this.lines.values()]) {
      if (!concerns(line.name)) continue;
      if (line.lastRelease) releases.set(line.name, line.lastRelease);
      line.endLinger(); // the new server is sent that release now
      line.addHolds(holds);
    }
    const isAlive = (name: string, id: string): boolean =>
      this.resumptions.has(id) || this.lines.get(name)?.withId(id) !== undefined;
    this.onMoved(`${what}: ${await settleAtOther(this.setup, holds, [...releases.values()], isAlive)}`);
  }

  /** Gives back what nobody here uses. */
  private endLingers(): void {
    for (const line of [...this.lines.values()]) line.endLinger();
  }

  private stopLingering(): void {
    this.setup.mayLinger = false;
    this.endLingers();
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

  private changed(name: string | undefined): void {
    if (name !== undefined) this.lines.get(name)?.changed();
    else for (const line of [...this.lines.values()]) line.changed();
  }

  private hear(name: string, notice: LockNotice): void {
    if (this.lines.get(name)?.notice(notice)) return;
    const latchWait = this.latchWaits.get(notice.id);
    if (latchWait) return latchWait.notice(notice);
    const resumption = this.resumptions.get(notice.id);
    if (resumption) return resumption.notice(notice);
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
