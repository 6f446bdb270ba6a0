/** The callers of one name in this process, and what the process does at the store for them. */
import { Chain } from '../base/chain.js';
import type { Clock } from '../base/clock.js';
import type { LockBusyReason, LockLostReason, LockStoreError } from '../base/errors.js';
import type { LockNotice } from '../store/lock-operation.js';
import type { Attempt, AttemptOwner } from './attempt.js';
import { Attempts } from './attempts.js';
import { firstFor, heirOf, waitLeftFor, type Caller, type InTheWay } from './caller.js';
import type { Hold } from './hold.js';
import { leaseOf, type Lease, type LeaseOwner } from './lease.js';
import { Leases } from './leases.js';
import type { LineSetup } from './line-setup.js';
import type { PendingRelease } from './pending-releases.js';

const RELEASED = Promise.resolve('released' as const);

/**
 * The line of one name: its callers are served first come first served, and the line alone acquires, renews and
 * releases for them at the store. An exclusive hold goes from caller to caller without the store, as long as
 * {@link Leases.mayGoOn} allows it.
 */
export class Line implements AttemptOwner, LeaseOwner {
  /** Whether it has neither callers nor anything at the store; {@link Lines} keeps this. */
  idle = true;
  /** What was given back last; another server may not have heard of it. */
  lastRelease: PendingRelease | undefined;
  private readonly callers = new Chain<Caller>();
  private readonly attempts: Attempts;
  private readonly leases: Leases;

  constructor(
    readonly name: string,
    private readonly setup: LineSetup,
    /** Told when it has neither callers nor anything at the store. */
    private readonly onIdle: (line: Line) => void,
    private readonly onLost: (lease: Lease, reason: LockLostReason) => void,
  ) {
    this.leases = new Leases(setup.clock);
    this.attempts = new Attempts(name, setup, this);
  }

  get clock(): Clock {
    return this.setup.clock;
  }

  /** Has a caller who just came stand in line, or refuses it. */
  admit(caller: Caller): void {
    const { since: now } = caller;
    const { terms, wait, maxWaiters } = caller.request;
    const { size } = this.callers;
    const busy = this.leases.excludes(terms, now) || this.attempts.precede(this.callers, terms);
    const otherKind = this.leases.otherThan(terms.capacity, now);
    // A holder that does not hear that others wait would not let them have their turn.
    if (busy || size > 0) this.setup.store.subscribe();
    if (otherKind !== undefined) caller.refuseKind(otherKind);
    else if (wait === 0 && busy) this.turnAway(caller, 'held');
    else if (size >= maxWaiters) caller.refuse('full', undefined, this.setup.holdTimes.typical(terms.who));
    else {
      this.callers.add(caller);
      this.pump(now);
      if (!caller.linked) return;
      caller.stand(this.setup.waiting, (reason) => this.leave(caller, reason));
      if (busy || size > 0) this.setup.waiting.keep(); // the attempt of one who is alone does so when it has to wait
    }
  }

  /** Whether the notice was for something that is alive here. */
  notice(notice: LockNotice): boolean {
    const hearer = this.withId(notice.id);
    hearer?.notice(notice);
    return hearer !== undefined;
  }

  /** What is alive here under this id. */
  withId(id: string): Attempt | Hold | undefined {
    return this.attempts.withId(id) ?? this.leases.withId(id);
  }

  /** Adds what it holds at the store. */
  addHolds(holds: Hold[]): void {
    for (const { hold } of this.leases.all) holds.push(hold);
    if (this.leases.passing) holds.push(this.leases.passing);
  }

  /** A connection is back, or notices can be heard now: attempts ask again, and holds check whether others wait. */
  wake(): void {
    this.attempts.wake();
    if (this.callers.first) this.leases.checkContended();
  }

  /** Whether callers stand in line. */
  get waitedFor(): boolean {
    return this.callers.first !== undefined;
  }

  /** Sends waiting callers away: all of them, or those that leave when the servers are about to close. */
  sendAway(all = true): void {
    for (let caller = this.callers.first, after; caller; caller = after) {
      after = caller.after;
      if (!all && !caller.request.leavesAtShutdown) continue;
      this.callers.remove(caller);
      caller.refuse('closed');
    }
    this.pump();
  }

  /** Takes the lock from whoever still works under it. */
  closeLeases(): void {
    for (const lease of [...this.leases.all]) {
      lease.lose('closed');
      void this.giveBack(lease.hold);
    }
  }

  waitLeft(attempt: Attempt): number {
    return attempt.terms.once ? 0 : waitLeftFor(this.callers, attempt.terms);
  }

