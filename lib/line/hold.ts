/** What the store granted to this process: for how long it is proven, its fences, and its renewal. */
import { Link } from '../base/chain.js';
import { type LockLostReason, LockStoreError } from '../base/errors.js';
import type { Renewable } from '../base/shared-timer.js';
import type { LockNotice, RenewOperation } from '../store/lock-operation.js';
import { CLAIM_WINDOW } from '../store/lock-machine.js';
import type { Answered } from '../store/lock-store.js';
import { commandEnd, commandTimeout, leaseDeadline, micros } from '../store/server-clock.js';
import type { LineSetup } from './line-setup.js';
import type { PendingRelease } from './pending-releases.js';
import type { Terms } from './request.js';

/** What the store granted to this process: until when it may be believed, and the fences it may use. */
export class Hold extends Link<Renewable> implements Renewable {
  renewalSlot = 0;
  /** Local time until which the hold is proven. */
  deadline: number;
  /** Whether other attempts wait at the store. */
  contended: boolean;
  lossReason: LockLostReason | undefined;
  /** The operator's reason, if it was revoked; '' when the text is not known. */
  revokeReason: string | undefined;
  /** Whether the name is marked: its work was done (run once). */
  readonly workDone: boolean;
  readonly id: string;
  readonly name: string;
  /** How many replicas had the grant. Declared only: without `durability` a hold has no room for it. */
  declare readonly replicas?: number;
  /** The release that gave it back. */
  pendingRelease: PendingRelease | undefined;
  terms: Terms;
  /** Whether the lease that it serves renews itself; when that lease ends in spite of renewals, and for what reason. */
  renews = true;
  endsAt = Infinity;
  endReason: LockLostReason = 'expired';
  private over = false;
  private used = 0; // the last fence used
  private readonly first: number;
  private last: number;
  private doubt: number;
  /**
   * The state of its renewal. One renewal is in flight at a time, and calls in the meantime share its outcome. `again` is
   * set when another renewal has to follow, and says whether that one prolongs the hold. A pushed grant lasts for the
   * claim window only: it is unconfirmed until a first renewal is sent.
   */
  private renewal:
    'unconfirmed' | 'idle' | { readonly outcome: Promise<'renewed' | 'lost'>; again: boolean | undefined };
  /** How many renewals in a row had an unknown outcome. */
  private failures = 0;
  private heardReason: string | undefined; // from a notice, which anybody may publish

  constructor(
    private readonly setup: LineSetup,
    /** `doubt` is the server time until which an acquire without an answer may still be read; 0 for none. */
    attempt: { readonly id: string; readonly name: string; readonly terms: Terms; readonly doubt: number },
    /** What the store said: the fences that may be used, whether others wait, and whether the work was done before. */
    grant: {
      readonly first: number;
      readonly last: number;
      readonly contended: boolean;
      readonly done: boolean;
      readonly replicas?: number;
    },
    /** Local time until which the grant may be believed. */
    deadline: number,
    /** Whether it was pushed. */
    claimed: boolean,
    /** Hears that the hold has ended, and not by a release: the line of its name. */
    private readonly owner: { lost(hold: Hold, reason: LockLostReason): void },
  ) {
    super();
    ({ id: this.id, name: this.name, terms: this.terms, doubt: this.doubt } = attempt);
    ({ first: this.first, last: this.last, contended: this.contended, done: this.workDone } = grant);
    if (grant.replicas !== undefined) this.replicas = grant.replicas;
    this.deadline = deadline;
    this.renewal = claimed ? 'unconfirmed' : 'idle';
  }

  /** Whether it has a fence and enough time left for another caller of this process. */
  suffices(now: number): boolean {
    return this.used < this.last && this.deadline - now >= Math.min(1_000, this.terms.ttl / 3);
  }

  /** Whether it has not ended, and its deadline has not passed. */
  liveAt(now: number): boolean {
    return !this.over && this.deadline > now;
  }

  nextFence(): number {
    return (this.used = this.used === 0 ? this.first : this.used + 1);
  }

