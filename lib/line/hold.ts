/** What the store granted to this process: for how long it is proven, its fences, and its renewal. */
import { Link } from '../base/chain.js';
import { type LockLostReason, LockStoreError } from '../base/errors.js';
import type { Renewable } from '../base/shared-timer.js';
import type { Granted, LockNotice, RenewOperation } from '../store/lock-operation.js';
import { CLAIM_WINDOW, mayLinger } from '../store/lock-machine.js';
import type { Answered } from '../store/lock-store.js';
import { commandEnd, commandTimeout, leaseDeadline, micros } from '../store/server-clock.js';
import type { LineSetup } from './line-setup.js';
import { publishRenewed, publishStoreError, renewedChannel } from './lock-channels.js';
import type { PendingRelease } from './pending-releases.js';
import { exclusive, type Span, type Terms } from './request.js';
import { TakeOver } from './take-over.js';

// A renewal because of a change of the record comes as often as this at most: the sign of life of each waiter is one.
const CHANGED_EVERY = 250;
// The scheduler is up to a tenth early.
const EARLY = 0.9;

/** Who hears what becomes of a hold: the line of its name. */
export interface HoldOwner {
  /** It has ended, and not by a release. */
  lost(hold: Hold, reason: LockLostReason): void;
  /** Half of the time that it was proven for is over, and no renewal was answered. Told once until one is. */
  atRisk(hold: Hold): void;
  /** Others ask for what it has: it is given back if nobody uses it. */
  wanted(hold: Hold): void;
}

/** What the store granted to this process: until when it may be believed, and the fences it may use. */
export class Hold extends Link<Renewable> implements Renewable {
  renewalSlot = 0;
  /** Local time until which the hold is proven. */
  deadline: number;
  /** Whether other attempts wait at the store. */
  contended: boolean;
  /** Declared only, as are others here: few holds have one, and a process may have many holds. */
  declare lossReason?: LockLostReason;
  /** The operator's reason, if it was revoked; '' when the text is not known. Declared only. */
  declare revokeReason?: string | undefined;
  /** Local time at which the store said that the name is marked: its work was done (run once). Declared only. */
  declare readonly workDoneAt?: number;
  readonly id: string;
  readonly name: string;
  /** How many replicas had the grant. Declared only: without `durability` a hold has no room for it. */
  declare readonly replicas?: number;
  /** What a holder before left as its note, or this process since. Declared only, as few names have one. */
  declare note?: string;
  declare private notes?: { turn: number; written: Promise<unknown> };
  /** Whether the store may know it under another id already. Declared only. */
  declare private handingOver?: boolean;
  /** The release that gave it back. */
  pendingRelease: PendingRelease | undefined;
  terms: Terms;
  /** Whether the lease that it serves renews itself. */
  renews = true;
  /** When that lease ends in spite of renewals, and for what reason. Declared only. */
  declare private end?: { readonly at: number; readonly reason: LockLostReason } | undefined;
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
    | 'unconfirmed'
    | 'idle'
    | {
        readonly outcome: Promise<'renewed' | 'lost'>;
        readonly ttl: number;
        readonly riskAt: number;
        again: boolean | undefined;
      };
  /** Whether the store was told to say when somebody else changes the record. Declared only: short holds have none. */
  declare private tracked?: boolean;
  /** When it was asked because of such a change, and whether it still has to be. Declared only. */
  declare private change?: { askedAt: number; unasked: boolean };
  /** How many renewals in a row had an unknown outcome. Declared only, as most have none. */
  declare private failures?: number;
  /** The operator's reason in a notice, which anybody may publish. Declared only. */
  declare private heardReason?: string | undefined;
  /** Whether it still has to be prolonged although its lease does not renew itself. Declared only. */
  declare private owed?: boolean;
  /** Local time at which half of the time that it was proven for is over, where that is not its ttl. Declared only. */
  declare private half?: number | undefined;
  /** The take-over that hands it over. Declared only. */
  declare private takeOver?: TakeOver | undefined;
  /** Whether the owner was told that it is at risk, and no renewal was answered since. Declared only. */
  declare toldRisk?: boolean;
  /** Local time from which an unconfirmed renewal has been due. Declared only: it is set while somebody listens. */
  declare private dueAt?: number | undefined;

