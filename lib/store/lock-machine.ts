import type {
  AcquireAnswer,
  AcquireOperation,
  AnswerTo,
  DowngradeAnswer,
  DowngradeOperation,
  LockAnswer,
  LockOperation,
  ReleaseAnswer,
  ReleaseOperation,
  RenewAnswer,
  RenewOperation,
  RevokeAnswer,
  RevokeOperation,
} from './lock-operation.js';
import { MOST_FORCED, SIGN_OF_LIFE, type ForcedEnd, type Holder, type LockState } from './lock-state.js';
import { dequeue, expire, grant, grantHeads, keepForced, unitsInUse, type Push } from './settle.js';

/**
 * The lock as a state machine: a weighted, leased, first-in-first-out semaphore. Changes `state` by one
 * operation at the server time `now` and answers it; notices go out through `push`, after the change they
 * announce. Every store behaves like this function; the Lua scripts are held against it step by step.
 */
export function applyOperation<O extends LockOperation>(
  state: LockState,
  operation: O,
  now: number,
  push: Push,
): AnswerTo<O> {
  const reply = answer(state, operation, now, push);
  if (reply.outcome !== 'late') tidy(state, now);
  return reply as AnswerTo<O>;
}

/** What is over leaves no trace: the kind of an idle name, and a mark whose time has passed. */
function tidy(state: LockState, now: number): void {
  if (state.holders.length + state.queue.length === 0) state.capacity = 0;
  if (state.done <= now) state.done = 0;
}

function answer(state: LockState, operation: LockOperation, now: number, push: Push): LockAnswer {
  switch (operation.kind) {
    case 'acquire':
      return acquire(state, operation, now, push);
    case 'renew':
      return renew(state, operation, now, push);
    case 'release':
      return release(state, operation, now, push);
    case 'downgrade':
      return downgrade(state, operation, now, push);
    case 'revoke':
      return revoke(state, operation, now, push);
  }
}

function acquire(state: LockState, op: AcquireOperation, now: number, push: Push): AcquireAnswer {
  if (op.notAfter !== undefined && now > op.notAfter) return { outcome: 'late', now };
  const waiter = state.queue.find(({ id }) => id === op.id);
  if (waiter) {
    waiter.alive = state.alive = Math.max(state.alive, now + SIGN_OF_LIFE);
    waiter.until = Math.max(waiter.until, now + op.wait);
    ({ subscribed: waiter.subscribed, seal: waiter.seal } = op);
  }
  expire(state, now);
  grantHeads(state, now, push, op.id);

  const holder = find(state, op.id);
  if (holder) return repeated(state, holder, op, now);
  if (op.id === state.released || forcedEnd(state, op.id)) return { outcome: 'gone', now };
  if (waiter) return queued(state, op, now, push);

  const idle = state.holders.length === 0 && state.queue.length === 0;
  if (idle) state.capacity = op.capacity;
  else if (state.capacity !== op.capacity) return { outcome: 'mismatch', capacity: state.capacity, now };

  if (state.queue.length === 0 && unitsInUse(state) + op.units <= state.capacity)
    return granted(state, grant(state, op, now, op.ttl), now);
  if (op.wait === 0) return { outcome: 'busy', ...next(state), now };
  const { id, units, ttl, guard, block, subscribed, seal, who } = op;
  const times = { until: now + op.wait, alive: now + SIGN_OF_LIFE, since: now };
  state.queue.push({ id, seq: state.next, units, ttl, guard, block, ...times, subscribed, seal, who });
  state.next += 1;
  state.alive = Math.max(state.alive, times.alive);
  const exclusive = state.holders.find((each) => each.units === state.capacity && !each.told);
  if (exclusive) {
    exclusive.told = true;
    push({ kind: 'contended', id: exclusive.id });
  }
  return queued(state, op, now, push);
}

/** The same attempt asks again: the same grant, and its deadline counts from this answer. */
function repeated(state: LockState, holder: Holder, op: AcquireOperation, now: number): AcquireAnswer {
  if (holder.kept || holder.revocation !== undefined) return { outcome: 'gone', now };
  extend(holder, op.ttl + op.guard, now);
  return granted(state, holder, now);
}

function granted(state: LockState, holder: Holder, now: number): AcquireAnswer {
  holder.told = state.queue.length > 0;
  const { first, last, told: waiting } = holder;
  return { outcome: 'granted', first, last, waiting, done: state.done > now, now };
}

function queued(state: LockState, op: AcquireOperation, now: number, push: Push): AcquireAnswer {
  const waiter = state.queue.find(({ id }) => id === op.id);
  if (!waiter) return { outcome: 'gone', now };
  const heard = !waiter.subscribed || push({ kind: 'echo', id: op.id });
  if (!heard) waiter.subscribed = false;
  const place = waiter.seq - (state.queue[0]?.seq ?? waiter.seq);
  return { outcome: 'queued', place, ...next(state), heard, now };
}

