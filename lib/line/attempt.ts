import type { CancelTimer, Clock } from '../base/clock.js';
import type { LockLostReason } from '../base/lock-lost-error.js';
import { LockStoreError } from '../base/lock-store-error.js';
import type { AcquireAnswer, LockNotice } from '../store/lock-operation.js';
import { CLAIM_WINDOW } from '../store/lock-state.js';
import type { Answered, LockStore } from '../store/lock-store.js';
import type { AcquireOperation } from '../store/lock-operation.js';
import { newAttemptId } from '../store/session-id.js';
import { claimDeadline, commandEnd, leaseDeadline } from '../validity/deadline.js';
import type { RenewalScheduler } from '../validity/renewal-scheduler.js';
import type { Farewell } from './farewell.js';
import { Hold } from './hold.js';
import { commandTimeout, micros, type Terms } from './terms.js';

/** What the attempts of one store share. */
export interface Surroundings {
  readonly store: LockStore;
  readonly clock: Clock;
  readonly scheduler: RenewalScheduler;
  readonly farewell: Farewell;
}

/** Why an attempt ended without a grant. */
export type Refusal =
  | { readonly kind: 'busy'; readonly who: string; readonly retryAfter: number }
  | { readonly kind: 'mismatch'; readonly capacity: number }
  | { readonly kind: 'failed'; readonly error: LockStoreError }
  /** The id is spent (it was revoked while queued, or its grant came too late): try with a new one. */
  | { readonly kind: 'spent' };

/** Who an attempt works for. */
export interface AttemptOwner {
  /** How many more milliseconds somebody waits; 0 asks once. */
  waitLeft(attempt: Attempt): number;
  granted(attempt: Attempt, hold: Hold): void;
  refused(attempt: Attempt, why: Refusal): void;
  lost(hold: Hold, reason: LockLostReason): void;
}

const SOONEST_POLL = 5;
const UNHEARD_POLL = 100;
const SIGN_OF_LIFE_EVERY = 5_000;
const RETRY = 20;
const SLOWEST_RETRY = 500;

/** One way to a grant: asks the store, keeps its place in the queue, and becomes a {@link Hold}. */
export class Attempt {
  readonly id: string;
  /** Who held the lock and when that ends (local time), by the last answer. */
  holder = '';
  due = Infinity;
  /** Set while the store cannot be asked. */
  lastError: LockStoreError | undefined;
  private phase: 'waiting' | 'held' | 'over' = 'waiting';
  private hold: Hold | undefined;
  private asking = false;
  private askAgain = false;
  private failures = 0;
  /** Server time until which an acquire of this id that was not answered may be read. */
  private doubt = 0;
  private inFlight = 0;
  /** Local time at which the store has forgotten this id by itself. */
  private end = 0;
  private cancelTimer: CancelTimer | undefined;

  constructor(
    private readonly around: Surroundings,
    readonly name: string,
    readonly terms: Terms,
    private readonly owner: AttemptOwner,
  ) {
    this.id = newAttemptId(around.store.session);
  }

  /** Asks now. One acquire is in flight at a time; a wish meanwhile is carried out after it. */
  ask(): void {
    if (this.phase !== 'waiting') return;
    if (this.asking) this.askAgain = true;
    else void this.send();
  }

  notice(notice: LockNotice): void {
    if (notice.kind !== 'granted') return this.hold?.notice(notice);
    if (this.phase !== 'waiting') return;
    const { store, clock } = this.around;
    const now = clock.now();
    const sample = store.noticesTrusted(this.name) ? store.sample(this.name) : undefined;
    const deadline = claimDeadline(sample, notice, now);
    // Without evidence of the server's clock, or too late by it, a notice is only a reason to ask.
    if (deadline === undefined || deadline <= now) return this.ask();
    this.take(notice, deadline).confirm();
  }

  /** Leaves: the place in the queue, or a grant that is under way, is given back. */
  abandon(): void {
    if (this.phase === 'waiting') this.leave();
  }

  private async send(): Promise<void> {
    const { store, clock } = this.around;
    const { units, capacity, ttl, guard, who } = this.terms;
    this.cancelTimer?.();
    this.asking = true;
    const wait = this.owner.waitLeft(this);
    const timeout = commandTimeout(ttl, wait === 0 ? Infinity : wait);
    try {
      const sample = store.sample(this.name) ?? (await store.measure(this.name, timeout));
      const now = clock.now();
      const operation: AcquireOperation = {
        kind: 'acquire',
        id: this.id,
        units,
        capacity,
        ttl: micros(ttl),
        guard: micros(guard),
        block: micros(ttl),
        wait: micros(wait),
        subscribed: store.subscribed,
        who,
        notAfter: commandEnd(sample, now, timeout),
      };
      this.inFlight = operation.notAfter ?? 0;
      this.end = now + timeout + ttl + guard + CLAIM_WINDOW / 1_000;
      if (this.phase === 'waiting') this.answered(await store.execute(this.name, operation, timeout));
    } catch (error) {
      this.failed(error as LockStoreError);
    }
  }

