import { SIGN_OF_LIFE } from './lock-machine.js';

/**
 * What can be done to a countdown latch. Spans and points of time are the server's microseconds. `round` is the round that
 * is meant; '' means the current one.
 *
 * @publicApi
 */
export type LatchOperation =
  /**
   * Sets the count of a latch that is not set, or replaces the current round with another one. A round that was replaced
   * before never comes back.
   */
  | { readonly kind: 'set'; readonly round: string; readonly count: number; readonly ttl: number }
  /** Counts the current round down by one; a repeat of the same `id` counts once. */
  | { readonly kind: 'down'; readonly round: string; readonly id: string }
  /** Asks for the state; the opening is pushed to the session of `id` for as long as it asks again in time. */
  | { readonly kind: 'watch'; readonly round: string; readonly id: string }
  | { readonly kind: 'unwatch'; readonly round: string; readonly id: string }
  | { readonly kind: 'read'; readonly round: string };

/**
 * What a store answers about a countdown latch.
 *
 * @publicApi
 */
export interface LatchAnswer {
  /** `over`: the round that was meant was replaced before it had opened, or the operation would change it. */
  readonly outcome: 'set' | 'exists' | 'counting' | 'open' | 'missing' | 'over';
  /** What is left to count of the round that was meant; 0 for none. */
  readonly count: number;
  /** When that round is forgotten; 0 when it is not the current one. */
  readonly until: number;
  /** The current round; '' for none, or one without a name. */
  readonly round: string;
  readonly now: number;
}

/** A round that another one replaced. */
interface PastRound {
  readonly round: string;
  /** Whether it had been counted down: then it stays open for whoever waits for it. */
  readonly open: boolean;
}

/** Everything a store knows of one latch. */
export interface LatchState {
  /** Undefined while nobody has set it. */
  count: number | undefined;
  until: number;
  /** The current round; '' for none, or one without a name. */
  round: string;
  /** The rounds that were replaced, the latest first; forgotten together with the current one. */
  past: readonly PastRound[];
  readonly counted: Set<string>;
  /** The latest sign of life of a watcher, plus 15 s. */
  alive: number;
  /** Attempt id → last sign of life plus 15 s. The dead are left out when it opens, or is forgotten. */
  readonly watchers: Map<string, number>;
}

/** How many rounds that were replaced a latch remembers. */
export const MOST_PAST = 8;

export function emptyLatch(): LatchState {
  const none = { count: undefined, round: '', past: [] };
  return { ...none, until: 0, alive: 0, counted: new Set(), watchers: new Map() };
}

/** When a latch may be forgotten; 0 for at once. */
export function latchExpiryOf(state: LatchState): number {
  return Math.max(state.count === undefined ? 0 : state.until, state.alive);
}

/**
 * The latch as a state machine; scripts/calls/latch.lua is compared with it. `tell` makes one watcher ask again, since the
 * latch has opened or another round has begun.
 */
export function applyLatchOperation(
  state: LatchState,
  operation: LatchOperation,
  now: number,
  tell: (id: string) => void,
): LatchAnswer {
  if (state.count !== undefined && state.until <= now) forget(state, now);
  const { kind } = operation;
  const before = state.count;
  const meant = operation.round === '' || operation.round === state.round;
  const past = state.past.find(({ round }) => round === operation.round);
  const living = (): string[] => [...state.watchers].filter(([, alive]) => alive > now).map(([id]) => id);

  if (kind === 'set' && (before === undefined || (!meant && !past))) {
    begin(state, operation, now);
    if (before !== undefined) [...state.watchers.keys()].forEach(tell);
    return answer(state, 'set', now);
  }
  if (kind === 'watch' && !past && !(meant && before === 0)) {
    state.alive = Math.max(state.alive, now + SIGN_OF_LIFE);
    state.watchers.set(operation.id, now + SIGN_OF_LIFE);
  }
  if (kind === 'unwatch') state.watchers.delete(operation.id);
  if (kind === 'down' && meant && before !== undefined && before > 0 && !state.counted.has(operation.id)) {
    state.counted.add(operation.id);
    state.count = before - 1;
    if (state.count === 0) {
      const ids = living();
      ids.forEach((id) => state.watchers.delete(id));
      ids.forEach(tell); // those who wait for another round ask again, too
    }
  }
  if (past)
    return answer(state, past.open && kind !== 'set' && kind !== 'down' ? 'open' : 'over', now, false);
  if (!meant || state.count === undefined) return answer(state, 'missing', now, false);
  if (kind === 'set') return answer(state, 'exists', now);
  return answer(state, state.count === 0 ? 'open' : 'counting', now);
}

function answer(
  { count = 0, until, round }: LatchState,
  outcome: LatchAnswer['outcome'],
  now: number,
  current = true,
): LatchAnswer {
  return current ? { outcome, count, until, round, now } : { outcome, count: 0, until: 0, round, now };
}

function begin(state: LatchState, set: LatchOperation & { kind: 'set' }, now: number): void {
  if (state.count !== undefined) {
    if (state.round !== '')
      state.past = [{ round: state.round, open: state.count === 0 }, ...state.past].slice(0, MOST_PAST);
    clear(state, now);
  }
  state.round = set.round;
  state.count = set.count;
  state.until = now + set.ttl;
}

function forget(state: LatchState, now: number): void {
  state.count = undefined;
  state.until = 0;
  state.round = '';
  state.past = [];
  clear(state, now);
}

/** Forgets who has counted, but not who waits. */
function clear(state: LatchState, now: number): void {
  state.counted.clear();
  for (const [id, alive] of state.watchers) if (alive <= now) state.watchers.delete(id);
}