  constructor(
    private readonly setup: LineSetup,
    /** `doubt` is the server time until which an acquire without an answer may still be read; 0 for none. */
    attempt: { readonly id: string; readonly name: string; readonly doubt: number },
    terms: Terms,
    /** What the store said: the fences that may be used, whether others wait, and whether the work was done before. */
    grant: Omit<Granted, 'outcome'>,
    /** Local time until which the grant may be believed. */
    deadline: number,
    /** Whether it was pushed. */
    claimed: boolean,
    private readonly owner: HoldOwner,
  ) {
    super();
    ({ id: this.id, name: this.name, doubt: this.doubt } = attempt);
    this.terms = terms;
    ({ first: this.first, last: this.last, contended: this.contended } = grant);
    if (grant.done) this.workDoneAt = setup.clock.now();
    if (grant.replicas !== undefined) this.replicas = grant.replicas;
    if (grant.note !== undefined) this.note = grant.note;
    this.deadline = deadline;
    this.renewal = claimed ? 'unconfirmed' : 'idle';
    if (claimed) this.half = (setup.clock.now() + deadline) / 2;
  }

  /** Whether it has a fence and enough time left for another caller of this process. */
  suffices(now: number): boolean {
    return this.used < this.last && this.deadline - now >= Math.min(1_000, this.terms.ttl / 3);
  }

  /**
   * Whether it lasts for longer than a lease of `ttl` that begins now. The store never shortens a hold, so whoever died
   * under it would keep others out for longer than its ttl.
   */
  outlasts(ttl: number, now: number): boolean {
    const asked = typeof this.renewal === 'object' ? this.renewal.ttl : 0;
    return Math.max(this.deadline - now, asked) > tolerated(ttl);
  }

  /** Whether its renewals make it outlast such a lease. */
  keepsLongerThan(ttl: number): boolean {
    return this.renews && this.terms.ttl > tolerated(ttl);
  }

  /** Local time at which the lease that it serves ends in spite of renewals. */
  get endsAt(): number {
    return this.end === undefined ? Infinity : this.end.at;
  }

  get endReason(): LockLostReason {
    return this.end === undefined ? 'expired' : this.end.reason;
  }

  /** Whether it can be kept while nobody uses it: others know that, and have it given back. */
  get mayLinger(): boolean {
    return mayLinger(this.id);
  }

  /** Whether it has not ended, and its deadline has not passed. */
  liveAt(now: number): boolean {
    return !this.over && this.deadline > now;
  }

  /** Whether half of its ttl, or of the shorter time that it was proven for, is over without an answered renewal. */
  atRiskAt(now: number): boolean {
    return this.renews && (this.toldRisk === true || now >= this.riskAt);
  }

  nextFence(): number {
    return (this.used = this.used === 0 ? this.first : this.used + 1);
  }

  /**
   * From now on the hold serves a lease of such a span, which ends at `endsAt` in spite of renewals. `handedOff` is true when
   * the hold served a lease before, that of another caller or its own.
   */
  serve(
    { ttl, guard }: Span,
    renews: boolean,
    endsAt: number,
    endReason: LockLostReason,
    handedOff: boolean,
  ): void {
    const longer = ttl > this.terms.ttl;
    const rescheduled = !handedOff || longer || !renews || !this.renews || endsAt !== this.endsAt;
    this.adopt({ ttl, guard });
    this.renews = renews;
    if (endsAt < Infinity) this.end = { at: endsAt, reason: endReason };
    else if (this.end) this.end = undefined;
    const confirmed = this.renewal !== 'unconfirmed';
    if (rescheduled && confirmed) this.scheduleNext();
    // A pushed grant is confirmed in any case, a little later. The store may have granted it for the ttl of another caller.
    if (handedOff ? longer || (!renews && this.deadline < endsAt) : longer && confirmed) this.confirm();
  }