  /**
   * From now on the hold serves a lease of `ttl`, which ends at `endsAt` in spite of renewals. `handedOff` is true when the
   * hold served a lease before, that of another caller or its own.
   */
  serve(ttl: number, renews: boolean, endsAt: number, endReason: LockLostReason, handedOff: boolean): void {
    const longer = ttl > this.terms.ttl;
    const rescheduled = !handedOff || longer || !renews || !this.renews || endsAt !== this.endsAt;
    if (ttl !== this.terms.ttl) this.terms = { ...this.terms, ttl };
    this.renews = renews;
    this.endsAt = endsAt;
    this.endReason = endReason;
    if (rescheduled && this.renewal !== 'unconfirmed') this.scheduleNext();
    if (handedOff && (longer || (!renews && this.deadline < endsAt))) this.confirm();
  }

  /**
   * Asks the store about the hold in the background, and prolongs it if `prolongs`. The server may have read a renewal in
   * flight before the present reason to ask came up, so another renewal follows it.
   */
  confirm(prolongs = true): void {
    if (typeof this.renewal === 'object') this.renewal.again ||= prolongs;
    else if (!this.over) this.send(prolongs ? this.terms.ttl : this.left).catch(() => undefined);
  }

  /** The answer to an acquire confirms the hold for `ttl`, the ttl of that acquire; the server may still read other copies. */
  confirmed(answer: { sentAt: number; last: number }, ttl: number, doubt: number): void {
    this.doubt = doubt;
    if (this.liveAt(this.setup.clock.now())) this.prove(answer, ttl); // a hold that has ended never comes back
  }

  notice(notice: LockNotice): void {
    if (notice.kind === 'contended') this.contended = true;
    if (notice.kind !== 'revoked') return;
    this.heardReason = notice.reason;
    // Anybody may publish, so only the store's answer counts. A lease that does not renew itself is not prolonged by it.
    this.confirm(this.renews);
  }

  /** The scheduler's call. */
  renew(): void {
    const now = this.setup.clock.now();
    if (now >= this.endsAt) return this.lose(this.endReason);
    if (!this.liveAt(now)) return this.lose('expired');
    if (this.renews && typeof this.renewal !== 'object') this.confirm();
    else this.schedule(Infinity);
  }

  /** Renews for `ttl`; rejects with LockStoreError when the outcome is unknown, which changes nothing. */
  async renewNow(ttl = this.terms.ttl): Promise<'renewed' | 'lost'> {
    if (ttl !== this.terms.ttl) {
      this.terms = { ...this.terms, ttl };
      // A renewal in flight was sent with the old ttl.
      if (typeof this.renewal === 'object') await this.renewal.outcome.catch(() => undefined);
    }
    return this.send(ttl);
  }

  /** Gives units back. It stops being exclusive now; resolves when the store has answered, or could not. */
  downgrade(units: number): Promise<void> {
    this.terms = { ...this.terms, units };
    const { id, name, used, terms } = this;
    const operation = { kind: 'downgrade', id, units, used } as const;
    return this.setup.pendingReleases.downgrade(name, operation, terms.ttl, {
      over: () => this.over,
      lost: (revokeReason) => this.loseAtStore(revokeReason, this.liveAt(this.setup.clock.now())),
    });
  }

  /** Gives it back to the store, with the rest of its fence block. */
  release(keep = 0, done = 0, now = this.setup.clock.now()): Promise<'released' | 'expired'> {
    const { id, name, used, doubt, terms } = this;
    const end = Math.max(this.deadline, now + terms.ttl) + terms.guard + CLAIM_WINDOW / 1_000;
    this.pendingRelease = { name, id, used, keep, done, ttl: terms.ttl, end, doubt, at: now };
    const answer = this.setup.pendingReleases.send(this.pendingRelease);
    this.finish();
    return answer;
  }

  /** For how many more milliseconds it is proven, but at least 1. */
  private get left(): number {
    return Math.max(1, this.deadline - this.setup.clock.now());
  }

  /** Asks a server that may not know the hold; a lease that does not renew itself is not prolonged. Rejects as `renewNow`. */
  ask(): Promise<'renewed' | 'lost'> {
    const send = (): Promise<'renewed' | 'lost'> =>
      this.over ? Promise.resolve('lost') : this.send(this.renews ? this.terms.ttl : this.left);
    // The server before may have read a renewal that is in flight.
    return typeof this.renewal === 'object' ? this.renewal.outcome.then(send, send) : send();
  }

