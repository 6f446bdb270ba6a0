import type { LockNotice } from './lock-operation.js';
import {
  CLAIM_WINDOW,
  SIGN_OF_LIFE,
  type ForcedEnd,
  type Holder,
  type LockState,
  type Waiter,
} from './lock-state.js';

/** Pushes a notice; false when the store knows that nobody hears that session. */
export type Push = (notice: LockNotice) => boolean;

export function unitsInUse(state: LockState): number {
  return state.holders.reduce((sum, holder) => sum + holder.units, 0);
}

/** Holders whose deadline has passed go; a clock that stepped back does not keep a name for longer. */
export function expire(state: LockState, now: number): void {
  let over = false;
  for (const holder of state.holders) {
    holder.deadline = Math.min(holder.deadline, now + holder.span);
    over ||= holder.deadline <= now;
  }
  if (over) state.holders.splice(0, Infinity, ...state.holders.filter((holder) => holder.deadline > now));
  if (state.forced.length > 0) keepForced(state, ({ until }) => until > now);
}

/** Forgets the holds ended by force that `kept` says no to. */
export function keepForced(state: LockState, kept: (end: ForcedEnd) => boolean): void {
  state.forced.splice(0, Infinity, ...state.forced.filter(kept));
}

/** Who is to be granted. */
type Asking = Pick<Waiter, 'id' | 'units' | 'ttl' | 'guard' | 'block' | 'who'>;

/** Makes `waiter` a holder for `span` (the guard comes on top) and reserves its fences. */
export function grant(state: LockState, waiter: Asking, now: number, span: number): Holder {
  const first = Math.max(state.fence + 1, now);
  // No more than the span in microseconds: a claim that dies may not carry the fence ahead of the clock.
  const last = first + (waiter.units === state.capacity ? Math.min(waiter.block, span) : 1) - 1;
  state.fence = last;
  const holder: Holder = {
    id: waiter.id,
    units: waiter.units,
    deadline: now + span + waiter.guard,
    span: span + waiter.guard,
    first,
    last,
    since: now,
    who: waiter.who,
    told: state.queue.length > 0,
    revocation: undefined,
    kept: false,
  };
  state.holders.push(holder);
  return holder;
}

/** Those who still wait; whoever does no more is dropped when it comes to the head, and may be there until then. */
export function livingWaiters(state: LockState, now: number): Waiter[] {
  return state.queue.filter((waiter) => isAlive(waiter, now));
}

function isAlive({ until, alive }: Waiter, now: number): boolean {
  return until > now && alive > now;
}

/** Takes a waiter out of the queue. */
export function dequeue(state: LockState, waiter: Waiter): void {
  state.queue.splice(state.queue.indexOf(waiter), 1);
  if (state.queue.length === 0) {
    state.next = 1;
    state.alive = 0;
  }
}

/**
 * Grants the head of the queue as long as it fits and drops dead heads. When the head is `caller`, it is
 * granted by the answer to its own command: for its full ttl, without a notice.
 */
export function grantHeads(state: LockState, now: number, push: Push, caller = ''): void {
  for (let head = state.queue[0]; head; head = state.queue[0]) {
    head.alive = Math.min(head.alive, now + SIGN_OF_LIFE);
    if (!isAlive(head, now)) {
      dequeue(state, head);
      continue;
    }
    if (unitsInUse(state) + head.units > state.capacity) return;
    dequeue(state, head);
    if (head.id === caller) grant(state, head, now, head.ttl);
    else grantByNotice(state, head, now, push);
  }
}

function grantByNotice(state: LockState, head: Waiter, now: number, push: Push): void {
  const span = Math.min(CLAIM_WINDOW, head.ttl);
  const before = state.fence;
  const { id, first, last, told } = grant(state, head, now, span);
  if (!head.subscribed) return; // it finds out by asking
  const { seal } = head;
  const done = state.done > now;
  if (push({ kind: 'granted', id, first, last, until: now + span, span, waiting: told, done, seal })) return;
  state.holders.pop(); // nobody heard: its process is gone
  state.fence = before;
}
