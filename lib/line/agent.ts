import type { LockBusyReason } from '../base/lock-busy-error.js';
import type { LockLostReason } from '../base/lock-lost-error.js';
import type { LockNotice } from '../store/lock-operation.js';
import type { AttemptOwner, Refusal } from './attempt-owner.js';
import type { Attempt } from './attempt.js';
import { Attempts } from './attempts.js';
import { CallerQueue, exclusive } from './caller-queue.js';
import type { Caller } from './caller.js';
import type { Departure } from './farewell.js';
import type { Hold } from './hold.js';
import { Holds, type InTheWay } from './holds.js';
import type { Surroundings } from './surroundings.js';
import { Tenure, type ReleaseTerms, type TenureOwner } from './tenure.js';
import { Turn } from './turn.js';
import { wishOf } from './wish.js';

const RELEASED = Promise.resolve('released' as const);

/**
 * Stands for this process at the store, for one name: callers wait in its line, first come first served, and
 * only the agent acquires, renews and releases. An exclusive hold goes from caller to caller without the
 * store, as long as its turn lasts.
 */
export class Agent implements AttemptOwner, TenureOwner {
  /** Whether it has neither callers nor anything at the store; the line keeps this. */
  idle = true;
  /** What was given back last; another server may not have heard of it. */
  lastRelease: Departure | undefined;
  private readonly callers = new CallerQueue();
  private readonly attempts: Attempts;
  private readonly tenures = new Holds();
  private readonly turn: Turn;

  constructor(
    readonly name: string,
    private readonly around: Surroundings,
    /** Told when it has neither callers nor anything at the store. */
    private readonly onIdle: (agent: Agent) => void,
  ) {
    this.turn = new Turn(around.clock);
    this.attempts = new Attempts(name, around, this);
  }

  /** Has a caller who just came stand in line, or refuses it. */
  admit(caller: Caller): void {
    const { since: now } = caller;
    const { terms, wait, maxWaiters } = caller.request;
    const { size } = this.callers;
    const busy = this.tenures.excludes(terms, now) || this.attempts.precede(this.callers, terms);
    const otherKind = this.tenures.otherThan(terms.capacity, now);
    // Only who hears that others wait can let them have their turn.
    if (busy || size > 0) this.around.store.subscribe();
    if (otherKind !== undefined) caller.refuseKind(otherKind);
    else if (wait === 0 && busy) this.turnAway(caller, 'held');
    else if (size >= maxWaiters) caller.refuse('full', undefined, this.around.holdTimes.typical(terms.who));
    else {
      this.callers.add(caller);
      this.pump(now);
      if (!caller.linked) return;
      caller.stand(this.around, (reason) => this.leave(caller, reason));
      if (busy || size > 0) this.around.waiting.keep(); // the attempt of one who is alone does so when it has to wait
    }
  }

  /** Whether the notice was for something that is alive here. */
  notice(notice: LockNotice): boolean {
    const { id } = notice;
    const hearer = this.withId(id);
    hearer?.notice(notice);
    return hearer !== undefined;
  }

  /** What is alive here under this id. */
  withId(id: string): Attempt | Hold | undefined {
    const { passing } = this.turn; // nobody holds it until the event loop has turned
    const ours = this.attempts.withId(id) ?? this.tenures.withId(id);
    return ours ?? (passing?.id === id ? passing : undefined);
  }

  /** A connection is back, or notices can be heard now: who waits asks again, and who hands on asks if others wait. */
  wake(): void {
    this.attempts.wake();
    if (!this.callers.first) return;
    this.turn.passing?.confirm();
    for (const { hold } of this.tenures.all) if (exclusive(hold.share)) hold.confirm();
  }

  /** Adds what it holds at the store. */
  addHolds(holds: Hold[]): void {
    for (const { hold } of this.tenures.all) holds.push(hold);
    if (this.turn.passing) holds.push(this.turn.passing);
  }

  /** Whether callers stand in line. */
  get waitedFor(): boolean {
    return this.callers.first !== undefined;
  }

  /** Sends waiting callers away: all of them, or those that leave when the servers are about to close. */
  closeLine(all = true): void {
    for (let caller = this.callers.first, after; caller; caller = after) {
      after = caller.after;
      if (!all && !caller.request.leavesAtShutdown) continue;
      this.callers.remove(caller);
      caller.refuse('closed');
    }
    this.pump();
  }

  /** Takes the lock from whoever still works under it. */
  closeTenures(): void {
    for (const tenure of [...this.tenures.all]) {
      tenure.lose('closed');
      void this.giveBack(tenure.hold);
    }
  }