  private send(ttl: number): Promise<'renewed' | 'lost'> {
    if (typeof this.renewal === 'object') return this.renewal.outcome;
    const outcome = this.sendRenewal(ttl).finally(() => this.settled());
    this.renewal = { outcome, again: undefined };
    return outcome;
  }

  private settled(): void {
    const again = typeof this.renewal === 'object' ? this.renewal.again : undefined;
    this.renewal = 'idle';
    if (again !== undefined) this.confirm(again);
  }

  private async sendRenewal(ttl: number): Promise<'renewed' | 'lost'> {
    try {
      this.schedule(Infinity); // looks again at the deadline, which may pass before the answer comes
      const answer = await this.askToRenew(ttl);
      if (this.over) return this.lossReason ? 'lost' : 'renewed'; // a hold that was released was not lost
      const live = this.liveAt(this.setup.clock.now()); // after the deadline no answer brings a hold back
      if (answer.outcome === 'renewed' && live) {
        this.failures = 0;
        this.heardReason = undefined;
        this.contended ||= answer.contended; // a notice may be younger than the answer
        this.prove(answer, ttl);
        this.scheduleNext();
        return 'renewed';
      }
      if (answer.outcome === 'renewed') this.lose('expired');
      else this.loseAtStore(answer.outcome === 'revoked' ? answer.reason : undefined, live);
      return 'lost';
    } catch (error) {
      this.failures += 1;
      // Unknown is neither a loss nor a success: it is tried again until the deadline decides.
      if (!this.over) this.schedule(Math.min((ttl / 30) * this.failures, ttl / 6, 1_000));
      throw error;
    }
  }

  /** Rejects with LockStoreError when it came too late, or its outcome is unknown. */
  private async askToRenew(ttl: number): Promise<Answered<RenewOperation> | { readonly outcome: 'lost' }> {
    const { id, name, used, terms } = this;
    const { store, clock } = this.setup;
    const timeout = commandTimeout(ttl);
    const sample = store.sample(name) ?? (await store.measure(name, timeout));
    const notAfter = commandEnd(sample, clock.now(), timeout);
    const times = { ttl: micros(ttl), guard: micros(terms.guard), block: micros(ttl) };
    const answer = await store
      .execute(name, { kind: 'renew', id, ...times, used, notAfter }, timeout)
      .catch(lostIfForeign);
    // A renewal that was read too late changed nothing, so the outcome is unknown and nothing is lost.
    if (answer.outcome === 'late') throw new LockStoreError('The server read the renewal too late.', name);
    return answer;
  }

  private prove({ sentAt, last }: { sentAt: number; last: number }, ttl: number): void {
    this.deadline = Math.max(this.deadline, leaseDeadline(sentAt, ttl));
    this.last = Math.max(this.last, last);
  }

  /** Renews when a third of the ttl is over; without renewal, looks again at the deadline. */
  private scheduleNext(): void {
    const now = this.setup.clock.now();
    this.schedule(this.deadline - now - (this.renews ? (this.terms.ttl * 2) / 3 : 0), now);
  }

  private schedule(ms: number, now = this.setup.clock.now()): void {
    const left = Math.min(this.deadline, this.endsAt) - now;
    this.setup.scheduler.set(this, Math.max(0, Math.min(ms, left)), now);
  }

  /**
   * The store no longer knows the hold, or says why it was revoked. If it has forgotten a revocation by force, the reason of
   * the notice counts, if one was heard.
   */
  private loseAtStore(revokeReason: string | undefined, live: boolean): void {
    this.revokeReason = revokeReason ?? this.heardReason;
    this.lose(this.revokeReason !== undefined ? 'revoked' : live ? 'taken' : 'expired');
  }

  private lose(reason: LockLostReason): void {
    if (this.over) return;
    this.finish();
    this.lossReason = reason;
    this.owner.lost(this, reason);
  }

  private finish(): void {
    this.over = true;
    this.setup.scheduler.delete(this);
  }
}

/** When the key holds somebody else's value, our hold is gone. */
function lostIfForeign(error: LockStoreError): { readonly outcome: 'lost' } {
  if (error.foreign) return { outcome: 'lost' };
  throw error;
}
