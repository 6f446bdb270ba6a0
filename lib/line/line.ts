/** The callers of one name in this process, and what the process does at the store for them. */
import { Chain } from '../base/chain.js';
import type { Clock } from '../base/clock.js';
import type { LockBusyReason, LockLostReason, LockStoreError } from '../base/errors.js';
import type { LockNotice, StuckHold } from '../store/lock-operation.js';
import type { Attempt } from './attempt.js';
import { Attempts, MOST_ATTEMPTS, NO_ATTEMPTS, type AttemptLine } from './attempts.js';
import {
  firstFor,
  successorOf,
  waitLeftFor,
  type Caller,
  type CallerOwner,
  type InTheWay,
} from './caller.js';
import type { WatchedLine } from './deadlock-watch.js';
import { SIGN_OF_LIFE } from '../store/lock-machine.js';
import type { Hold, HoldOwner } from './hold.js';
import { leaseOf, type LineLease, type LeaseOwner } from './line-lease.js';
import { Leases } from './leases.js';
import type { LineSetup } from './line-setup.js';
import { Lingering } from './lingering.js';
import { grantedChannel, lingeringChannel, publishGranted, publishLingering } from './lock-channels.js';
import type { PendingRelease } from './pending-releases.js';
import type { Request } from './request.js';

/** What all lines share, and whom they tell. */
export interface SetupOfLines extends LineSetup {
  /** Told when a line has neither callers nor anything at the store. */
  readonly onIdle: (line: Line) => void;
  /** Told of every lost lease, as soon as the loss is noticed. */
  readonly onLost: (lease: LineLease, reason: LockLostReason) => void;
}

const LEAST_WAIT = 1;
const RELEASED = Promise.resolve('released' as const);

/**
 * The line of one name: its callers are served first come, first served, and only the line acquires, renews and releases
 * for them at the store. An exclusive hold is handed off from caller to caller without the store, as long as
 * {@link Leases.mayGoOn} allows it.
 */
export class Line implements AttemptLine, CallerOwner, LeaseOwner, WatchedLine {
  /** Whether it has neither callers nor anything at the store; {@link Lines} keeps this. */
  idle = true;
  /** The last release; another server may not have read it. */
  lastRelease: PendingRelease | undefined;
  /** Whether its attempts say what their callers hold. Declared only: in most lines nobody holds anything for long. */
  declare tellsHolding?: boolean;
  private readonly callers = new Chain<Caller>();
  private readonly leases = new Leases();
  private attempts = NO_ATTEMPTS;
  /** How many of the callers ask once. Declared only: few do, and not for long. */
  declare private once?: number;

  constructor(
    readonly name: string,
    readonly setup: SetupOfLines,
  ) {}

  get clock(): Clock {
    return this.setup.clock;
  }

  /** Lets a new caller stand in line, or refuses it. */
  admit(caller: Caller): void {
    const { since: now } = caller;
    const { terms, wait, maxWaiters } = caller.request;
    const { size } = this.callers;
    const busy = this.leases.excludes(terms, now) || this.attempts.precede(this.callers, terms);
    const otherKind = this.leases.otherThan(terms.capacity, now);
    // A holder that does not hear that others wait would never let them in.
    const { store } = this.setup;
    if (caller.request.linger && store.attend) store.attend();
    else if (busy || size > 0 || caller.request.linger) store.subscribe();
    if (otherKind !== undefined) caller.refuseKind(otherKind);
    else if (wait === 0 && busy) this.turnAway(caller, 'held');
    else if (size - this.attempts.asking >= maxWaiters)
      caller.refuse('full', undefined, this.setup.holdTimes.typical(terms.identity));
    else {
      this.callers.add(caller);
      if (wait === 0) this.once = (this.once ?? 0) + 1;
      if (this.leases.idle) this.useIdle(now);
      this.pump(now);
      if (!caller.linked) return;
      caller.stand(this.setup.waiting, this);
      if (busy || size > 0) this.setup.waiting.keep(); // for a caller who is alone, its attempt does so when it has to wait
    }
  }

  /** Passes on a notice; returns whether something alive here has its id. */
  notice(notice: LockNotice): boolean {
    const hearer = this.withId(notice.id);
    hearer?.notice(notice);
    return hearer !== undefined;
  }

