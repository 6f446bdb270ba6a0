/** The part of a hold that one caller of this process has: a fence and a time of its own. */
import type { Clock } from '../base/clock.js';
import { LockLostError, type LockLostReason } from '../base/errors.js';
import { newAttemptId, newSession } from '../store/session-id.js';
import { leaseDeadline, micros } from '../store/server-clock.js';
import type { Hold } from './hold.js';
import { publishAtRisk, publishLost, publishReleased, releasedChannel } from './lock-channels.js';
import type { Request, Span } from './request.js';

/** Who is told how a lease ended: the line of its name. */
export interface LeaseOwner {
  readonly clock: Clock;
  /** The caller gives the lease back; `now` is the local time. `keep` and `done` are milliseconds, 0 for neither. */
  released(lease: LineLease, keep: number, done: number, now: number): Promise<'released' | 'expired'>;
  /** The lease was found to have ended in another way. */
  leaseLost(lease: LineLease, reason: LockLostReason): void;
  /** This lease takes the place of the one that had all units. */
  downgraded(lease: LineLease): void;
  /** Its hold goes on elsewhere; `now` is the local time. */
  handedOver(lease: LineLease, now: number): void;
}

/** A hand-over that has begun. */
interface HandOverState {
  /** Resolves when it is known whether it succeeded. */
  readonly settled: Promise<unknown>;
  done: boolean;
}

/** What whoever resumes a hold has to know of it. */
export interface HandedOver {
  /** The attempt id that has the hold: whoever knows it may resume it. */
  readonly id: string;
  readonly units: number;
  readonly capacity: number;
  /** The ttl that the lease had, in milliseconds. */
  readonly ttl: number;
  /** Server time until which nobody else gets the lock; microseconds. */
  readonly until: number;
  readonly fence: number;
  /** For how many milliseconds the lease was held. */
  readonly heldFor: number;
}

/** The lease of one caller, as the line knows it. Users have it as a LeaseHandle. */
export class LineLease {
  private ended: { readonly at: number; readonly reason: LockLostReason } | undefined;
  /** Another lease on the same name in this process; see Leases. Declared only, as are others here: few leases have one. */
  declare next?: LineLease | undefined;
  /** Who is told when it is lost. Declared only. */
  declare private listeners?: Set<() => void>;
  /** Who is told when it is at risk. Declared only, as few leases have one. */
  declare private riskListeners?: Set<() => void>;
  private releasing: Promise<'released' | 'expired'> | undefined;
  /** What a holder before left as its note. Declared only, as few names have one. */
  declare previous?: string;
  /** For how many milliseconds its hold may be kept after it. Declared only: of most leases it goes back at once. */
  declare linger?: number;
  /** Whether no work had it: for how long it was held says nothing of how long work takes. Declared only. */
  declare unused?: boolean;
  /** The hand-over, while it is not known whether it succeeded, and afterwards if it did. Declared only. */
  declare private handOverState: HandOverState | undefined;
  /** Local time at which maxHold ends it. Declared only. */
  declare private longest?: number;

  constructor(
    readonly hold: Hold,
    private readonly owner: LeaseOwner,
    readonly fence: number,
    /** `host:pid label` of the caller. */
    readonly identity: string,
    /** The verb that asked for it. */
    readonly by: NonNullable<Request['by']>,
    /** When it was granted. */
    readonly since: number,
    private span: Span,
    /** Local time at which maxHold ends it; Infinity for never. */
    longest: number,
  ) {
    if (longest < Infinity) this.longest = longest;
  }

  get name(): string {
    return this.hold.name;
  }

  /** Local time until which the lease is proven, while its hold serves it. */
  get deadline(): number {
    return Math.min(this.hold.deadline, this.hold.endsAt);
  }

  get remaining(): number {
    return this.ended ? 0 : Math.max(0, this.deadline - this.owner.clock.now());
  }

  /** Why the lease is over, a release included; undefined while it is proven. */
  get over(): LockLostReason | undefined {
    return this.overAt(this.owner.clock.now());
  }

  private overAt(now: number): LockLostReason | undefined {
    if (this.ended) return this.ended.reason;
    if (now < this.deadline) return undefined;
    return this.hold.endsAt <= this.hold.deadline ? this.hold.endReason : 'expired';
  }

  /** The loss as an error; undefined while the lease is proven, or released in time. */
  get loss(): LockLostError | undefined {
    const reason = this.over;
    return reason === undefined || reason === 'released' ? undefined : this.lostError(reason);
  }

