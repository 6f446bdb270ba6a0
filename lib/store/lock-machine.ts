import type {
  AcquireAnswer,
  AcquireOperation,
  AnswerTo,
  DowngradeAnswer,
  DowngradeOperation,
  LockAnswer,
  LockNotice,
  LockOperation,
  NoteAnswer,
  NoteOperation,
  ReleaseAnswer,
  ReleaseOperation,
  RenewAnswer,
  RenewOperation,
  RevokeAnswer,
  RevokeOperation,
  StuckHold,
  TakeOverAnswer,
  TakeOverOperation,
} from './lock-operation.js';

/*
 * The lock as a state machine: a weighted, leased, first-in-first-out semaphore. This file is the specification of every
 * store, the store in memory, and what the Lua scripts are compared with after every step (scripts-property.spec.ts).
 *
 * - ID. Each acquisition has an id, and each of its commands carries it. A command that is sent again finds what its
 *   first copy did and gets the same answer. Nobody can renew or release somebody else's hold.
 * - LATE. Acquire and renew carry a server time, `notAfter`. A copy that the server reads later changes nothing: it may
 *   have been stuck in a buffer while its caller gave up.
 * - SETTLE. An operation first ends what has expired and last grants the heads of the queue. The store needs no timer.
 * - LEASE. A hold ends at its deadline: ttl and guard after the server read the command. The holder counts only the ttl,
 *   from when it sent the command, so it stops first. `span` bounds how far away the deadline may be: a clock that
 *   steps back keeps no name for longer.
 * - FENCE. Each grant has a larger fence than all before: the server's clock, or one more than the last fence if the clock
 *   is behind it. A counter would start again when the record of an idle name is forgotten.
 * - BLOCK. An exclusive grant reserves many fences. Its process hands the lock from caller to caller with a fence for
 *   each, and asks nobody. The release returns the unused rest; the block has no more fences than the grant has
 *   microseconds, so that a holder that dies cannot carry the fence ahead of the clock for longer than it held.
 * - QUEUE. Only the head of the queue is granted, even where a smaller request would fit. Otherwise many readers could keep
 *   a writer waiting for ever.
 * - SIGN OF LIFE. A waiter repeats its acquire. A waiter that was silent for too long, or whose wait is over, is dropped
 *   when it comes to the head, so a crash costs those behind it no time.
 * - CONTENDED. An exclusive holder is told once that others wait. From then on its process keeps the lock only for a fair
 *   time.
 * - ECHO. The answer `queued` comes with an echo over the channel of the session. The process sees whether notices
 *   reach it; the store sees whether anybody listens, and pushes nothing to a waiter that it cannot reach.
 * - HAND-OFF. A head that fits becomes the holder in the operation that made room, and a notice tells it so. When the
 *   store knows that nobody heard the notice, the grant is undone and the next head is tried.
 * - CLAIM. A pushed grant lasts for the claim window only, until a renewal confirms it: a process that died in the queue
 *   holds up the others for that long, not for its ttl.
 * - SEAL. The notice of a grant repeats a secret that only the last acquire told the store. A client that can publish but
 *   not read the records cannot forge a grant, so the holder may begin before it has confirmed.
 * - HOLDING. A waiter may say what its process holds while it waits, so that others see when they wait for each other. Each
 *   acquire says it anew, and it changes nothing about who is granted.
 * - DOUBT, RELEASE TWICE. The state remembers the id that was released last: a repeated release is still `released`, and a
 *   copy of its acquire that is read later is `gone`. It remembers one id only. An attempt that has an acquire without
 *   an answer is in doubt until the server's clock has passed `notAfter`, and then releases its id again.
 * - KEPT. A release may keep the units for a minimum hold. The id has ended, and the units return at the deadline, or at a
 *   revocation by force. The release of a hold that was revoked keeps nothing.
 * - REVOCATION. A marked holder keeps its units until it releases or its deadline passes, so two never hold; its renewals
 *   are refused with the reason. A revocation by force takes the units at once. The state remembers the id and the reason
 *   until the lease would have ended, so that its holder learns why, and no repeat brings it back.
 * - DONE. A release may mark the name: its work (run once) is done, and grants say so until the mark's time is over.
 * - TAKE-OVER. A hold goes on under another id, which whoever knows the present one may bring. The units never become
 *   free in between. The old id has ended: none of its commands, however late, finds the hold, and a second id that is
 *   brought for the same hold finds it gone. The new id has fences of its own, behind all that the old one used.
 * - LINGER. An id may say by its end that its process keeps the hold for a while after its last use, so that the next
 *   caller there asks nobody. Who queues behind it is told of as behind any other, and it is given back then. Who asks once
 *   does not queue: the holder is told that the name is wanted, gives it back if nobody uses it, and whoever asked asks again
 *   a little later. A holder that works ignores that. The mark is a part of the id, so that every form of the record keeps
 *   it, and every version of the library leaves it as it is.
 * - NOTE. A holder may leave a text, of which all later grants tell. It outlives the hold, however that ends.
 */