  /** The live attempt or hold with this id. */
  withId(id: string): Attempt | Hold | undefined {
    return this.attempts.withId(id) ?? this.leases.withId(id);
  }

  /** Adds what it holds at the store. */
  addHolds(holds: Hold[]): void {
    for (const { hold } of this.leases.all) holds.push(hold);
    const { passing, idle } = this.leases;
    if (passing) holds.push(passing);
    if (idle) holds.push(idle);
  }

  /** Ends what it holds at the store, for tests. */
  lose(reason: 'expired' | 'taken'): void {
    const holds: Hold[] = [];
    this.addHolds(holds);
    for (const hold of holds) hold.lose(reason);
  }

  /** Somebody else may have changed the record. */
  changed(): void {
    const holds: Hold[] = [];
    this.addHolds(holds);
    for (const hold of holds) hold.changed();
  }

  /**
   * A connection is back, or notices can be heard now: attempts ask again, and exclusive holds that would go on here after
   * their lease check whether others wait.
   */
  wake(): void {
    this.endLinger(); // others may have asked for it meanwhile
    this.attempts.wake();
    if (this.callers.first || this.leases.asksToLinger) this.leases.checkContended();
  }

  /** Gives back what nobody here uses. */
  endLinger(): void {
    const hold = this.leases.lingering?.end();
    if (hold) void this.giveBack(hold);
  }

  /** Whether callers stand in line. */
  get waitedFor(): boolean {
    return this.callers.first !== undefined;
  }

  get holders(): Caller[] {
    const found: Caller[] = [];
    for (let caller = this.callers.first; caller; caller = caller.after)
      if (caller.request.holding) found.push(caller);
    return found;
  }

  get holding(): readonly StuckHold[] | undefined {
    return this.tellsHolding ? this.setup.deadlocks.stuckBehind(this) : undefined;
  }

  tellHolding(tells: boolean): void {
    if (tells === (this.tellsHolding ?? false)) return;
    this.tellsHolding = tells;
    if (tells) this.attempts.tell();
  }

  giveWay(caller: Caller): void {
    if (!this.remove(caller)) return;
    this.turnAway(caller, 'deadlock');
    this.pump();
  }

  /** Sends waiting callers away: all, or only those that leave when the servers are about to close. */
  sendAway(all = true): void {
    for (let caller = this.callers.first, after; caller; caller = after) {
      after = caller.after;
      if (!all && !caller.request.leavesAtShutdown) continue;
      this.remove(caller);
      caller.refuse('closed');
    }
    this.pump();
  }

  /** Takes the lock away from callers who still work under it. */
  closeLeases(): void {
    for (const lease of this.leases.all) {
      lease.lose('closed');
      void this.giveBack(lease.hold);
    }
    const { passing } = this.leases;
    if (passing) void this.giveBack(passing);
  }

  waitLeft(attempt: Attempt): number {
    // Whoever waits is told that its time is over by its timer, and an attempt that asked once would end before.
    if (attempt.terms.once) return 0;
    // A place lasts until its next sign of life, however long somebody waits.
    const left = waitLeftFor(this.callers, attempt.terms, this.clock.now(), SIGN_OF_LIFE / 1_000);
    return Math.max(LEAST_WAIT, left);
  }

  granted(attempt: Attempt, hold: Hold, now: number): void {
    this.attempts.remove(attempt);
    this.leases.beginHandOffs();
    const next = firstFor(this.callers, hold.terms);
    if (next) this.give(hold, next, now, false);
    else void this.giveBack(hold);
    this.pump(now);
  }

  busy(attempt: Attempt, identity: string, retryAfter: number): void {
    const caller = this.endOf(attempt, true);
    if (caller) this.refuse(caller, 'held', { identity, left: retryAfter });
    this.pump();
  }

  /** Who asks once behind callers who have to wait is refused, as a newcomer would be. */
  queued(): void {
    let place = 0;
    for (let caller = this.callers.first, after; this.once && caller; caller = after) {
      after = caller.after;
      place += 1;
      // Those at the head of the line have an attempt of their own, whose answer is on its way.
      if (place > MOST_ATTEMPTS && caller.request.wait === 0 && this.remove(caller))
        this.turnAway(caller, 'held');
    }
  }

