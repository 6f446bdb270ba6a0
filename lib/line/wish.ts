import type { LockLostReason } from '../base/errors.js';
import { leaseDeadline } from '../validity/deadline.js';
import type { Request } from './caller.js';

/** What one caller wants of a hold. Points of time are local milliseconds. */
export interface Wish {
  /** `host:pid label` of the caller. */
  readonly who: string;
  /** Whether it has the lock for a piece of work, or by `acquire`. */
  readonly by: NonNullable<Request['by']>;
  /** When it was served. */
  readonly since: number;
  readonly ttl: number;
  readonly renews: boolean;
  /** When the caller's lease ends whatever is renewed, and why then. */
  readonly endsAt: number;
  readonly endReason: LockLostReason;
  /** When maxHold ends it. */
  readonly longest: number;
}

/** The wish of a caller who is served at `now`; `handedOn` when another caller of this process held before. */
export function wishOf(
  { terms, renews, maxHold, by = 'acquire' }: Request,
  now: number,
  handedOn: boolean,
): Wish {
  const { ttl, who } = terms;
  const longest = now + maxHold;
  // A hold that is handed on may be proven for longer than this caller's ttl, by renewals it did not ask for.
  const own = handedOn && !renews ? leaseDeadline(now, ttl) : Infinity;
  return {
    who,
    by,
    since: now,
    ttl,
    renews,
    endsAt: Math.min(own, longest),
    endReason: longest < own ? 'max-hold' : 'expired',
    longest,
  };
}

/** The wish of a caller whose lease was renewed for `ttl`, and so is its own until then at least. */
export function renewedWish(wish: Wish, ttl: number, until: number): Wish {
  const own = Math.max(wish.endsAt, until);
  const { longest } = wish;
  return {
    ...wish,
    ttl,
    endsAt: Math.min(own, longest),
    endReason: longest < own ? 'max-hold' : wish.endReason,
  };
}