  granted(attempt: Attempt, hold: Hold, now: number): void {
    this.attempts.remove(attempt);
    this.leases.beginHandOffs();
    const next = firstFor(this.callers, hold.terms);
    if (next) this.give(hold, next, now, false);
    else void this.giveBack(hold);
    this.pump(now);
  }

  busy(attempt: Attempt, who: string, retryAfter: number): void {
    const caller = this.endOf(attempt, true);
    if (caller) this.refuse(caller, 'held', { who, left: retryAfter });
    this.pump();
  }

  otherKind(attempt: Attempt, capacity: number): void {
    this.endOf(attempt)?.refuseKind(capacity);
    this.pump();
  }

  failed(attempt: Attempt, error: LockStoreError): void {
    this.endOf(attempt)?.fail(error);
    this.pump();
  }

  spent(attempt: Attempt): void {
    this.attempts.remove(attempt);
    this.pump();
  }

  lost(hold: Hold, reason: LockLostReason): void {
    this.leases.get(hold)?.lose(reason);
    this.leases.delete(hold);
    // A revoked hold stays taken until the work gives it back, or until its deadline.
    if (reason !== 'revoked' && reason !== 'taken') void hold.release();
    this.pump();
  }

  /** The caller is done: the next of this process has the lock at once, or the store has it back. */
  released(lease: Lease, keep: number, done: number, now: number): Promise<'released' | 'expired'> {
    const { hold } = lease;
    if (this.leases.get(hold) !== lease) return hold.release(keep, done, now);
    this.setup.holdTimes.add(lease.who, now - lease.since);
    const next = keep > 0 || done > 0 ? undefined : this.nextFor(hold, now);
    if (!next) return this.giveBack(hold, keep, done, now);
    if (this.leases.handOff(now)) this.give(hold, next, now, true);
    else this.leases.breathe(hold, () => this.handOn(hold));
    return RELEASED;
  }

  leaseLost(lease: Lease, reason: LockLostReason): void {
    this.onLost(lease, reason);
  }

  downgraded(reading: Lease): void {
    this.leases.set(reading);
    this.pump();
  }

  /** After the event loop has turned: the caller who was next may be gone, and the hold too. */
  private handOn(hold: Hold): void {
    const now = this.clock.now();
    const next = this.nextFor(hold, now);
    if (next) this.give(hold, next, now, true);
    else void this.giveBack(hold);
    this.pump();
  }

  private give(hold: Hold, caller: Caller, now: number, handedOn: boolean): void {
    this.callers.remove(caller);
    const lease = leaseOf(hold, caller.request, now, handedOn, this);
    this.leases.set(lease);
    caller.serve(lease);
  }

  private giveBack(hold: Hold, keep?: number, done?: number, now?: number): Promise<'released' | 'expired'> {
    const answer = hold.release(keep, done, now); // what follows is done while it is on its way
    this.lastRelease = hold.departure;
    this.leases.delete(hold);
    this.pump();
    return answer;
  }

  /** Who may have the hold now without asking the store. */
  private nextFor(hold: Hold, now: number): Caller | undefined {
    const heir = heirOf(this.callers, hold.terms);
    return heir && this.leases.mayGoOn(hold, now) ? heir : undefined;
  }

  private pump(now = this.clock.now()): void {
    this.attempts.cover(this.callers, this.leases.handsOnAt(now));
    if (this.callers.first === undefined && this.attempts.none && this.leases.none) this.onIdle(this);
  }

  /** The attempt ended without a grant: the caller who is told of it, out of the line. */
  private endOf(attempt: Attempt, onlyOnce = false): Caller | undefined {
    this.attempts.remove(attempt);
    const caller = firstFor(this.callers, attempt.terms, onlyOnce);
    if (caller) this.callers.remove(caller);
    return caller;
  }

  private leave(caller: Caller, reason: 'timeout' | 'aborted'): void {
    if (!this.callers.remove(caller)) return;
    const { terms, wait } = caller.request;
    const command = reason === 'timeout' ? this.attempts.find(terms)?.command : undefined;
    const trouble = command?.troubleSince(caller.since);
    if (trouble) caller.fail(trouble);
    else this.turnAway(caller, reason === 'timeout' && wait === 0 ? 'held' : reason);
    this.pump();
  }

  /** Says who is in the way: somebody of this process, or whom the store named. */
  private turnAway(caller: Caller, reason: LockBusyReason): void {
    const ours = this.leases.holderAt(this.clock.now());
    this.refuse(caller, reason, ours ?? this.attempts.holderFor(caller.request.terms));
  }

  private refuse(caller: Caller, reason: LockBusyReason, inTheWay: InTheWay): void {
    // The work of the holder is what a new try waits for, if this process knows such work.
    const typical = this.setup.holdTimes.typical(inTheWay.who, caller.request.terms.who);
    caller.refuse(reason, inTheWay, typical);
  }
}