  otherKind(attempt: Attempt, capacity: number): void {
    this.endOf(attempt)?.refuseKind(capacity);
    this.pump();
  }

  failed(attempt: Attempt, error: LockStoreError): void {
    this.endOf(attempt, attempt.terms.once)?.fail(error);
    this.pump();
  }

  spent(attempt: Attempt): void {
    this.attempts.remove(attempt);
    this.pump();
  }

  lost(hold: Hold, reason: LockLostReason): void {
    const idle = hold === this.leases.idle;
    if (idle) this.leases.lingering?.end();
    this.leases.get(hold)?.lose(reason);
    this.drop(hold);
    // A revoked hold stays taken until the work gives it back, or until its deadline.
    if (idle || (reason !== 'revoked' && reason !== 'taken')) void hold.release();
    this.pump();
  }

  atRisk(hold: Hold): void {
    this.leases.get(hold)?.tellRisk();
  }

  wanted(hold: Hold): void {
    if (hold === this.leases.idle) this.endLinger();
  }

  /** A caller is done: the next caller of this process gets the lock at once, or it goes back to the store. */
  released(lease: LineLease, keep: number, done: number, now: number): Promise<'released' | 'expired'> {
    const { hold } = lease;
    if (this.leases.get(hold) !== lease) return hold.release(keep, done, now);
    if (!lease.unused) this.setup.holdTimes.add(lease.identity, now - lease.since);
    const kept = keep > 0 || done > 0;
    const next = kept ? undefined : this.nextFor(hold, now);
    if (next) this.pass(hold, next, now);
    else if (kept || !lease.linger || !this.linger(lease, lease.linger, now))
      return this.giveBack(hold, keep, done, now);
    return RELEASED;
  }

  leaseLost(lease: LineLease, reason: LockLostReason): void {
    this.setup.onLost(lease, reason);
  }

  downgraded(lease: LineLease): void {
    this.leases.set(lease);
    this.pump();
  }

  handedOver(lease: LineLease, now: number): void {
    this.setup.holdTimes.add(lease.identity, now - lease.since);
    this.drop(lease.hold);
    this.pump(now);
  }

  /** Nobody here has it any more. */
  private drop(hold: Hold): void {
    this.leases.delete(hold);
    if (!this.leases.idle) this.leases.lingering?.end(); // its timer would keep the process alive for nothing
  }

  /** A hold of another process goes on here, for whoever has asked for it since then. @throws what `holdFor` throws */
  resume(holdFor: (owner: HoldOwner) => Hold, request: Request, since: number): LineLease {
    const now = this.clock.now();
    try {
      const hold = holdFor(this);
      this.leases.beginHandOffs();
      const lease = leaseOf(hold, request, now, false, this);
      this.leases.set(lease);
      if (grantedChannel.hasSubscribers) publishGranted(lease, request, now - since, false);
      return lease;
    } finally {
      this.pump(now); // callers who waited get the lock from here; without any, the line is idle again after a failure
    }
  }

  /** Keeps the hold for the next caller of this process; returns false where it has to go back to the store. */
  private linger(lease: LineLease, ms: number, now: number): boolean {
    const { hold } = lease;
    const { store, waiting, clock } = this.setup;
    const may =
      this.setup.mayLinger &&
      hold.mayLinger && // else nobody elsewhere could have it given back
      store.subscribed && // else nobody would say that others ask for it
      !hold.contended &&
      this.callers.first === undefined &&
      hold.liveAt(now) &&
      this.leases.mayGoOn(hold, now);
    if (!may) return false;
    this.leases.delete(hold);
    const lingering = (this.leases.lingering ??= new Lingering(clock, waiting, () => this.endLinger()));
    lingering.begin(hold, ms, now);
    if (lingeringChannel.hasSubscribers) publishLingering(lease, ms);
    return true;
  }

  /** A caller has come while nobody used the hold: it has the hold, or the hold goes back before the caller's attempt. */
  private useIdle(now: number): void {
    const hold = this.leases.lingering?.use();
    const next = hold && this.nextFor(hold, now);
    if (next) this.pass(hold, next, now);
    else if (hold) void this.giveBack(hold);
  }

