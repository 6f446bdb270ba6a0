import { Link } from '../base/link.js';
import type { LockLostReason } from '../base/lock-lost-error.js';
import type { LockNotice } from '../store/lock-operation.js';
import { CLAIM_WINDOW } from '../store/lock-state.js';
import { leaseDeadline } from '../validity/deadline.js';
import type { Renewable } from '../validity/renewal-scheduler.js';
import type { Share } from './caller-queue.js';
import type { Departure } from './farewell.js';
import type { Grant } from './grant.js';
import { sendRenew } from './renew-command.js';
import type { Surroundings } from './surroundings.js';
import type { Terms } from './terms.js';
import type { Wish } from './wish.js';

const FOR_EVER = { renews: true, endsAt: Infinity, endReason: 'expired' } as const;

/** What the store granted to this process: until when it may be believed, and the fences it may use. */
export class Hold extends Link<Renewable> implements Renewable {
  renewalSlot = 0;
  /** Local time until which the hold is proven. */
  deadline: number;
  /** Others wait at the store. */
  contended: boolean;
  lossReason: LockLostReason | undefined;
  /** Why an operator took it away, when that is its loss; '' when the text is not known. */
  revokeReason: string | undefined;
  /** The name carries a mark that its work was done (run once). */
  readonly workDone: boolean;
  readonly id: string;
  readonly name: string;
  /** How it was given back. */
  departure: Departure | undefined;
  private terms: Terms;
  private over = false;
  used = 0; // the last fence used
  private readonly first: number;
  private last: number;
  private doubt: number;
  private wish: Pick<Wish, 'renews' | 'endsAt' | 'endReason'> = FOR_EVER;
  private renewing: Promise<'renewed' | 'lost'> | undefined;
  private failures = 0;
  private heardReason: string | undefined; // that of a notice; anybody may publish
  private claimed: boolean; // to be confirmed before anything else is due

  constructor(
    private readonly around: Surroundings,
    grant: Grant,
    private readonly onLost: (hold: Hold, reason: LockLostReason) => void,
  ) {
    super();
    ({ id: this.id, name: this.name, terms: this.terms, first: this.first, last: this.last } = grant);
    ({ waiting: this.contended, done: this.workDone, deadline: this.deadline, doubt: this.doubt } = grant);
    ({ claimed: this.claimed } = grant);
  }

  get share(): Share {
    return this.terms;
  }

  /** Whether it may be handed on inside the process: there is a fence and enough time for another caller. */
  suffices(now: number): boolean {
    return this.used < this.last && this.deadline - now >= Math.min(1_000, this.terms.ttl / 3);
  }

  /** Whether the store may still free it only by our release or its deadline. */
  liveAt(now: number): boolean {
    return !this.over && this.deadline > now;
  }

  nextFence(): number {
    return (this.used = this.used === 0 ? this.first : this.used + 1);
  }

  /** From now on the hold is for this caller; `handedOn` when another caller of this process had it before. */
  serve(wish: Wish, handedOn: boolean): void {
    const { wish: before } = this;
    const longer = wish.ttl > this.terms.ttl;
    const rescheduled =
      !handedOn || longer || !wish.renews || !before.renews || wish.endsAt !== before.endsAt;
    if (wish.ttl !== this.terms.ttl) this.terms = { ...this.terms, ttl: wish.ttl };
    this.wish = wish;
    if (rescheduled && !this.claimed) this.scheduleNext();
    if (handedOn && (longer || (!wish.renews && this.deadline < wish.endsAt))) this.confirm();
  }

  /** Renews in the background, also what is not renewed by itself: a pushed grant is only for the claim window. */
  confirm(ttl?: number): void {
    this.claimed = false;
    const again = (): unknown => this.over || this.send(ttl ?? this.terms.ttl).catch(() => undefined);
    void (this.renewing?.then(again, again) ?? again()); // what is in flight may know nothing of the reason
  }

  /** An acquire for `ttl` (which need not be that of the caller now) found us holding; others may still be read. */
  confirmed(answer: { sentAt: number; last: number }, ttl: number, doubt: number): void {
    this.doubt = doubt;
    if (this.liveAt(this.around.clock.now())) this.prove(answer, ttl); // what is over stays over
  }

  notice(notice: LockNotice): void {
    if (notice.kind === 'contended') this.contended = true;
    if (notice.kind !== 'revoked') return;
    this.heardReason = notice.reason;
    // Anybody may publish: only the store's answer counts, and what is not renewed is not prolonged by the question.
    this.confirm(this.wish.renews ? undefined : Math.max(1, this.deadline - this.around.clock.now()));
  }

  /** The scheduler's call. */
  renew(): void {
    const now = this.around.clock.now();
    if (now >= this.wish.endsAt) return this.lose(this.wish.endReason);
    if (!this.liveAt(now)) return this.lose('expired');
    if (this.wish.renews && !this.renewing) this.confirm();
    else this.schedule(Infinity);
  }

