import type { LockLostReason, LockStoreError } from '../base/errors.js';
import type { Attempt } from './attempt.js';
import type { Hold } from './hold.js';

/** Why an attempt ended without a grant. */
export type Refusal =
  | { readonly kind: 'busy'; readonly who: string; readonly retryAfter: number }
  | { readonly kind: 'mismatch'; readonly capacity: number }
  | { readonly kind: 'failed'; readonly error: LockStoreError }
  /** The id is spent (it was revoked, or its grant came too late): try with a new one. */
  | { readonly kind: 'spent' };

/** Who an attempt works for. */
export interface AttemptOwner {
  /** How many more milliseconds somebody waits; 0 asks once. */
  waitLeft(attempt: Attempt): number;
  granted(attempt: Attempt, hold: Hold, now: number): void;
  refused(attempt: Attempt, why: Refusal): void;
  lost(hold: Hold, reason: LockLostReason): void;
}