  /** Renewals ask for that from now on; what is proven already stays as it is. */
  private adopt({ ttl, guard }: Span): void {
    if (ttl === this.terms.ttl) return;
    this.half = this.halfTime;
    this.terms = { ...this.terms, ttl, guard };
  }

  /**
   * Asks the store about the hold in the background, and prolongs it if `prolongs`. The server may have read a renewal in
   * flight before the present reason to ask came up, so another renewal follows it.
   */
  confirm(prolongs = true): void {
    if (prolongs && !this.renews) this.owed = true;
    const longer = prolongs || this.owed === true;
    if (typeof this.renewal === 'object') this.renewal.again ||= longer;
    else if (!this.over) this.send(longer ? this.terms.ttl : this.left).catch(() => undefined);
  }

  /** The answer to an acquire confirms the hold for `ttl`, the ttl of that acquire; the server may still read other copies. */
  confirmed(answer: { sentAt: number; last: number }, ttl: number, doubt: number): void {
    this.doubt = doubt;
    if (this.handingOver) return; // the id that follows may have less time
    if (this.liveAt(this.setup.clock.now())) this.prove(answer, ttl); // a hold that has ended never comes back
  }

  notice(notice: LockNotice): void {
    if (notice.kind === 'contended') this.contended = true;
    if (notice.kind === 'contended' || notice.kind === 'wanted') return this.owner.wanted(this);
    if (notice.kind !== 'revoked') return;
    this.heardReason = notice.reason;
    // Anybody may publish, so only the store's answer counts. A lease that does not renew itself is not prolonged by it.
    this.confirm(this.renews);
  }

  /**
   * Somebody else may have changed the record, or removed it: it is renewed at once, which says whether it is still held,
   * but not more often than every CHANGED_EVERY ms.
   */
  changed(): void {
    if (this.over || !this.tracked) return;
    const now = this.setup.clock.now();
    const change = (this.change ??= { askedAt: -Infinity, unasked: false });
    change.unasked = true;
    if (now - change.askedAt >= CHANGED_EVERY) this.confirm(this.renews);
    else if (this.renewal === 'idle' && !this.failures) this.scheduleNext();
  }

  /** The scheduler's call. */
  renew(due: number): void {
    const now = this.setup.clock.now();
    if (now >= this.endsAt) return this.lose(this.endReason);
    if (!this.liveAt(now)) return this.lose('expired');
    if (!this.toldRisk && this.atRiskAt(now)) {
      this.toldRisk = true;
      this.owner.atRisk(this);
      if (this.over) return; // a listener has released it
    }
    const prolongs = this.renews || this.owed === true;
    if ((prolongs || this.change?.unasked) && typeof this.renewal !== 'object') {
      if (renewedChannel.hasSubscribers && this.renews) this.dueAt ??= due;
      this.track();
      this.confirm(prolongs);
    } else this.schedule(this.untilRisk(now), now);
  }

  /** Renews for `span`; rejects with LockStoreError when the outcome is unknown, which changes nothing. */
  async renewNow({ ttl, guard }: Span = this.terms): Promise<'renewed' | 'lost'> {
    this.track();
    const { terms } = this;
    // What is in flight may have been sent with the old ttl, or only to learn whether it is still held.
    while (typeof this.renewal === 'object' && this.renewal.ttl !== ttl)
      await this.renewal.outcome.catch(() => undefined);
    if (this.over) return this.lossReason ? 'lost' : 'renewed'; // released meanwhile
    return this.send(ttl, guard, terms);
  }

  /** From now on each renewal asks the store to say when somebody else changes the record. */
  private track(): void {
    // Only where nobody else holds: the renewals of others are changes, too, and would call for each other for ever.
    if (!this.tracked && exclusive(this.terms)) this.tracked = true;
  }

