import type { Clock } from '../base/clock.js';
import { LockLostError, type LockLostReason } from '../base/errors.js';
import { leaseDeadline } from '../validity/deadline.js';
import type { Hold } from './hold.js';
import { renewedWish, type Wish } from './wish.js';

/** How a lease may be given back. Spans are milliseconds; 0 for not. */
export interface ReleaseTerms {
  readonly keep: number;
  readonly done: number;
}

/** Who is told when a tenure ends on purpose. */
export interface TenureOwner {
  /** `now` is the local time. */
  released(tenure: Tenure, terms: ReleaseTerms, now: number): Promise<'released' | 'expired'>;
  /** It ended otherwise, and this is known since now. */
  tenureLost(tenure: Tenure, reason: LockLostReason): void;
  /** In place of the one that had all units. */
  downgraded(reading: Tenure): void;
}

/** The time in which one caller of this process has the lock: a part of a hold, with a fence of its own. */
export class Tenure {
  readonly fence: number;
  private ended: { readonly at: number; readonly reason: LockLostReason } | undefined;
  private listeners: Set<() => void> | undefined;
  private releasing: Promise<'released' | 'expired'> | undefined;

  constructor(
    readonly hold: Hold,
    public wish: Wish,
    private readonly clock: Clock,
    private readonly owner: TenureOwner,
    fence?: number,
  ) {
    this.fence = fence ?? hold.nextFence();
  }

  get name(): string {
    return this.hold.name;
  }

  /** Local time until which the lease is proven. */
  get deadline(): number {
    return Math.min(this.hold.deadline, this.wish.endsAt);
  }

  get remaining(): number {
    return this.ended ? 0 : Math.max(0, this.deadline - this.clock.now());
  }

  /** Why the lease is no more, released included; undefined while it is proven. */
  get over(): LockLostReason | undefined {
    return this.overAt(this.clock.now());
  }

  private overAt(now: number): LockLostReason | undefined {
    if (this.ended) return this.ended.reason;
    if (now < this.deadline) return undefined;
    return this.wish.endsAt <= this.hold.deadline ? this.wish.endReason : 'expired';
  }

  /** The loss as an error; undefined while the lease is proven, or released in time. */
  get loss(): LockLostError | undefined {
    const reason = this.over;
    return reason === undefined || reason === 'released' ? undefined : this.lostError(reason);
  }

  /** Calls `listener` once when the store or shutdown ends the lease; the passing of time tells nobody. */
  onLoss(listener: () => void): () => void {
    (this.listeners ??= new Set()).add(listener);
    return () => this.listeners?.delete(listener);
  }

  /** The hold is gone, or was taken from this caller. */
  lose(reason: LockLostReason): void {
    if (this.ended) return;
    this.ended = { at: this.clock.now(), reason };
    this.owner.tenureLost(this, reason);
    for (const listener of this.listeners ?? []) listener();
  }

  /** Renews for `ttl` ms; rejects with LockStoreError when the outcome is unknown, which changes nothing. */
  async renew(ttl = this.wish.ttl): Promise<void> {
    const { endsAt } = this.wish;
    const sentAt = this.clock.now();
    if ((await this.hold.renewNow(ttl)) === 'lost' || this.ended) return;
    // A lease that was handed on and is not renewed by itself ends at a time of its own, which moves too.
    this.wish = renewedWish(this.wish, ttl, leaseDeadline(sentAt, ttl));
    if (this.wish.endsAt !== endsAt) this.hold.serve(this.wish, true);
  }

  /** Gives the lock on, once; every call has the same answer. */
  release(terms: ReleaseTerms = { keep: 0, done: 0 }): Promise<'released' | 'expired'> {
    if (this.releasing) return this.releasing;
    const now = this.clock.now();
    const lost = this.overAt(now);
    if (!this.ended) {
      this.ended = { at: lost ? this.deadline : now, reason: lost ?? 'released' };
      if (lost) this.owner.tenureLost(this, lost); // before any timer could find it out
    }
    const answer = this.owner.released(this, terms, now);
    return (this.releasing = lost ? answer.then(() => 'expired' as const) : answer);
  }

  /** Goes on with fewer units, without a gap and with the same fence; this tenure is over at once. */
  downgrade(units: number): { tenure: Tenure; done: Promise<void> } {
    this.ended ??= { at: this.clock.now(), reason: 'released' };
    const { hold, wish, clock, owner, fence } = this;
    const tenure = new Tenure(hold, wish, clock, owner, fence);
    const done = hold.downgrade(units);
    owner.downgraded(tenure);
    return { tenure, done };
  }

  /** For how many milliseconds it was held, when it is over. */
  get heldFor(): number {
    return Math.round((this.ended?.at ?? this.deadline) - this.wish.since);
  }

  /** How many milliseconds ago it was granted. */
  get age(): number {
    return this.clock.now() - this.wish.since;
  }

  /** What became of it, as a sentence. */
  lossText(reason: LockLostReason): string {
    const { revokeReason } = this.hold;
    const what = {
      expired: 'expired: it could not be renewed in time',
      taken: 'is gone: the store no longer knows it',
      revoked: `was revoked by an operator${revokeReason ? ` ('${revokeReason}')` : ''}`,
      'max-hold': 'reached its longest allowed time (maxHold)',
      closed: 'was released by shutdown',
      released: 'was released',
    }[reason];
    return `The lease of '${this.name}' (fence ${this.fence}) ${what}, ${this.heldFor} ms after it was granted.`;
  }

  lostError(reason: LockLostReason): LockLostError {
    const { revokeReason } = this.hold;
    return new LockLostError(
      `${this.lossText(reason)} ` +
        (reason === 'released'
          ? 'Use it only before its release.'
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