  /** Renews for `ttl`; rejects with LockStoreError when the outcome is unknown, which changes nothing. */
  async renewNow(ttl = this.terms.ttl): Promise<'renewed' | 'lost'> {
    if (ttl !== this.terms.ttl) {
      this.terms = { ...this.terms, ttl };
      await this.renewing?.catch(() => undefined); // it was sent with the ttl of before
    }
    return this.send(ttl);
  }

  /** Gives units back. It stops being exclusive now; resolves when the store has answered, or could not. */
  downgrade(units: number): Promise<void> {
    this.terms = { ...this.terms, units };
    const { id, name, used, terms } = this;
    const operation = { kind: 'downgrade', id, units, used } as const;
    return this.around.farewell.downgrade(name, operation, terms.ttl, {
      over: () => this.over,
      lost: (revokeReason) => this.loseAtStore(revokeReason, this.liveAt(this.around.clock.now())),
    });
  }

  /** Gives it back. The rest of the fence block goes with it. */
  release(keep = 0, done = 0, now = this.around.clock.now()): Promise<'released' | 'expired'> {
    const { id, name, used, doubt, terms } = this;
    const end = Math.max(this.deadline, now + terms.ttl) + terms.guard + CLAIM_WINDOW / 1_000;
    const { ttl } = terms;
    const at = now;
    this.departure = { name, id, used, keep, done, ttl, end, doubt, at };
    const answer = this.around.farewell.send(this.departure);
    this.finish();
    return answer;
  }

  /** Asks a store that may not know it; what is not renewed by itself is not prolonged. Rejects as `renewNow`. */
  ask(): Promise<'renewed' | 'lost'> {
    this.claimed = false;
    const { renews } = this.wish;
    const send = (): Promise<'renewed' | 'lost'> => {
      const left = this.deadline - this.around.clock.now();
      return this.over ? Promise.resolve('lost') : this.send(renews ? this.terms.ttl : Math.max(1, left));
    };
    return this.renewing?.then(send, send) ?? send(); // what is in flight may have been read by the server of before
  }

  /** One renewal is in flight at a time: who asks meanwhile has its outcome. */
  private send(ttl: number): Promise<'renewed' | 'lost'> {
    return (this.renewing ??= this.sendRenewal(ttl).finally(() => (this.renewing = undefined)));
  }

  private async sendRenewal(ttl: number): Promise<'renewed' | 'lost'> {
    try {
      this.schedule(Infinity); // the deadline may pass before the answer comes
      const answer = await sendRenew(this.around, this, ttl, this.terms.guard);
      if (this.over) return this.lossReason ? 'lost' : 'renewed'; // released meanwhile: no news for anybody
      const live = this.liveAt(this.around.clock.now()); // what is over stays over, whatever comes after the deadline
      if (answer.outcome === 'renewed' && live) {
        this.failures = 0;
        this.heardReason = undefined;
        this.contended ||= answer.waiting; // a notice may be younger than the answer
        this.prove(answer, ttl);
        this.scheduleNext();
        return 'renewed';
      }
      if (answer.outcome === 'renewed') this.lose('expired');
      else this.loseAtStore(answer.outcome === 'revoked' ? answer.reason : undefined, live);
      return 'lost';
    } catch (error) {
      this.failures += 1;
      // Unknown is neither a loss nor a success: only the clock decides. Until then it is tried again.
      if (!this.over) this.schedule(Math.min((ttl / 30) * this.failures, ttl / 6, 1_000));
      throw error;
    }
  }

  private prove({ sentAt, last }: { sentAt: number; last: number }, ttl: number): void {
    this.deadline = Math.max(this.deadline, leaseDeadline(sentAt, ttl));
    this.last = Math.max(this.last, last);
  }

  /** Renewed when a third of the ttl is over; what is not renewed is looked at when it ends. */
  private scheduleNext(): void {
    const now = this.around.clock.now();
    this.schedule(this.deadline - now - (this.wish.renews ? (this.terms.ttl * 2) / 3 : 0), now);
  }

  private schedule(ms: number, now = this.around.clock.now()): void {
    const left = Math.min(this.deadline, this.wish.endsAt) - now;
    this.around.scheduler.set(this, Math.max(0, Math.min(ms, left)), now);
  }

  /**
   * The store does not know the hold any more, or says why it was revoked. A store that has forgotten a revocation by
   * force leaves the reason of the notice, if that was heard.
   */
  private loseAtStore(revokeReason: string | undefined, live: boolean): void {
    this.revokeReason = revokeReason ?? this.heardReason;
    this.lose(this.revokeReason !== undefined ? 'revoked' : live ? 'taken' : 'expired');
  }

  private lose(reason: LockLostReason): void {
    if (this.over) return;
    this.finish();
    this.lossReason = reason;
    this.onLost(this, reason);
  }

  private finish(): void {
    this.over = true;
    this.around.scheduler.delete(this);
  }
}