  /** Gives units back. It stops being exclusive now; resolves when the store has answered, or could not. */
  downgrade(units: number): Promise<void> {
    this.terms = { ...this.terms, units };
    if (this.tracked) this.tracked = false;
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
    const longest = typeof this.renewal === 'object' ? Math.max(this.renewal.ttl, terms.ttl) : terms.ttl;
    const end = Math.max(this.deadline, now + longest) + terms.guard + CLAIM_WINDOW / 1_000;
    this.pendingRelease = { name, id, used, keep, done, ttl: terms.ttl, end, doubt, at: now };
    const answer = this.setup.pendingReleases.send(this.pendingRelease);
    this.finish();
    this.takeOver?.giveUp();
    return answer;
  }

  /**
   * Lets the hold go on under another id, which somebody else may resume for `span`. Then it has ended here, without a
   * release. Resolves with the server time until which the store keeps it; undefined when the hold was lost. Rejects with
   * LockStoreError when the store refused: the hold then goes on as before.
   */
  async handOver(id: string, { ttl, guard }: Span): Promise<number | undefined> {
    // What is in flight for the present id would find that it has ended.
    await this.notes?.written;
    while (typeof this.renewal === 'object') await this.renewal.outcome.catch(() => undefined);
    if (this.over) return undefined;
    const { setup, name, terms, used } = this;
    const takeOver = new TakeOver(setup, name, { ...terms, ttl, guard: Math.max(guard, terms.guard) }, id, {
      id: this.id,
      used,
    });
    const until = this.handOverBy(takeOver, ttl).finally(() => this.settled());
    // As a renewal in flight, whose outcome others share; there is none beside it.
    const outcome = until.then((kept) => (kept === undefined ? ('lost' as const) : ('renewed' as const)));
    outcome.catch(() => undefined);
    this.renewal = { outcome, ttl: terms.ttl, riskAt: Infinity, again: undefined };
    return until;
  }

  /** Leaves a note for those who hold the name later. Rejects with LockStoreError; then it may have been written. */
  async writeNote(text: string): Promise<void> {
    const notes = (this.notes ??= { turn: 0, written: Promise.resolve() });
    const { id, name, terms } = this;
    const turn = (notes.turn += 1);
    const timeout = commandTimeout(terms.ttl);
    const written = this.setup.store
      .execute(name, { kind: 'note', id, text, turn, ...(this.tracked && TRACKED) }, timeout)
      .catch(lostIfForeign);
    notes.written = written.catch(() => undefined);
    const answer = await written;
    if (answer.outcome === 'noted') {
      if (turn === notes.turn) this.note = text;
    } else if (!this.over)
      this.loseAtStore(
        answer.outcome === 'revoked' ? answer.reason : undefined,
        this.liveAt(this.setup.clock.now()),
      );
  }

  private async handOverBy(takeOver: TakeOver, ttl: number): Promise<number | undefined> {
    const { clock, pendingReleases } = this.setup;
    const { deadline } = this;
    try {
      this.handingOver = true;
      // The new id may have the hold as soon as this is sent, and for so long only.
      this.deadline = Math.min(deadline, leaseDeadline(clock.now(), ttl));
      this.schedule(Infinity); // looks again at the deadline, which may pass before the answer comes
      this.takeOver = takeOver;
      const { terms, id, name, used, doubt } = this;
      const answer = await takeOver.ask(Math.min(this.deadline, this.endsAt));
      const live = this.liveAt(clock.now()); // after the deadline nobody was promised anything
      if (answer.outcome !== 'granted') {
        if (!this.over) this.loseAtStore(answer.outcome === 'revoked' ? answer.reason : undefined, live);
        return undefined;
      }
      if (!live || clock.now() >= this.endsAt) {
        this.lose(live ? this.endReason : 'expired');
        takeOver.giveUp();
        return undefined;
      }
      this.takeOver = undefined;
      this.finish();
      // A copy of its acquire that is read later must not take the lock for nobody.
      const end = clock.now() + terms.ttl + terms.guard;
      if (doubt > answer.now)
        void pendingReleases.send({ name, id, used, keep: 0, done: 0, ttl: terms.ttl, end, doubt });
      return answer.now;
    } catch (error) {
      if (!takeOver.doubtful && !this.over) {
        this.takeOver = undefined;
        this.handingOver = false;
        this.deadline = deadline;
        this.scheduleNext();
        throw error;
      }
      // The name may be with the new id. It is given back only after the hold has ended here.
      this.lose('expired');
      takeOver.giveUp();
      return undefined;
    }
  }

