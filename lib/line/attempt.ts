import type { CancelTimer } from '../base/clock.js';
import { LockStoreError } from '../base/errors.js';
import type { AcquireAnswer, AcquireOperation, LockNotice } from '../store/lock-operation.js';
import type { Answered } from '../store/lock-store.js';
import { newAttemptId } from '../store/session-id.js';
import { claimDeadline, leaseDeadline } from '../validity/deadline.js';
import { AcquireCommand, type Asked } from './acquire-command.js';
import { askAgainIn } from './ask-again-in.js';
import type { AttemptOwner, Refusal } from './attempt-owner.js';
import { Hold } from './hold.js';
import type { Surroundings } from './surroundings.js';
import type { Terms } from './terms.js';

const RETRY = 20;
const SLOWEST_RETRY = 500;
// A command that the server read too late is sent again even for a caller who asks once.
const RESENDS_WHEN_LATE = 2;

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
    private readonly around: Surroundings,
    readonly name: string,
    readonly terms: Terms,
    private readonly owner: AttemptOwner,
  ) {
    this.id = newAttemptId(around.store.session);
    this.command = new AcquireCommand(around, name, this.id, terms);
  }

  /** In how many milliseconds the present hold ends unless renewed, by the last answer; undefined before one. */
  get retryAfter(): number | undefined {
    return this.due < Infinity ? Math.max(0, this.due - this.around.clock.now()) : undefined;
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
    const { store, clock } = this.around;
    const now = clock.now();
    const trusted = notice.seal === this.command.seal && store.noticesTrusted(this.name);
    const deadline = claimDeadline(trusted ? store.sample(this.name) : undefined, notice, now);
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

  private readonly answered = (answer: Asked): void => {
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
        return deadline > answer.receivedAt
          ? void this.take(answer, deadline, false, answer.receivedAt)
          : this.giveUp({ kind: 'spent' });
      }
      case 'queued':
        return this.queued(answer);
      case 'busy': {
        const retryAfter = Math.max(0, (answer.due - answer.now) / 1_000);
        return this.giveUp({ kind: 'busy', who: answer.who, retryAfter }, false);
      }
      case 'mismatch':
        return this.giveUp({ kind: 'mismatch', capacity: answer.capacity }, false);
      case 'gone':
        return this.giveUp({ kind: 'spent' });
      case 'late':
        // The answer brought a new sample of the server's clock: the next command's deadline will be right.
        return this.failed(this.command.late(), RESENDS_WHEN_LATE);
    }
  }

  private queued(answer: AcquireAnswer & { outcome: 'queued' }): void {
    const { store, clock, random } = this.around;
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
    // Who waits is sent away when its time is over, by what is known then: see Agent.leave.
    const once = this.terms.once && this.failures >= resends;
    if (error.refused || once) return this.giveUp({ kind: 'failed', error }, !error.refused);
    this.failures += 1;
    this.later(Math.min(RETRY * 2 ** (this.failures - 1), SLOWEST_RETRY));
  }

  private later(ms: number): void {
    this.askAgain = false;
    this.cancelTimer?.();
    this.around.waiting.keep();
    this.cancelTimer = this.around.clock.after(ms, () => this.ask());
  }

  private take(
    grant: { first: number; last: number; waiting: boolean; done: boolean },
    deadline: number,
    claimed: boolean,
    now: number,
  ): Hold {
    this.phase = 'held';
    if (!claimed) this.cancelTimer?.();
    const { id, name, terms, owner, command } = this;
    const { first, last, waiting, done } = grant;
    const granted = { id, name, terms, first, last, waiting, done, claimed, deadline, doubt: command.doubt };
    const hold = (this.hold = new Hold(this.around, granted, (lost, reason) => owner.lost(lost, reason)));
    if (this.early) for (const notice of this.early.values()) hold.notice(notice);
    owner.granted(this, hold, now);
    return hold;
  }

  /** `sent`: something of it may be at the store. */
  private giveUp(why: Refusal, sent = true): void {
    if (sent) this.leave();
    else this.finish();
    this.owner.refused(this, why);
  }

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
    void this.around.farewell.send({
      ...{ name, id, used: 0, keep: 0, done: 0, ttl: terms.ttl, end: command.end },
      // An answer that comes meanwhile ends the doubt.
      get doubt() {
        return command.doubt;
      },
    });
  }
}