  /** From one caller to the next, perhaps after the event loop has turned. */
  private pass(hold: Hold, next: Caller, now: number): void {
    if (this.leases.countHandOff(now)) this.give(hold, next, now, true);
    else this.leases.breathe(hold, this.clock, () => this.handOff(hold));
  }

  /** Goes on after the event loop has turned: the next caller may have left by then, and the hold may be lost. */
  private handOff(hold: Hold): void {
    if (hold.pendingRelease) return this.pump(); // the process has closed meanwhile
    const now = this.clock.now();
    const next = this.nextFor(hold, now);
    if (next) this.give(hold, next, now, true);
    else void this.giveBack(hold);
    this.pump();
  }

  private give(hold: Hold, caller: Caller, now: number, handedOff: boolean): void {
    this.remove(caller);
    const lease = leaseOf(hold, caller.request, now, handedOff, this);
    this.leases.set(lease);
    if (grantedChannel.hasSubscribers) publishGranted(lease, caller.request, now - caller.since, handedOff);
    caller.serve(lease);
  }

  private giveBack(hold: Hold, keep?: number, done?: number, now?: number): Promise<'released' | 'expired'> {
    const answer = hold.release(keep, done, now); // goes out first; the rest happens while it is on its way
    this.lastRelease = hold.pendingRelease;
    this.drop(hold);
    this.pump();
    return answer;
  }

  /** Which caller may have the hold now, without the store. */
  private nextFor(hold: Hold, now: number): Caller | undefined {
    const next = successorOf(this.callers, hold.terms);
    return next && this.leases.mayGoOn(hold, now) && !hold.outlasts(next.request.terms.ttl, now)
      ? next
      : undefined;
  }

  private pump(now = this.clock.now()): void {
    if (this.callers.first || this.attempts !== NO_ATTEMPTS) this.cover(now);
    if (this.callers.first === undefined && this.attempts.none && this.leases.none) this.setup.onIdle(this);
  }

  private cover(now: number): void {
    if (this.attempts === NO_ATTEMPTS) this.attempts = new Attempts();
    const head = this.callers.first?.request.terms;
    this.attempts.cover(this, this.callers, head !== undefined && this.leases.willHandOffAt(now, head.ttl));
    if (this.attempts.none) this.attempts = NO_ATTEMPTS; // for as long as the lock is held, mostly
  }

  /** An attempt ended without a grant: takes the caller who learns of it out of the line. */
  private endOf(attempt: Attempt, onlyOnce = false): Caller | undefined {
    this.attempts.remove(attempt);
    const caller = firstFor(this.callers, attempt.terms, onlyOnce);
    if (caller) this.remove(caller);
    return caller;
  }

  /** Takes a caller out of the line; false if it has left. */
  private remove(caller: Caller): boolean {
    if (!this.callers.remove(caller)) return false;
    if (caller.request.wait === 0) this.once = (this.once ?? 0) - 1;
    return true;
  }

  leave(caller: Caller, reason: 'timeout' | 'aborted'): void {
    if (!this.remove(caller)) return;
    const { terms, wait } = caller.request;
    const attempt = reason === 'timeout' ? this.attempts.find(terms) : undefined;
    const trouble = attempt?.troubleSince(caller.since);
    if (trouble) caller.fail(trouble);
    else this.turnAway(caller, reason === 'timeout' && wait === 0 ? 'held' : reason);
    this.pump();
  }

  /** Refuses the caller and says who is in the way: a holder of this process, or whom the store named. */
  private turnAway(caller: Caller, reason: LockBusyReason): void {
    const ours = this.leases.holderAt(this.clock.now());
    this.refuse(caller, reason, ours ?? this.attempts.holderFor(caller.request.terms));
  }

  private refuse(caller: Caller, reason: LockBusyReason, inTheWay: InTheWay): void {
    // A new attempt waits for the holder's work, so its label counts first, if this process knows that label.
    const typical = this.setup.holdTimes.typical(inTheWay.identity, caller.request.terms.identity);
    caller.refuse(reason, inTheWay, typical);
  }
}
