/** One hold. Points of time are the server's clock in whole microseconds, spans are microseconds. */
export interface Holder {
  readonly id: string;
  units: number;
  /** When the units are free again unless renewed; the guard is in it. */
  deadline: number;
  /** How far away the deadline may be: the granted time and the guard. If it is further away, the clock has stepped back. */
  span: number;
  /** The fence block: first and last reserved. */
  readonly first: number;
  last: number;
  readonly since: number;
  readonly who: string;
  /** Whether its session was told that others wait: it is contended. */
  told: boolean;
  /**
   * Why an operator took it away; it ends at its release or deadline. Undefined if nobody did; '' when the reason is not
   * known, since older builds did not keep it.
   */
  revocation: string | undefined;
  /** Released, but its units stay taken until the deadline (minimum hold). */
  kept: boolean;
}

/** One place in the queue. */
export interface Waiter {
  readonly id: string;
  /** Grows by one with each waiter of a queue; its distance to the head's is the place. */
  readonly seq: number;
  readonly units: number;
  readonly ttl: number;
  readonly guard: number;
  readonly block: number;
  /** End of its wait. */
  until: number;
  /** Last sign of life plus {@link SIGN_OF_LIFE}. */
  alive: number;
  subscribed: boolean;
  /** What the notice of its grant repeats; no other message contains it. */
  seal: string;
  readonly since: number;
  readonly who: string;
}

/** A hold that a revocation by force ended. The store remembers it, so that its holder can be told why. */
export interface ForcedEnd {
  readonly id: string;
  /** Why the operator did so. */
  readonly reason: string;
  /** When the hold would have ended by itself; it is forgotten then, or at its release. */
  readonly until: number;
}

/** Everything a store knows of one name. */
export interface LockState {
  capacity: number;
  /** In the order of their grants. */
  readonly holders: Holder[];
  readonly queue: Waiter[];
  /** The seq of the next waiter; starts again at 1 when the queue is empty. */
  next: number;
  /** The latest sign of life of the present queue. */
  alive: number;
  /** The last fence used or reserved. */
  fence: number;
  /** The id that was released last. */
  released: string;
  /** The work of this name counts as done until then (run once); 0 for not. */
  done: number;
  /** The holds that were ended by force, the latest {@link MOST_FORCED} of them, the oldest first. */
  readonly forced: ForcedEnd[];
}

/** How many holds that were ended by force a name remembers. */
export const MOST_FORCED = 64;

/** A waiter that was silent for this long is dropped. */
export const SIGN_OF_LIFE = 15_000_000;

/** A pushed grant has at most this long to be confirmed. */
export const CLAIM_WINDOW = 2_000_000;

/** The units of a mutex or a writer: all there are. */
export const WHOLE = 2 ** 30;

/** The state of a name that nobody used. */
export function emptyState(): LockState {
  const none = { holders: [], queue: [], forced: [] };
  return { capacity: 0, ...none, next: 1, alive: 0, fence: 0, released: '', done: 0 };
}

/**
 * When a record may be forgotten; a store keeps it until then. That is never before the clock has passed the fence, or
 * fences would shrink: the fence runs ahead of the clock after a revocation by force, or when the clock stepped back.
 */
export function expiryOf(state: LockState, now: number, fenceMemory: number): number {
  let latest = Math.max(now, state.done, state.fence + 1);
  for (const holder of state.holders) latest = Math.max(latest, holder.deadline);
  for (const { until } of state.forced) latest = Math.max(latest, until);
  if (state.queue.length > 0) latest = Math.max(latest, state.alive);
  return latest + fenceMemory;
}

/** The process that an attempt id belongs to: `<session>.<random>`. */
export function sessionOf(id: string): string {
  return id.slice(0, id.indexOf('.'));
}