  waitLeft(attempt: Attempt): number {
    return attempt.terms.once ? 0 : this.callers.waitLeft(attempt.terms);
  }

  granted(attempt: Attempt, hold: Hold, now: number): void {
    this.attempts.remove(attempt);
    this.turn.begin();
    const next = this.callers.firstFor(hold.share);
    if (next) this.give(hold, next, now, false);
    else void this.giveBack(hold);
    this.pump(now);
  }

  refused(attempt: Attempt, why: Refusal): void {
    this.attempts.remove(attempt);
    const caller = this.callers.firstFor(attempt.terms, why.kind === 'busy');
    if (caller && why.kind !== 'spent') {
      this.callers.remove(caller);
      if (why.kind === 'busy') this.refuse(caller, 'held', { who: why.who, left: why.retryAfter });
      else if (why.kind === 'failed') caller.fail(why.error);
      else caller.refuseKind(why.capacity);
    }
    this.pump();
  }

  lost(hold: Hold, reason: LockLostReason): void {
    const tenure = this.tenures.get(hold);
    tenure?.lose(reason);
    this.tenures.delete(hold);
    // A revoked hold stays taken until the work gives it back, or until its deadline.
    if (reason !== 'revoked' && reason !== 'taken') void hold.release();
    this.pump();
  }

  /** The caller is done: the next of this process has the lock at once, or the store has it back. */
  released(tenure: Tenure, terms: ReleaseTerms, now: number): Promise<'released' | 'expired'> {
    const { hold } = tenure;
    if (this.tenures.get(hold) !== tenure) return hold.release(terms.keep, terms.done, now);
    this.around.holdTimes.add(tenure.wish.who, now - tenure.wish.since);
    const next = terms.keep > 0 || terms.done > 0 ? undefined : this.nextFor(hold, now);
    if (!next) return this.giveBack(hold, terms, now);
    if (this.turn.pass(now)) this.give(hold, next, now, true);
    else {
      this.tenures.delete(hold);
      this.turn.breathe(hold, () => this.handOn(hold));
    }
    return RELEASED;
  }

  tenureLost(tenure: Tenure, reason: LockLostReason): void {
    this.around.onLost(tenure, reason);
  }

  downgraded(reading: Tenure): void {
    this.tenures.set(reading);
    this.pump();
  }

  /** After a breath: the one who was to be next may be gone, and the hold too. */
  private handOn(hold: Hold): void {
    const now = this.around.clock.now();
    const next = this.nextFor(hold, now);
    if (next) this.give(hold, next, now, true);
    else void this.giveBack(hold);
    this.pump();
  }

  private give(hold: Hold, caller: Caller, now: number, handedOn: boolean): void {
    const wish = wishOf(caller.request, now, handedOn);
    this.callers.remove(caller);
    const tenure = new Tenure(hold, wish, this.around.clock, this);
    this.tenures.set(tenure);
    hold.serve(wish, handedOn);
    caller.serve(tenure);
  }

  private giveBack(hold: Hold, terms?: ReleaseTerms, now?: number): Promise<'released' | 'expired'> {
    const answer = hold.release(terms?.keep, terms?.done, now); // what follows is done while it is on its way
    this.lastRelease = hold.departure;
    this.tenures.delete(hold);
    this.pump();
    return answer;
  }

  /** Who may have the hold now without asking the store. */
  private nextFor(hold: Hold, now: number): Caller | undefined {
    const heir = this.callers.heirOf(hold.share);
    return heir && this.turn.lasts(hold, now) ? heir : undefined;
  }

  private pump(now = this.around.clock.now()): void {
    const handsOn = this.turn.passing !== undefined || this.tenures.aloneAt(now);
    this.attempts.cover(this.callers, handsOn);
    const busy = this.callers.first !== undefined || this.turn.passing || !this.attempts.none;
    if (!busy && this.tenures.size === 0) this.onIdle(this);
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
    const ours = this.tenures.holderAt(this.around.clock.now());
    this.refuse(caller, reason, ours ?? this.attempts.holderFor(caller.request.terms));
  }

  private refuse(caller: Caller, reason: LockBusyReason, inTheWay: InTheWay): void {
    // The work of the holder is what a new try waits for, if this process knows such work.
    const typical = this.around.holdTimes.typical(inTheWay.who, caller.request.terms.who);
    caller.refuse(reason, inTheWay, typical);
  }
}