  /** Calls `listener` once when the store or a shutdown ends the lease, but not when its time just passes. */
  onLoss(listener: () => void): () => void {
    (this.listeners ??= new Set()).add(listener);
    return () => this.listeners?.delete(listener);
  }

  /** Whether it is proven, and half of that time is over without an answered renewal. */
  get atRisk(): boolean {
    const now = this.owner.clock.now();
    return this.overAt(now) === undefined && this.hold.atRiskAt(now);
  }

  /** Whether listeners were told that it is at risk, and it still is. */
  get toldRisk(): boolean {
    return this.ended === undefined && this.hold.toldRisk === true;
  }

  /** Calls `listener` whenever the lease becomes at risk. Neither may throw. */
  onAtRisk(listener: () => void): () => void {
    (this.riskListeners ??= new Set()).add(listener);
    return () => this.riskListeners?.delete(listener);
  }

  /** Its hold is at risk. */
  tellRisk(): void {
    const now = this.owner.clock.now();
    publishAtRisk(this, Math.round(now - this.since), Math.round(this.deadline - now));
    for (const listener of this.riskListeners ?? []) listener();
  }

  /** The hold was lost, or taken from this caller. */
  lose(reason: LockLostReason): void {
    if (this.ended) return;
    this.ended = { at: this.owner.clock.now(), reason };
    this.tellLoss(reason);
    for (const listener of this.listeners ?? []) listener();
  }

  /** Renews for `span`; rejects with LockStoreError when the outcome is unknown, which changes nothing. */
  async renew(span = this.span): Promise<void> {
    const { hold, longest = Infinity } = this;
    const sentAt = this.owner.clock.now();
    if ((await hold.renewNow(span)) === 'lost' || this.ended) return;
    this.span = span;
    // A lease that was handed off and does not renew itself ends at a time of its own, which moves as well.
    const own = Math.max(hold.endsAt, leaseDeadline(sentAt, span.ttl));
    const endsAt = Math.min(own, longest);
    if (endsAt !== hold.endsAt)
      hold.serve(span, hold.renews, endsAt, longest < own ? 'max-hold' : hold.endReason, true);
  }

  /** From now on it may be held for `maxHold` ms more, whatever is renewed. */
  limit(maxHold: number): void {
    if (this.ended) return;
    const { hold, span } = this;
    const longest = (this.longest = this.owner.clock.now() + maxHold);
    if (longest < hold.endsAt) hold.serve(span, hold.renews, longest, 'max-hold', false);
  }

  /** Gives the lock back, once; every call gets the same answer. `keep` and `done` are milliseconds, 0 for neither. */
  release(keep = 0, done = 0): Promise<'released' | 'expired'> {
    if (this.releasing) return this.releasing;
    if (this.handOverState) return this.releaseAfter(this.handOverState, keep, done);
    const now = this.owner.clock.now();
    const lost = this.overAt(now);
    if (!this.ended) {
      this.ended = { at: lost ? this.deadline : now, reason: lost ?? 'released' };
      if (lost)
        this.tellLoss(lost); // no timer has noticed it yet
      else if (releasedChannel.hasSubscribers) publishReleased(this, now - this.since);
    }
    const answer = this.owner.released(this, keep, done, now);
    return (this.releasing = lost ? answer.then(() => 'expired' as const) : answer);
  }

  private tellLoss(reason: LockLostReason): void {
    publishLost(this, this.heldFor, reason);
    this.owner.leaseLost(this, reason);
  }

  /** Leaves a note for those who hold the name later. */
  note(text: string): Promise<void> {
    return this.hold.writeNote(text);
  }

  /** Whether it is being handed over, or was. */
  get handingOver(): boolean {
    return this.handOverState !== undefined;
  }