// The state.

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
  /** Whose it is, for people: `host:pid label`. */
  readonly identity: string;
  /** Whether others wait, and its session knows that. */
  contended: boolean;
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
  /** What its process asked for last, as are the guard, the block and the identity. */
  ttl: number;
  guard: number;
  block: number;
  /** End of its wait. */
  until: number;
  /** Last sign of life plus {@link SIGN_OF_LIFE}. */
  alive: number;
  subscribed: boolean;
  /** What the notice of its grant repeats; no other message contains it. */
  seal: string;
  readonly since: number;
  identity: string;
  /** What its process holds meanwhile, as the last acquire said. Absent where that said nothing. */
  holding?: readonly StuckHold[];
}

/** A hold that a revocation by force ended. The store remembers it, so that its holder can learn why. */
export interface ForcedEnd {
  readonly id: string;
  /** Why the operator did so. */
  readonly reason: string;
  /** When the hold would have ended by itself; it is forgotten then, or at its release. */
  readonly until: number;
}

/**
 * What a holder has left for those who hold the name later.
 *
 * @publicApi
 */
export interface Note {
  /** The id that wrote it, and its how manieth note it is. */
  readonly by: string;
  readonly turn: number;
  /** Empty when it was taken back; the state remembers that while its writer holds. */
  readonly text: string;
}

/**
 * Everything a store knows of one name.
 *
 * @publicApi
 */
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
  /** The last note of a holder, if there is one. */
  note: Note | undefined;
}

/** How many holds that were ended by force a name remembers. */
export const MOST_FORCED = 64;

/** A waiter that was silent for this long is dropped. */
export const SIGN_OF_LIFE = 15_000_000;

/** A pushed grant has at most this long to be confirmed. */
export const CLAIM_WINDOW = 2_000_000;

/** The units of a mutex or a writer: all there are. */
export const WHOLE = 2 ** 30;

/** How the id of a hold ends that may linger. */
export const LINGERS = '+';

/** Whether the hold of this id may linger. */
export function mayLinger(id: string): boolean {
  return id.endsWith(LINGERS);
}

