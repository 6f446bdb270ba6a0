/** One way from a request to a hold: the place in the store's queue, until it becomes a hold or is given up. */
import type { CancelTimer } from '../base/clock.js';
import { LockStoreError } from '../base/errors.js';
import type { AcquireAnswer, AcquireOperation, LockNotice } from '../store/lock-operation.js';
import { CLAIM_WINDOW } from '../store/lock-state.js';
import type { Answered } from '../store/lock-store.js';
import { newAttemptId } from '../store/session-id.js';
import { claimDeadline, leaseDeadline } from '../store/server-clock.js';
import { AcquireCommand } from './acquire-command.js';
import { Hold, type HoldOwner } from './hold.js';
import type { LineSetup } from './line-setup.js';
import type { Terms } from './request.js';

const RETRY = 20;
const SLOWEST_RETRY = 500;
// A command that the server read too late is sent again even for a caller who asks once.
const RESENDS_WHEN_LATE = 2;

const SOONEST = 5;
const UNHEARD = 100;
const SIGN_OF_LIFE_EVERY = 5_000;
// How many in the store's queue have to show more often that they live, because they are next.
const NEXT_IN_QUEUE = 4;

/** Whom an attempt works for: the line of its name. */
export interface AttemptOwner extends HoldOwner {
  /** How many more milliseconds somebody waits; 0 asks once. */
  waitLeft(attempt: Attempt): number;
  granted(attempt: Attempt, hold: Hold, now: number): void;
  /** Asked once, and `who` has the lock, for `retryAfter` milliseconds unless it is renewed. */
  busy(attempt: Attempt, who: string, retryAfter: number): void;
  /** The name is in use as a lock of another capacity. */
  otherKind(attempt: Attempt, capacity: number): void;
  failed(attempt: Attempt, error: LockStoreError): void;
  /** The id is spent (it was revoked, or its grant came too late): try with a new one. */
  spent(attempt: Attempt): void;
}

/** One way to a grant: asks the store, keeps its place in the queue, and becomes a {@link Hold}. */
export class Attempt {
  readonly id: string;
  /** Who held the lock, by the last answer. */
  holder = '';
  private due = Infinity;
  readonly command: AcquireCommand;
  private phase: 'waiting' | 'held' | 'over' = 'waiting';
  private hold: Hold | undefined;
  private early: Map<LockNotice['kind'], LockNotice> | undefined;
  private askAgain = false;
  private failures = 0;
  private cancelTimer: CancelTimer | undefined;

  constructor(
    private readonly setup: LineSetup,
    readonly name: string,
    readonly terms: Terms,
    private readonly owner: AttemptOwner,
  ) {
    this.id = newAttemptId(setup.store.session);
    this.command = new AcquireCommand(setup, name, this.id, terms);
  }

  /** Server time until which an acquire without an answer may still be read; 0 for none. */
  get doubt(): number {
    return this.command.doubt;
  }

  /** In how many milliseconds the present hold ends unless renewed, by the last answer; undefined before one. */
  get retryAfter(): number | undefined {
    return this.due < Infinity ? Math.max(0, this.due - this.setup.clock.now()) : undefined;
  }

  /** Asks now. One acquire is in flight at a time; a wish meanwhile is carried out after it. */
  ask(): void {
    if (this.phase !== 'waiting') return;
    if (this.command.busy) this.askAgain = true;
    else this.send();
  }

  notice(notice: LockNotice): void {
    if (this.phase !== 'waiting') return;
    // A notice may overtake the answer that grants, which comes over another connection: it is for the hold then.
    if (notice.kind !== 'granted') return void (this.early ??= new Map()).set(notice.kind, notice);
    const { store, clock } = this.setup;
    const now = clock.now();
    const sample = notice.seal === this.command.seal ? store.sampleFor(notice) : undefined;
    const deadline = claimDeadline(sample, notice, now);
    // Without its seal, without evidence of the server's clock, or too late by it, it is only a reason to ask.
    if (deadline === undefined || deadline <= now) return this.ask();
    const hold = this.take(notice, deadline, true, now);
    // The work begins first, and may be over by then.
    clock.breathe(() => {
      this.cancelTimer?.();
      hold.confirm();
    });
  }

  /** A connection is back: the place in the queue, or a grant, may have gone unheard. */
  wake(): void {
    this.command.changeSeal();
    this.ask();
  }

  /** Leaves: the place in the queue, or a grant that is under way, is given back. */
  abandon(): void {
    if (this.phase === 'waiting') this.leave();
  }

  private send(): void {
    this.cancelTimer?.();
    this.command.send(this.owner.waitLeft(this), () => this.phase === 'waiting', this.answered);
  }

