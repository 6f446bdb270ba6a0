import { SIGN_OF_LIFE } from './lock-state.js';

/** What can be done to a countdown latch. Spans and points of time are the server's microseconds. */
export type LatchOperation =
  /** Sets the count of a latch that is not there. */
  | { readonly kind: 'set'; readonly count: number; readonly ttl: number }
  /** Counts down by one; a repeat of the same `id` counts once. */
  | { readonly kind: 'down'; readonly id: string }
  /** Asks, and has the opening pushed to the session of `id` for as long as it asks again in time. */
  | { readonly kind: 'watch'; readonly id: string }
  | { readonly kind: 'unwatch'; readonly id: string }
  | { readonly kind: 'read' };

export interface LatchAnswer {
  readonly outcome: 'set' | 'exists' | 'counting' | 'open' | 'missing';
  /** What is left to count; 0 for none. */
  readonly count: number;
  /** When the latch is forgotten; 0 without one. */
  readonly until: number;
  readonly now: number;
}

/** Everything a store knows of one latch. */
export interface LatchState {
  /** Undefined while nobody has set it. */
  count: number | undefined;
  until: number;
  readonly counted: Set<string>;
  /** The latest sign of life of a watcher, plus 15 s. */
  alive: number;
  /** Attempt id → last sign of life plus 15 s. The dead are left out when it opens, or is forgotten. */
  readonly watchers: Map<string, number>;
}

export function emptyLatch(): LatchState {
  return { count: undefined, until: 0, alive: 0, counted: new Set(), watchers: new Map() };
}

/** When a latch may be forgotten; 0 for at once. */
export function latchExpiryOf(state: LatchState): number {
  return Math.max(state.count === undefined ? 0 : state.until, state.alive);
}

/** The latch as a state machine; scripts/latch.lua is held against it. `opened` tells one watcher. */
export function applyLatchOperation(
  state: LatchState,
  operation: LatchOperation,
  now: number,
  opened: (id: string) => void,
): LatchAnswer {
  if (state.count !== undefined && state.until <= now) forget(state, now);
  const before = state.count;
  if (operation.kind === 'set' && before === undefined) {
    state.count = operation.count;
    state.until = now + operation.ttl;
    return { outcome: 'set', count: operation.count, until: state.until, now };
  }
  if (operation.kind === 'watch' && before !== 0) {
    state.alive = Math.max(state.alive, now + SIGN_OF_LIFE);
    state.watchers.set(operation.id, now + SIGN_OF_LIFE);
  }
  if (operation.kind === 'unwatch') state.watchers.delete(operation.id);
  if (operation.kind === 'down' && before !== undefined && before > 0 && !state.counted.has(operation.id)) {
    state.counted.add(operation.id);
    state.count = before - 1;
    if (state.count === 0) {
      const ids = [...state.watchers].filter(([, alive]) => alive > now).map(([id]) => id);
      ids.forEach((id) => state.watchers.delete(id));
      ids.forEach(opened);
    }
  }
  const { count, until } = state;
  if (count === undefined) return { outcome: 'missing', count: 0, until: 0, now };
  if (operation.kind === 'set') return { outcome: 'exists', count, until, now };
  return { outcome: count === 0 ? 'open' : 'counting', count, until, now };
}

function forget(state: LatchState, now: number): void {
  state.count = undefined;
  state.until = 0;
  state.counted.clear();
  for (const [id, alive] of state.watchers) if (alive <= now) state.watchers.delete(id);
}