  /** For how many more milliseconds it is proven, but at least 1. */
  private get left(): number {
    return Math.max(1, this.deadline - this.setup.clock.now());
  }

  /** Asks a server that may not know the hold; a lease that does not renew itself is not prolonged. Rejects as `renewNow`. */
  ask(): Promise<'renewed' | 'lost'> {
    const send = (): Promise<'renewed' | 'lost'> =>
      this.over
        ? Promise.resolve(this.lossReason ? 'lost' : 'renewed')
        : this.send(this.renews || this.owed ? this.terms.ttl : this.left);
    // The server before may have read a renewal that is in flight.
    return typeof this.renewal === 'object' ? this.renewal.outcome.then(send, send) : send();
  }

  /** With `before`, later renewals ask for the same, unless the hold has other terms than these by the time of the answer. */
  private send(ttl: number, guard = this.terms.guard, before?: Terms): Promise<'renewed' | 'lost'> {
    if (typeof this.renewal === 'object') return this.renewal.outcome;
    const now = this.setup.clock.now();
    const half = this.halfTime;
    // A claim, and a hold whose ttl has just become longer, are proven for less than half of it to begin with.
    const riskAt = now < half || this.failures ? half : now + (this.deadline - now) / 2;
    const outcome = this.sendRenewal({ ttl, guard }, riskAt, now, before).finally(() => this.settled());
    this.renewal = { outcome, ttl, riskAt, again: undefined };
    return outcome;
  }

  /** Local time from which it is at risk. */
  private get riskAt(): number {
    if (typeof this.renewal === 'object') return this.renewal.riskAt;
    return this.renewal === 'idle' ? this.halfTime : Infinity; // a claim is renewed as soon as somebody has it
  }

  /** Local time at which half of its ttl is over, counted from when the last answered command was sent. */
  private get halfTime(): number {
    const { ttl } = this.terms;
    const usual = this.deadline - leaseDeadline(0, ttl) + ttl / 2;
    return this.half === undefined ? usual : Math.max(this.half, usual);
  }

  /** In how many milliseconds the owner is to be told that it is at risk. */
  private untilRisk(now: number): number {
    return this.renews && !this.toldRisk ? this.riskAt - now : Infinity;
  }

  private settled(): void {
    const again = typeof this.renewal === 'object' ? this.renewal.again : undefined;
    this.renewal = 'idle';
    if (again !== undefined) this.confirm(again);
  }

  private async sendRenewal(
    { ttl, guard }: Span,
    riskAt: number,
    sentAt: number,
    before: Terms | undefined,
  ): Promise<'renewed' | 'lost'> {
    try {
      const { change } = this;
      if (change?.unasked) Object.assign(change, { askedAt: sentAt, unasked: false });
      // Looks again when it is at risk and at the deadline, both of which may pass before the answer comes.
      this.schedule(this.renews && !this.toldRisk ? riskAt - sentAt : Infinity, sentAt);
      const answer = await this.askToRenew({ ttl, guard });
      if (this.over) return this.lossReason ? 'lost' : 'renewed'; // a hold that was released was not lost
      const live = this.liveAt(this.setup.clock.now()); // after the deadline no answer brings a hold back
      if (answer.outcome === 'renewed' && live) {
        if (this.failures) this.failures = 0;
        if (this.heardReason !== undefined) this.heardReason = undefined;
        this.contended ||= answer.contended; // a notice may be younger than the answer
        const { dueAt } = this;
        if (before === this.terms) this.adopt({ ttl, guard });
        this.prove(answer, ttl);
        if (renewedChannel.hasSubscribers) this.tellRenewal(answer, dueAt);
        this.scheduleNext();
        if (answer.contended) this.owner.wanted(this);
        return 'renewed';
      }
      if (answer.outcome === 'renewed') this.lose('expired');
      else this.loseAtStore(answer.outcome === 'revoked' ? answer.reason : undefined, live);
      return 'lost';
    } catch (error) {
      const failures = (this.failures = (this.failures ?? 0) + 1);
      publishStoreError(this.name, 'renew', error as LockStoreError);
      // Unknown is neither a loss nor a success: it is tried again until the deadline decides.
      const now = this.setup.clock.now();
      if (!this.over)
        this.schedule(Math.min((ttl / 30) * failures, ttl / 6, 1_000, this.untilRisk(now)), now);
      throw error;
    }
  }