  private readonly answered = (answer: Answered<AcquireOperation> | LockStoreError | undefined): void => {
    if (answer instanceof LockStoreError) return this.failed(answer);
    if (answer === undefined) return;
    if (this.phase === 'waiting') this.decide(answer);
    else if (answer.outcome === 'granted') {
      // Held by a notice meanwhile: the answer confirms it. Given up meanwhile: it is given back again.
      if (this.phase === 'held') this.hold?.confirmed(answer, this.terms.ttl, this.command.doubt);
      else this.depart();
    }
  };

  private decide(answer: Answered<AcquireOperation>): void {
    if (answer.outcome !== 'late') this.failures = 0;
    switch (answer.outcome) {
      case 'granted': {
        const deadline = leaseDeadline(answer.sentAt, this.terms.ttl);
        if (deadline > answer.receivedAt) this.take(answer, deadline, false, answer.receivedAt);
        else this.giveUpSpent();
        return;
      }
      case 'queued':
        return this.queued(answer);
      case 'busy':
        this.finish();
        return this.owner.busy(this, answer.who, Math.max(0, (answer.due - answer.now) / 1_000));
      case 'mismatch':
        this.finish();
        return this.owner.otherKind(this, answer.capacity);
      case 'gone':
        return this.giveUpSpent();
      case 'late':
        // The answer brought a new sample of the server's clock: the next command's deadline will be right.
        return this.failed(this.command.late(), RESENDS_WHEN_LATE);
    }
  }

  private queued(answer: AcquireAnswer & { outcome: 'queued' }): void {
    const { store, clock, random } = this.setup;
    store.subscribe();
    const dueIn = (answer.due - answer.now) / 1_000;
    this.holder = answer.who;
    this.due = clock.now() + dueIn;
    if (this.askAgain) {
      this.askAgain = false;
      return this.send();
    }
    const heard = store.subscribed && answer.heard;
    this.later(askAgainIn(dueIn, answer.place, heard, this.terms.ttl, random()));
  }

  private failed(error: LockStoreError, resends = 0): void {
    if (this.phase !== 'waiting') return;
    // Who waits is sent away when its time is over, by what is known then: see Line.leave.
    const once = this.terms.once && this.failures >= resends;
    if (error.refused || once) {
      if (error.refused) this.finish();
      else this.leave();
      return this.owner.failed(this, error);
    }
    this.failures += 1;
    this.later(Math.min(RETRY * 2 ** (this.failures - 1), SLOWEST_RETRY));
  }

  private later(ms: number): void {
    this.askAgain = false;
    this.cancelTimer?.();
    this.setup.waiting.keep();
    this.cancelTimer = this.setup.clock.after(ms, () => this.ask());
  }

  private take(
    grant: { first: number; last: number; waiting: boolean; done: boolean },
    deadline: number,
    claimed: boolean,
    now: number,
  ): Hold {
    this.phase = 'held';
    if (!claimed) this.cancelTimer?.();
    const hold = (this.hold = new Hold(this.setup, this, grant, deadline, claimed, this.owner));
    if (this.early) for (const notice of this.early.values()) hold.notice(notice);
    this.owner.granted(this, hold, now);
    return hold;
  }

  private giveUpSpent(): void {
    this.leave();
    this.owner.spent(this);
  }

  /** Over; what may be of it at the store is given back. */
  private leave(): void {
    const sent = this.command.doubt === 0 && this.command.end > 0;
    this.finish();
    if (sent) this.depart();
  }

  /** Over, without anything of it at the store; unless a copy that was not answered may still be read. */
  private finish(): void {
    this.phase = 'over';
    this.cancelTimer?.();
    if (this.command.doubt > 0) this.depart();
  }

  private depart(): void {
    const { name, id, terms, command } = this;
    void this.setup.pendingReleases.send({
      ...{ name, id, used: 0, keep: 0, done: 0, ttl: terms.ttl, end: command.end },
      // An answer that comes meanwhile ends the doubt.
      get doubt() {
        return command.doubt;
      },
    });
  }
}

/**
 * In how many milliseconds an attempt that waits asks the store again: when the next hold ends (`dueIn`), to show that
 * it lives, and soon if no notice would be `heard`. `random` is at least 0 and less than 1.
 */
function askAgainIn(dueIn: number, place: number, heard: boolean, ttl: number, random: number): number {
  const alive = place < NEXT_IN_QUEUE ? Math.min(CLAIM_WINDOW / 1_000, ttl) / 2 : SIGN_OF_LIFE_EVERY;
  const jittered = Math.min(alive, heard ? Infinity : UNHEARD) * (0.9 + random * 0.2);
  return Math.max(SOONEST, Math.min(dueIn + 1, jittered));
}