/** The state of a name that nobody used. */
export function emptyState(): LockState {
  const none = { holders: [], queue: [], forced: [] };
  return { capacity: 0, ...none, next: 1, alive: 0, fence: 0, released: '', done: 0, note: undefined };
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

/** Pushes a notice; false when the store knows that nobody hears that session. */
export type Push = (notice: LockNotice) => boolean;

/**
 * Changes `state` by one operation at the server time `now` and answers it; notices go out through `push`, after the
 * change they announce.
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
    case 'takeOver':
      return takeOver(state, operation, now, push);
    case 'note':
      return note(state, operation, now, push);
  }
}

/** An idle name has no capacity, a mark whose time has passed is gone, and so is a note that was taken back. */
function tidy(state: LockState, now: number): void {
  if (state.holders.length + state.queue.length === 0) state.capacity = 0;
  if (state.done <= now) state.done = 0;
  if (state.note?.text === '' && !find(state, state.note.by)) state.note = undefined;
}

// Lease, revocation: what ends by time.

/** Ends the holds whose deadline has passed. A clock that stepped back keeps no name for longer. */
function expire(state: LockState, now: number): void {
  let over = false;
  for (const holder of state.holders) {
    holder.deadline = Math.min(holder.deadline, now + holder.span);
    over ||= holder.deadline <= now;
  }
  if (over) state.holders.splice(0, Infinity, ...state.holders.filter((holder) => holder.deadline > now));
  if (state.forced.length > 0) keepForced(state, ({ until }) => until > now);
}

/** Never shortens a hold: an earlier answer promised its deadline. The span is what is left now. */
function extend(holder: Holder, span: number, now: number): void {
  holder.deadline = Math.max(holder.deadline, now + span);
  holder.span = holder.deadline - now;
}

// Fence, block.

function unitsInUse(state: LockState): number {
  return state.holders.reduce((sum, holder) => sum + holder.units, 0);
}

/** What a grant takes from the waiter or the command that is granted. */
type Asking = Pick<Waiter, 'id' | 'units' | 'ttl' | 'guard' | 'block' | 'identity'>;

/** Makes `waiter` a holder for `span` (the guard comes on top) and reserves its fences. */
function grant(state: LockState, waiter: Asking, now: number, span: number): Holder {
  const first = Math.max(state.fence + 1, now);
  // No more fences than the span has microseconds: a claim that dies must not move the fence ahead of the clock.
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
    identity: waiter.identity,
    contended: state.queue.length > 0,
    revocation: undefined,
    kept: false,
  };
  state.holders.push(holder);
  return holder;
}

/** Returns the unused rest of a fence block, unless somebody was granted since. */
function giveBack(state: LockState, holder: Holder, used: number): void {
  const last = Math.min(holder.last, Math.max(used, holder.first - 1));
  if (state.fence === holder.last) state.fence = last;
  holder.last = last;
}

// Queue, sign of life.

/** The waiters that still wait. The others stay in the queue until they come to its head. */
export function livingWaiters(state: LockState, now: number): Waiter[] {
  return state.queue.filter((waiter) => isAlive(waiter, now));
}

function isAlive({ until, alive }: Waiter, now: number): boolean {
  return until > now && alive > now;
}

function enqueue(state: LockState, op: AcquireOperation, now: number): void {
  const { id, units, ttl, guard, block, subscribed, seal, identity } = op;
  const times = { until: now + op.wait, alive: now + SIGN_OF_LIFE, since: now };
  const waiter: Waiter = {
    id,
    seq: state.next,
    units,
    ttl,
    guard,
    block,
    ...times,
    subscribed,
    seal,
    identity,
  };
  if (op.holding) waiter.holding = op.holding;
  state.queue.push(waiter);
  state.next += 1;
  state.alive = Math.max(state.alive, times.alive);
}

function dequeue(state: LockState, waiter: Waiter): void {
  state.queue.splice(state.queue.indexOf(waiter), 1);
  if (state.queue.length === 0) {
    state.next = 1;
    state.alive = 0;
  }
}

// Hand-off, claim, seal.

/** Grants `head` for the claim window, and tells it so. */
function grantByNotice(state: LockState, head: Waiter, now: number, push: Push): void {
  const span = Math.min(CLAIM_WINDOW, head.ttl);
  const before = state.fence;
  const { id, first, last, contended } = grant(state, head, now, span);
  if (!head.subscribed) return; // it learns of the grant by asking
  const { seal } = head;
  const done = state.done > now;
  const said = noted(state);
  if (push({ kind: 'granted', id, first, last, until: now + span, span, contended, done, seal, ...said }))
    return;
  state.holders.pop(); // nobody heard: its process is gone
  state.fence = before;
}

/**
 * Grants the heads of the queue as long as they fit, and drops dead ones. When the head is `caller`, the answer to its
 * own command grants it: for its full ttl, without a notice.
 */