  /** Rejects with LockStoreError when it came too late, or its outcome is unknown. */
  private async askToRenew({
    ttl,
    guard,
  }: Span): Promise<Answered<RenewOperation> | { readonly outcome: 'lost' }> {
    const { id, name, used } = this;
    const { store, clock } = this.setup;
    const timeout = commandTimeout(ttl);
    const sample = store.sample(name) ?? (await store.measure(name, timeout));
    const notAfter = commandEnd(sample, clock.now(), timeout);
    const times = { ttl: micros(ttl), guard: micros(guard), block: micros(ttl) };
    const answer = await store
      .execute(name, { kind: 'renew', id, ...times, used, notAfter, ...(this.tracked && TRACKED) }, timeout)
      .catch(lostIfForeign);
    // A renewal that was read too late changed nothing, so the outcome is unknown and nothing is lost.
    if (answer.outcome === 'late') throw new LockStoreError('The server read the renewal too late.', name);
    return answer;
  }

  private tellRenewal(
    { sentAt, receivedAt }: { sentAt: number; receivedAt: number },
    dueAt: number | undefined,
  ): void {
    const { used: fence, deadline, endsAt } = this;
    const remaining = Math.max(0, Math.min(deadline, endsAt) - receivedAt);
    const lag = dueAt === undefined ? 0 : Math.max(0, receivedAt - dueAt);
    publishRenewed({ hold: this, fence, identity: this.terms.identity }, lag, receivedAt - sentAt, remaining);
  }

  private prove({ sentAt, last }: { sentAt: number; last: number }, ttl: number): void {
    if (this.dueAt !== undefined) this.dueAt = undefined;
    if (this.owed && ttl >= this.terms.ttl) this.owed = false;
    if (this.toldRisk) this.toldRisk = false;
    const deadline = leaseDeadline(sentAt, ttl);
    if (deadline >= this.deadline) {
      this.deadline = deadline;
      const usual = ttl === this.terms.ttl;
      if (!usual || this.half !== undefined) this.half = usual ? undefined : sentAt + ttl / 2;
    }
    this.last = Math.max(this.last, last);
  }

  /** Renews when a third of the ttl is over, or when a change calls for it; without renewal, looks again at the deadline. */
  private scheduleNext(): void {
    const now = this.setup.clock.now();
    const usual = this.deadline - now - (this.renews ? (this.terms.ttl * 2) / 3 : 0);
    const { change } = this;
    const asks = change?.unasked ? (change.askedAt + CHANGED_EVERY - now) / EARLY : Infinity;
    this.schedule(Math.min(usual, asks), now);
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

  /** It has ended, and not by a release. */
  lose(reason: LockLostReason): void {
    if (this.over) return;
    this.finish();
    this.lossReason = reason;
    this.owner.lost(this, reason);
    this.takeOver?.giveUp(); // after that, since it may free the name
  }

  private finish(): void {
    this.over = true;
    this.setup.scheduler.delete(this);
  }
}

/** How long a hold may last that a caller with such a ttl is given: no shorter than a pushed grant. */
function tolerated(ttl: number): number {
  return Math.max(ttl, CLAIM_WINDOW / 1_000);
}

const TRACKED = { tracked: true };

/** When the key holds somebody else's value, our hold is gone. */
function lostIfForeign(error: LockStoreError): { readonly outcome: 'lost' } {
  if (error.foreign) return { outcome: 'lost' };
  throw error;
}
