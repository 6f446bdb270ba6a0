/** The part of a hold that one caller of this process has: a fence and a time of its own. */
import type { Clock } from '../base/clock.js';
import { LockLostError, type LockLostReason } from '../base/errors.js';
import { leaseDeadline } from '../store/server-clock.js';
import type { Hold } from './hold.js';
import type { Request } from './request.js';

/** Who is told how a lease ended: the line of its name. */
export interface LeaseOwner {
  readonly clock: Clock;
  /** The caller gives the lease back; `now` is the local time. `keep` and `done` are milliseconds, 0 for neither. */
  released(lease: LineLease, keep: number, done: number, now: number): Promise<'released' | 'expired'>;
  /** The lease was found to have ended in another way. */
  leaseLost(lease: LineLease, reason: LockLostReason): void;
  /** This lease takes the place of the one that had all units. */
  downgraded(lease: LineLease): void;
}

/** The lease of one caller, as the line knows it. Users have it as a LeaseHandle. */
export class LineLease {
  private ended: { readonly at: number; readonly reason: LockLostReason } | undefined;
  private listeners: Set<() => void> | undefined;
  private releasing: Promise<'released' | 'expired'> | undefined;

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
    private ttl: number,
    /** Local time at which maxHold ends it. */
    private readonly longest: number,
  ) {}

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

  /** The hold was lost, or taken from this caller. */
  lose(reason: LockLostReason): void {
    if (this.ended) return;
    this.ended = { at: this.owner.clock.now(), reason };
    this.owner.leaseLost(this, reason);
    for (const listener of this.listeners ?? []) listener();
  }

  /** Renews for `ttl` ms; rejects with LockStoreError when the outcome is unknown, which changes nothing. */
  async renew(ttl = this.ttl): Promise<void> {
    const { hold, longest } = this;
    const sentAt = this.owner.clock.now();
    if ((await hold.renewNow(ttl)) === 'lost' || this.ended) return;
    this.ttl = ttl;
    // A lease that was handed off and does not renew itself ends at a time of its own, which moves as well.
    const own = Math.max(hold.endsAt, leaseDeadline(sentAt, ttl));
    const endsAt = Math.min(own, longest);
    if (endsAt !== hold.endsAt)
      hold.serve(ttl, hold.renews, endsAt, longest < own ? 'max-hold' : hold.endReason, true);
  }

  /** Gives the lock back, once; every call gets the same answer. `keep` and `done` are milliseconds, 0 for neither. */
  release(keep = 0, done = 0): Promise<'released' | 'expired'> {
    if (this.releasing) return this.releasing;
    const now = this.owner.clock.now();
    const lost = this.overAt(now);
    if (!this.ended) {
      this.ended = { at: lost ? this.deadline : now, reason: lost ?? 'released' };
      if (lost) this.owner.leaseLost(this, lost); // no timer has noticed it yet
    }
    const answer = this.owner.released(this, keep, done, now);
    return (this.releasing = lost ? answer.then(() => 'expired' as const) : answer);
  }

  /** Goes on with fewer units, without a gap and with the same fence; this lease ends at once. */
  downgrade(units: number): { lease: LineLease; done: Promise<void> } {
    const { hold, owner, fence, identity, by, since, ttl, longest } = this;
    this.ended ??= { at: owner.clock.now(), reason: 'released' };
    const lease = new LineLease(hold, owner, fence, identity, by, since, ttl, longest);
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
    const after = `${this.heldFor} ms after it was granted`;
    const what = {
      expired: `expired ${after}: it could not be renewed in time`,
      taken: `was gone ${after}: the store no longer knows it`,
      revoked: `was revoked by an operator${revokeReason ? ` ('${revokeReason}')` : ''} ${after}`,
      'max-hold': `reached its longest allowed time (maxHold) ${after}`,
      closed: `was released by shutdown ${after}`,
      released: `was released ${after}`,
    }[reason];
    return `The lease of '${this.name}' (fence ${this.fence}) ${what}.`;
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

/** Makes the lease of a caller from a hold; `handedOff` when another caller of this process held it before. */
export function leaseOf(
  hold: Hold,
  { terms, renews, maxHold, by = 'acquire' }: Request,
  now: number,
  handedOff: boolean,
  owner: LeaseOwner,
): LineLease {
  const { ttl, identity } = terms;
  const longest = now + maxHold;
  // A hold that is handed off may be proven for longer than this caller's ttl, by renewals that it did not ask for.
  const own = handedOff && !renews ? leaseDeadline(now, ttl) : Infinity;
  const lease = new LineLease(hold, owner, hold.nextFence(), identity, by, now, ttl, longest);
  hold.serve(ttl, renews, Math.min(own, longest), longest < own ? 'max-hold' : 'expired', handedOff);
  return lease;
}