function grantHeads(state: LockState, now: number, push: Push, caller = ''): void {
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

// Revocation.

function find(state: LockState, id: string): Holder | undefined {
  return state.holders.find((holder) => holder.id === id);
}

function forcedEnd(state: LockState, id: string): ForcedEnd | undefined {
  return state.forced.find((end) => end.id === id);
}

/** Forgets the holds ended by force for which `kept` returns false. */
function keepForced(state: LockState, kept: (end: ForcedEnd) => boolean): void {
  state.forced.splice(0, Infinity, ...state.forced.filter(kept));
}

/** The answer about a hold that does not exist: it was ended by force, or it is not known. */
function ended(state: LockState, id: string, now: number): RenewAnswer & DowngradeAnswer & NoteAnswer {
  const reason = forcedEnd(state, id)?.reason;
  return reason === undefined ? { outcome: 'lost', now } : { outcome: 'revoked', reason, now };
}

/** Whether its id may still change something: it has neither given the hold back nor had it revoked. */
function usable(holder: Holder | undefined): holder is Holder {
  return holder !== undefined && !holder.kept && holder.revocation === undefined;
}

/** The answer about a hold that its id may not change any more, or that does not exist. */
function over(state: LockState, id: string, now: number): RenewAnswer & DowngradeAnswer & NoteAnswer {
  const holder = find(state, id);
  const reason = holder?.kept === false ? holder.revocation : undefined;
  return reason === undefined ? ended(state, id, now) : { outcome: 'revoked', reason, now };
}

// Note.

const NOTHING: { readonly note?: string } = {};

/** What a grant says of the note, if there is one. */
function noted({ note: left }: LockState): { readonly note?: string } {
  return left === undefined || left.text === '' ? NOTHING : { note: left.text };
}

// The commands.

function acquire(state: LockState, op: AcquireOperation, now: number, push: Push): AcquireAnswer {
  if (op.notAfter !== undefined && now > op.notAfter) return { outcome: 'late', now };
  const waiter = state.queue.find(({ id }) => id === op.id);
  if (waiter) {
    waiter.alive = state.alive = Math.max(state.alive, now + SIGN_OF_LIFE);
    waiter.until = Math.max(waiter.until, now + op.wait);
    ({ subscribed: waiter.subscribed, seal: waiter.seal } = op);
    // Another caller of its process may have taken over the place.
    ({ ttl: waiter.ttl, guard: waiter.guard, block: waiter.block, identity: waiter.identity } = op);
    if (op.holding) waiter.holding = op.holding;
    else delete waiter.holding;
  }
  expire(state, now);
  grantHeads(state, now, push, op.id);

  const holder = find(state, op.id);
  if (holder) return repeated(state, holder, op, now);
  if (op.id === state.released || forcedEnd(state, op.id)) return { outcome: 'gone', now };
  if (waiter) return queued(state, op, now, push);

  const idle = state.holders.length === 0 && state.queue.length === 0;
  if (idle) state.capacity = op.capacity;
  else if (state.capacity !== op.capacity)
    return { outcome: 'mismatch', capacity: state.capacity, roused: rouse(state, push), now };

  if (state.queue.length === 0 && unitsInUse(state) + op.units <= state.capacity)
    return granted(state, grant(state, op, now, op.ttl), now);
  if (op.wait === 0) return { outcome: 'busy', ...next(state), roused: rouse(state, push), now };
  enqueue(state, op, now);
  const exclusive = state.holders.find((each) => each.units === state.capacity && !each.contended);
  if (exclusive) {
    exclusive.contended = true;
    push({ kind: 'contended', id: exclusive.id });
  }
  return queued(state, op, now, push);
}

/** Tells a holder that may linger, and knows of nobody who waits, that the name is wanted; false if nobody was told. */
function rouse(state: LockState, push: Push): boolean {
  const idle = state.holders.find(
    (each) => mayLinger(each.id) && each.units === state.capacity && !each.contended && usable(each),
  );
  return idle !== undefined && push({ kind: 'wanted', id: idle.id });
}

/** The attempt asks again: it has the same grant, whose deadline counts from this answer. */
function repeated(state: LockState, holder: Holder, op: AcquireOperation, now: number): AcquireAnswer {
  if (holder.kept || holder.revocation !== undefined) return { outcome: 'gone', now };
  extend(holder, op.ttl + op.guard, now);
  return granted(state, holder, now);
}

function granted(state: LockState, holder: Holder, now: number): AcquireAnswer & TakeOverAnswer {
  holder.contended = state.queue.length > 0;
  const { first, last, contended } = holder;
  const answered = { outcome: 'granted', first, last, contended, done: state.done > now, now } as const;
  return state.note === undefined ? answered : { ...answered, ...noted(state) };
}

function queued(state: LockState, op: AcquireOperation, now: number, push: Push): AcquireAnswer {
  const waiter = state.queue.find(({ id }) => id === op.id);
  if (!waiter) return { outcome: 'gone', now };
  const heard = !waiter.subscribed || push({ kind: 'echo', id: op.id });
  if (!heard) waiter.subscribed = false;
  const place = waiter.seq - (state.queue[0]?.seq ?? waiter.seq);
  return { outcome: 'queued', place, ...next(state), heard, now };
}

/** The identity of a holder, and when the next hold ends. */
function next(state: LockState): { due: number; holder: string } {
  const due = Math.min(...state.holders.map(({ deadline }) => deadline));
  return { due, holder: state.holders[0]?.identity ?? '' };
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
  holder.contended = state.queue.length > 0;
  return { outcome: 'renewed', last: holder.last, contended: holder.contended, now };
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
    if (op.keep > 0 && holder.revocation === undefined) {
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
  keepForced(state, ({ id }) => id !== op.id); // after its release nobody asks for the reason
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
  const revoked = state.holders.filter(({ kept }) => op.force || !kept);
  for (const holder of revoked) holder.revocation = op.reason;
  if (op.force) {
    state.holders.splice(0);
    // Only so many are remembered, and of what was given back hardly anybody asks: the others come last, and stay.
    const byKept = [...revoked].sort((one, other) => Number(other.kept) - Number(one.kept));
    for (const { id, deadline: until } of byKept) state.forced.push({ id, reason: op.reason, until });
    state.forced.splice(0, Math.max(0, state.forced.length - MOST_FORCED));
  }
  for (const { id } of revoked) push({ kind: 'revoked', id, reason: op.reason });
  grantHeads(state, now, push);
  const holder = revoked[0]?.identity ?? '';
  return { outcome: op.force ? 'freed' : 'marked', count: revoked.length, holder, now };
}

function takeOver(state: LockState, op: TakeOverOperation, now: number, push: Push): TakeOverAnswer {
  if (op.notAfter !== undefined && now > op.notAfter) return { outcome: 'late', now };
  expire(state, now);
  const own = find(state, op.id);
  const before = own ? undefined : find(state, op.from);
  if (usable(own))
    extend(own, op.ttl + op.guard, now); // a repeat: the hold is ours already
  else if (usable(before)) {
    giveBack(state, before, op.used);
    state.holders.splice(state.holders.indexOf(before), 1);
    state.released = before.id;
    grant(state, { ...op, units: Math.min(op.units, before.units) }, now, op.ttl);
  }
  grantHeads(state, now, push);
  const holder = find(state, op.id);
  if (usable(holder)) return granted(state, holder, now);
  return over(state, holder || forcedEnd(state, op.id) ? op.id : op.from, now);
}

function note(state: LockState, op: NoteOperation, now: number, push: Push): NoteAnswer {
  expire(state, now);
  const holder = find(state, op.id);
  const { note: last } = state;
  if (usable(holder) && (last?.by !== op.id || last.turn < op.turn))
    state.note = { by: op.id, turn: op.turn, text: op.text };
  grantHeads(state, now, push);
  return usable(holder) ? { outcome: 'noted', now } : over(state, op.id, now);
}