  /**
   * Lets another process go on with the hold, if it resumes it within the ttl of `span`; this lease ends then, without a loss.
   * Rejects with LockLostError, or with LockStoreError when the store refused; then the lease goes on.
   */
  async handOver(span = this.span): Promise<HandedOver> {
    const { hold, owner } = this;
    const id = newAttemptId(newSession()); // of a session that does not exist: nobody hears what is said to it
    const handing = hold.handOver(id, span);
    const state: HandOverState = { settled: handing.catch(() => undefined), done: false };
    this.handOverState = state;
    try {
      const from = await handing;
      if (from === undefined || this.ended) throw this.lostError(this.over ?? 'expired');
      const now = owner.clock.now();
      this.ended = { at: now, reason: 'released' };
      state.done = true;
      if (releasedChannel.hasSubscribers) publishReleased(this, now - this.since);
      owner.handedOver(this, now);
      const { units, capacity } = hold.terms;
      const { fence, heldFor } = this;
      return { id, units, capacity, ttl: this.span.ttl, until: from + micros(span.ttl), fence, heldFor };
    } finally {
      if (!state.done) this.handOverState = undefined;
    }
  }

  /** A release while it is being handed over: when that fails, the lock is given back. */
  private releaseAfter(state: HandOverState, keep: number, done: number): Promise<'released' | 'expired'> {
    return (this.releasing = state.settled.then(() => {
      if (state.done) return 'released';
      this.releasing = undefined;
      return this.release(keep, done);
    }));
  }

  /** Goes on with fewer units, without a gap and with the same fence; this lease ends at once. */
  downgrade(units: number): { lease: LineLease; done: Promise<void> } {
    const { hold, owner, fence, identity, by, since, span, longest = Infinity } = this;
    this.ended ??= { at: owner.clock.now(), reason: 'released' };
    const lease = new LineLease(hold, owner, fence, identity, by, since, span, longest);
    if (this.previous !== undefined) lease.previous = this.previous;
    if (this.listeners) lease.listeners = this.listeners;
    if (this.riskListeners) lease.riskListeners = this.riskListeners;
    const done = hold.downgrade(units);
    owner.downgraded(lease);
    return { lease, done };
  }

  /** For how many milliseconds it was held, once it is over. */
  get heldFor(): number {
    return Math.round((this.ended?.at ?? this.deadline) - this.since);
  }

  /** How many milliseconds ago it was granted. */
  get age(): number {
    return this.owner.clock.now() - this.since;
  }

  /** How it ended, as a sentence. */
  lossText(reason: LockLostReason): string {
    const { revokeReason } = this.hold;
    const given = this.handOverState ? 'handed over' : 'released';
    const after = `${this.heldFor} ms after it was granted`;
    const what = {
      // A pushed grant has less time at first, and its confirmation may fail.
      expired:
        this.hold.renews || this.heldFor < leaseDeadline(0, this.span.ttl) - 1
          ? `expired ${after}: it could not be renewed in time`
          : `expired ${after}: it was taken with renew: false, and its work took longer than its ttl`,
      taken: `was gone ${after}: the store no longer knows it`,
      revoked: `was revoked by an operator${revokeReason ? ` ('${revokeReason}')` : ''} ${after}`,
      'max-hold': `reached its longest allowed time (maxHold) ${after}`,
      closed: `was released by shutdown ${after}`,
      released: `was ${given} ${after}`,
    }[reason];
    return `The lease of '${this.name}' (fence ${this.fence}) ${what}.`;
  }

  lostError(reason: LockLostReason): LockLostError {
    const { revokeReason } = this.hold;
    return new LockLostError(
      `${this.lossText(reason)} ` +
        (reason === 'released'
          ? this.handOverState
            ? 'Whoever resumes it goes on.'
            : 'Use it only before its release.'
          : 'Somebody else may hold the lock now: stop writing, and let the resource compare fences.'),
      this.name,
      {
        reason,
        fence: this.fence,
        heldFor: this.heldFor,
        ...(reason === 'revoked' && revokeReason ? { revokeReason } : {}),
      },
    );
  }
}

/** Makes the lease of a caller from a hold; `handedOff` when another caller of this process held it before. */
export function leaseOf(
  hold: Hold,
  { terms, renews, maxHold, by = 'acquire', linger }: Request,
  now: number,
  handedOff: boolean,
  owner: LeaseOwner,
): LineLease {
  const { ttl, identity } = terms;
  const longest = now + maxHold;
  // A hold that is handed off may be proven for longer than this caller's ttl, by renewals that it did not ask for.
  const own = handedOff && !renews ? leaseDeadline(now, ttl) : Infinity;
  const lease = new LineLease(hold, owner, hold.nextFence(), identity, by, now, terms, longest);
  if (hold.note) lease.previous = hold.note;
  if (linger) lease.linger = linger;
  hold.serve(terms, renews, Math.min(own, longest), longest < own ? 'max-hold' : 'expired', handedOff);
  return lease;
}