  private answered(answer: Answered<AcquireOperation>): void {
    this.asking = false;
    this.lastError = undefined;
    this.inFlight = 0;
    if (answer.now > this.doubt) this.doubt = 0;
    if (this.phase === 'waiting') this.decide(answer);
    else if (answer.outcome === 'granted') {
      // Held by a notice meanwhile: the answer confirms it. Given up meanwhile: it is given back again.
      if (this.phase === 'held') this.hold?.confirmed(answer.sentAt, answer.last);
      else this.depart();
    }
  }

  private decide(answer: Answered<AcquireOperation>): void {
    const { clock } = this.around;
    if (answer.outcome !== 'late') this.failures = 0;
    switch (answer.outcome) {
      case 'granted': {
        const deadline = leaseDeadline(answer.sentAt, this.terms.ttl);
        if (deadline > clock.now()) return void this.take(answer, deadline);
        return this.giveUp({ kind: 'spent' });
      }
      case 'queued':
        return this.queued(answer);
      case 'busy':
        this.finish();
        return this.owner.refused(this, {
          kind: 'busy',
          who: answer.who,
          retryAfter: Math.max(0, (answer.due - answer.now) / 1_000),
        });
      case 'mismatch':
        this.finish();
        return this.owner.refused(this, { kind: 'mismatch', capacity: answer.capacity });
      case 'gone':
        return this.giveUp({ kind: 'spent' });
      case 'late': {
        // The answer brought a new sample of the server's clock: the next command's deadline will be right.
        const error = new LockStoreError(
          `The command to acquire '${this.name}' reached the server too late.`,
          this.name,
        );
        return this.failed(error, 2);
      }
    }
  }

  private queued(answer: AcquireAnswer & { outcome: 'queued' }): void {
    const { store, clock } = this.around;
    store.subscribe();
    const dueIn = (answer.due - answer.now) / 1_000;
    this.holder = answer.who;
    this.due = clock.now() + dueIn;
    const { ttl } = this.terms;
    const alive =
      answer.place < 4
        ? Math.min(CLAIM_WINDOW / 1_000, ttl) / 2
        : SIGN_OF_LIFE_EVERY * (0.9 + Math.random() * 0.2);
    const unheard = store.subscribed && answer.heard ? Infinity : UNHEARD_POLL;
    if (this.askAgain) {
      this.askAgain = false;
      return void this.send();
    }
    this.later(Math.max(SOONEST_POLL, Math.min(dueIn + 1, alive, unheard)));
  }

  private failed(error: LockStoreError, resends = 0): void {
    this.asking = false;
    this.doubt = Math.max(this.doubt, this.inFlight);
    this.inFlight = 0;
    if (this.phase !== 'waiting') return;
    this.lastError = error;
    const once = this.owner.waitLeft(this) === 0 && this.failures >= resends;
    if (error.refused || once) return this.giveUp({ kind: 'failed', error });
    this.later(this.backoff());
  }

  private backoff(): number {
    this.failures += 1;
    return Math.min(RETRY * 2 ** (this.failures - 1), SLOWEST_RETRY);
  }

  private later(ms: number): void {
    this.askAgain = false;
    this.cancelTimer?.();
    this.cancelTimer = this.around.clock.after(ms, () => this.ask());
  }

  private take(grant: { first: number; last: number; waiting: boolean }, deadline: number): Hold {
    this.phase = 'held';
    this.cancelTimer?.();
    this.lastError = undefined;
    const { id, name, terms, owner } = this;
    const doubt = Math.max(this.doubt, this.inFlight);
    const hold = (this.hold = new Hold(
      this.around,
      { id, name, terms, ...grant, deadline, doubt },
      (lost, reason) => owner.lost(lost, reason),
    ));
    owner.granted(this, hold);
    return hold;
  }

  private giveUp(why: Refusal): void {
    this.leave();
    this.owner.refused(this, why);
  }

  private leave(): void {
    this.finish();
    if (this.doubt === 0 && this.end > 0) this.depart();
  }

  /** Over, without anything of it at the store; unless a copy that was not answered may still be read. */
  private finish(): void {
    this.phase = 'over';
    this.cancelTimer?.();
    if (this.doubt > 0) this.depart();
  }

  private depart(): void {
    const { name, id, end, terms } = this;
    const doubt = Math.max(this.doubt, this.inFlight);
    void this.around.farewell.send({ name, id, used: 0, keep: 0, done: 0, ttl: terms.ttl, end, doubt });
  }
}