/** Who holds the lock, and when the next hold ends. */
function next(state: LockState): { due: number; who: string } {
  const due = Math.min(...state.holders.map(({ deadline }) => deadline));
  return { due, who: state.holders[0]?.who ?? '' };
}

function renew(state: LockState, op: RenewOperation, now: number, push: Push): RenewAnswer {
  if (op.notAfter !== undefined && now > op.notAfter) return { outcome: 'late', now };
  expire(state, now);
  const holder = find(state, op.id);
  if (holder && !holder.kept && holder.revocation === undefined) {
    extend(holder, op.ttl + op.guard, now);
    if (holder.units === state.capacity && holder.last === state.fence)
      holder.last = state.fence = Math.max(holder.last, op.used + op.block);
  }
  grantHeads(state, now, push);
  if (!holder || holder.kept) return ended(state, op.id, now);
  if (holder.revocation !== undefined) return { outcome: 'revoked', reason: holder.revocation, now };
  holder.told = state.queue.length > 0;
  return { outcome: 'renewed', last: holder.last, waiting: holder.told, now };
}

function release(state: LockState, op: ReleaseOperation, now: number, push: Push): ReleaseAnswer {
  expire(state, now);
  const outcome = leave(state, op, now);
  if (outcome === 'released' && op.done > 0) state.done = now + op.done;
  grantHeads(state, now, push);
  return { outcome, now };
}

function leave(state: LockState, op: ReleaseOperation, now: number): ReleaseAnswer['outcome'] {
  const holder = find(state, op.id);
  if (holder) {
    giveBack(state, holder, op.used);
    state.released = op.id;
    if (op.keep > 0) {
      holder.kept = true;
      holder.deadline = Math.min(holder.deadline, now + op.keep);
    } else state.holders.splice(state.holders.indexOf(holder), 1);
    return 'released';
  }
  const waiter = state.queue.find(({ id }) => id === op.id);
  if (waiter) {
    dequeue(state, waiter);
    return 'dequeued';
  }
  keepForced(state, ({ id }) => id !== op.id); // nobody asks for its reason any more
  return state.released === op.id ? 'released' : 'gone';
}

function downgrade(state: LockState, op: DowngradeOperation, now: number, push: Push): DowngradeAnswer {
  expire(state, now);
  const holder = find(state, op.id);
  if (holder && !holder.kept && holder.units > op.units) {
    giveBack(state, holder, op.used);
    holder.units = op.units;
  }
  grantHeads(state, now, push);
  return holder && !holder.kept ? { outcome: 'downgraded', now } : ended(state, op.id, now);
}

function revoke(state: LockState, op: RevokeOperation, now: number, push: Push): RevokeAnswer {
  expire(state, now);
  const revoked = state.holders.filter(({ kept }) => !kept);
  for (const holder of revoked) holder.revocation = op.reason;
  if (op.force) {
    state.holders.splice(0, Infinity, ...state.holders.filter(({ kept }) => kept));
    for (const { id, deadline: until } of revoked) state.forced.push({ id, reason: op.reason, until });
    state.forced.splice(0, Math.max(0, state.forced.length - MOST_FORCED));
  }
  for (const { id } of revoked) push({ kind: 'revoked', id, reason: op.reason });
  grantHeads(state, now, push);
  const who = revoked[0]?.who ?? '';
  return { outcome: op.force ? 'freed' : 'marked', count: revoked.length, who, now };
}

/** What is said of a hold that is not there: it was ended by force, or it is not known. */
function ended(state: LockState, id: string, now: number): RenewAnswer & DowngradeAnswer {
  const reason = forcedEnd(state, id)?.reason;
  return reason === undefined ? { outcome: 'lost', now } : { outcome: 'revoked', reason, now };
}

function forcedEnd(state: LockState, id: string): ForcedEnd | undefined {
  return state.forced.find((end) => end.id === id);
}

function find(state: LockState, id: string): Holder | undefined {
  return state.holders.find((holder) => holder.id === id);
}

// The span is what is left now, so that a shorter renewal takes nothing back of what was promised before.
function extend(holder: Holder, span: number, now: number): void {
  holder.deadline = Math.max(holder.deadline, now + span);
  holder.span = holder.deadline - now;
}

/** The unused rest of a fence block goes back, unless somebody was granted since. */
function giveBack(state: LockState, holder: Holder, used: number): void {
  const last = Math.min(holder.last, Math.max(used, holder.first - 1));
  if (state.fence === holder.last) state.fence = last;
  holder.last = last;
}
