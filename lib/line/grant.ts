import type { Terms } from './terms.js';

/** What the store granted to an attempt, by an answer or by a notice. */
export interface Grant {
  readonly id: string;
  readonly name: string;
  readonly terms: Terms;
  /** The fences that may be used: first and last. */
  readonly first: number;
  readonly last: number;
  /** Others wait at the store. */
  readonly waiting: boolean;
  /** The name carries a mark that its work was done (run once). */
  readonly done: boolean;
  /** Whether it was pushed, for the claim window. */
  readonly claimed: boolean;
  /** Local time until which it may be believed. */
  readonly deadline: number;
  /** Server time until which an acquire without an answer may still be read; 0 for none. */
  readonly doubt: number;
}
