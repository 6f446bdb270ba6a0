import { deepStrictEqual, ok } from 'node:assert/strict';
import type { LockAnswer, LockNotice, LockOperation } from '../../lib/store/lock-operation.js';
import { expiryOf, MOST_FORCED, SIGN_OF_LIFE, type LockState } from '../../lib/store/lock-machine.js';

/** One step of a machine, seen from outside. */
export interface Observed {
  readonly before: LockState;
  readonly operation: LockOperation;
  readonly answer: LockAnswer;
  /** The notices that were heard. */
  readonly notices: readonly LockNotice[];
  readonly after: LockState;
  /** The server's clock. */
  readonly now: number;
}

/** A deep copy. (`structuredClone` gives objects of another realm under jest, which strict equality refuses.) */
export function copyOf(state: LockState): LockState {
  const holders = state.holders.map((holder) => ({ ...holder }));
  const forced = state.forced.map((end) => ({ ...end }));
  return { ...state, holders, forced, queue: state.queue.map((waiter) => ({ ...waiter })) };
}

/** What is true of any state after any operation that settles. */
export function assertInvariants(state: LockState, now: number): void {
  const inUse = state.holders.reduce((sum, { units }) => sum + units, 0);
  ok(inUse <= state.capacity, 'more units in use than there are');
  const [head] = state.queue;
  if (head) {
    ok(inUse + head.units > state.capacity, 'the head of the queue fits and was not granted');
    ok(Math.min(head.until, head.alive) > now, 'the head of the queue is dead');
  }
  const ids = [...state.holders, ...state.queue, ...state.forced].map(({ id }) => id);
  ok(new Set(ids).size === ids.length, 'an id is there twice');
  const places = state.queue.map(({ seq }) => seq);
  ok(
    [...places, state.next].every((seq, at) => at === 0 || seq > (places[at - 1] ?? 0)),
    'the places are not in order',
  );
  for (const { deadline, span, first, last } of state.holders) {
    ok(deadline > now, 'a holder is past its deadline');
    ok(deadline <= now + span, 'a deadline is further away than its span');
    const empty = last === first - 1; // nothing of it was used, and all went back
    ok(empty || (last >= first && last <= state.fence), 'a block is not within the fences given out');
  }
  ok(
    state.forced.every(({ until }) => until > now),
    'the end of a hold by force is remembered for too long',
  );
  ok(state.forced.length <= MOST_FORCED, 'too many holds ended by force are remembered');
  const blocks = [...state.holders].sort((a, b) => a.first - b.first);
  ok(
    blocks.every(({ first }, at) => at === 0 || first > (blocks[at - 1]?.last ?? 0)),
    'two holders share a fence',
  );
  const needed = [now, state.done, ...state.holders.map(({ deadline }) => deadline)];
  for (const { until } of state.forced) needed.push(until);
  for (const { alive } of state.queue) needed.push(Math.min(alive, now + SIGN_OF_LIFE));
  ok(expiryOf(state, now, 7) >= Math.max(...needed) + 7, 'the record would be forgotten too early');
}

/** What the clients of one name were promised, and whether the machine keeps it, step after step. */
export class LockLedger {
  /** Until which true time each attempt may believe that it holds, and how much. */
  private readonly promises = new Map<string, { end: number; units: number }>();
  private usedUpTo = 0;
  private latest = 0;
  private block = 16;
  private forced = 0;
  private noted = '';
  /** Why each hold was revoked, and until when whoever asks is told so. */
  private readonly revoked = new Map<string, { reason: string; until: number }>();

  /** `time` is true time: it runs on when the server's clock jumps. */
  check(observed: Observed, time: number, jumped: boolean): void {
    const { before, operation, answer, after, now } = observed;
    if (answer.outcome === 'late') {
      deepStrictEqual(after, before);
      return;
    }
    assertInvariants(after, now);
    // Forgotten, and then the clock stepped back further than the name had been idle.
    if (before.fence === 0 && now < this.latest) this.usedUpTo = 0;
    this.latest = Math.max(this.latest, now);
    this.enter(observed, time);
    for (const [id, { end, units }] of this.promises) {
      const holder = after.holders.find((each) => each.id === id);
      if (end <= time) this.promises.delete(id);
      else ok(holder?.units === units, `${id} was promised ${units} units and has ${holder?.units ?? 0}`);
    }
    this.checkTakeOver(observed);
    this.checkNote(observed);
    checkHolding(observed);
    this.checkOrder(observed);
    this.checkFences(observed);
    if (jumped) return;
    this.checkReasons(observed);
    checkRevoked(observed);
    if ('block' in operation) this.block = Math.max(this.block, operation.block);
    const ahead = after.fence - this.latest;
    ok(ahead <= this.block + this.forced, `the fence runs ${ahead} µs ahead of the clock`);
  }

  private enter({ before, operation, answer, notices, after }: Observed, time: number): void {
    const unitsOf = (id: string) => after.holders.find((each) => each.id === id)?.units ?? -1;
    if (operation.kind === 'revoke') {
      if (!operation.force) return;
      this.promises.clear();
      this.forced += before.holders.length * this.block;
      return this.enterNotices(notices, unitsOf, time);
    }
    const { id } = operation;
    const taken = operation.kind === 'takeOver' && answer.outcome === 'granted';
    if (taken) this.promises.delete(operation.from);
    const promise = this.promises.get(id);
    if (answer.outcome === 'granted' || answer.outcome === 'renewed') {
      const ttl = 'ttl' in operation ? operation.ttl : 0;
      if (answer.outcome === 'granted' || promise)
        this.promises.set(id, { end: Math.max(promise?.end ?? 0, time + ttl), units: unitsOf(id) });
    } else if (operation.kind === 'release') this.promises.delete(id);
    else if (operation.kind === 'downgrade' && promise)
      promise.units = Math.min(promise.units, operation.units);
    this.enterNotices(notices, unitsOf, time);
  }

  private enterNotices(notices: readonly LockNotice[], unitsOf: (id: string) => number, time: number): void {
    for (const notice of notices)
      if (notice.kind === 'granted')
        this.promises.set(notice.id, { end: time + notice.span, units: unitsOf(notice.id) });
  }

  /** Whoever was revoked is told so, and why, until its lease would have ended; nobody else is. */
  private checkReasons({ before, operation, answer, now }: Observed): void {
    if (before.fence === 0) this.revoked.clear(); // forgotten
    if (operation.kind === 'revoke') {
      for (const { id, kept, deadline, span } of before.holders)
        if (operation.force || !kept)
          this.revoked.set(id, { reason: operation.reason, until: Math.min(deadline, now + span) });
      return;
    }
    const revocation = this.revoked.get(operation.id);
    const inTime = revocation !== undefined && revocation.until > now;
    if (operation.kind === 'takeOver') {
      const until = this.revoked.get(operation.from)?.until ?? 0;
      if (!before.holders.some(({ id }) => id === operation.id))
        ok(until <= now || answer.outcome !== 'granted', 'a hold that was revoked is taken over');
    }
    if (operation.kind === 'renew') {
      const { reason } = 'reason' in answer ? answer : {};
      ok(reason === (inTime ? revocation.reason : undefined), `a renewal was told '${reason}' as the reason`);
    } else if (operation.kind === 'acquire')
      ok(!inTime || answer.outcome === 'gone', 'who was revoked is back');
    else if (operation.kind === 'release') this.revoked.delete(operation.id);
  }

  /** A hold has one successor, which has no more than it had; whoever held before has nothing any more. */
  private checkTakeOver({ before, operation, answer, after }: Observed): void {
    if (operation.kind !== 'takeOver') return;
    const was = before.holders.find(({ id }) => id === operation.from);
    const repeated = before.holders.find(({ id }) => id === operation.id);
    const has = after.holders.find(({ id }) => id === operation.id);
    if (answer.outcome !== 'granted') return ok(has === undefined || repeated, 'who was refused holds');
    ok(has && (was ?? repeated), 'a take-over made a hold out of nothing');
    ok(has.units <= (repeated ?? was)!.units, 'a take-over gave more units than there were');
    if (!repeated) ok(!after.holders.some(({ id }) => id === operation.from), 'two have the same hold');
    deepStrictEqual(answer.first, has.first);
  }

  /** Grants tell the last note, until somebody writes another or the record is forgotten. */
  private checkNote({ before, operation, answer, after }: Observed): void {
    if (before.fence === 0) this.noted = '';
    if (operation.kind === 'note' && answer.outcome === 'noted' && after.note !== before.note)
      this.noted = operation.text;
    deepStrictEqual(after.note?.text ?? '', this.noted);
    if (answer.outcome === 'granted') deepStrictEqual(answer.note ?? '', this.noted);
  }

  /** First come, first served: whoever was granted stood before everybody who still waits. */
  private checkOrder({ before, operation, after }: Observed): void {
    const taker = operation.kind === 'takeOver' ? operation.id : '';
    for (const { id } of granted(before, after)) {
      if (id === taker) continue; // it has the units of somebody who held before
      const seq = before.queue.find((waiter) => waiter.id === id)?.seq;
      if (seq === undefined) ok(after.queue.length === 0, `${id} was granted past the queue`);
      else
        for (const waiter of before.queue)
          if (after.queue.some((each) => each.id === waiter.id))
            ok(waiter.seq > seq, `${id} was granted before ${waiter.id}, which came first`);
    }
  }

  /** A grant's fence is larger than every fence that was used before. */
  private checkFences({ before, operation, after, now }: Observed): void {
    const id = operation.kind === 'takeOver' ? operation.from : 'id' in operation ? operation.id : '';
    for (const holder of before.holders) {
      // Ids come again in histories: what an earlier hold of the same id used is none of this one's fences.
      if (holder.id === id && 'used' in operation)
        this.usedUpTo = Math.max(this.usedUpTo, Math.min(operation.used, holder.last));
      const forced = operation.kind === 'revoke' && operation.force;
      // Nobody gives back what an expired or forced-out holder may still use.
      if ((forced || holder.deadline <= now) && holder.last >= holder.first)
        this.usedUpTo = Math.max(this.usedUpTo, holder.last);
    }
    for (const { first } of granted(before, after)) {
      ok(first > this.usedUpTo, 'a fence was given out twice');
      for (const other of before.holders)
        if (other.id !== id && other.last >= other.first)
          ok(first > other.last, 'a fence is not larger than those of the holders before');
    }
  }
}

function granted(before: LockState, after: LockState) {
  return after.holders.filter(({ first }) => !before.holders.some((holder) => holder.first === first));
}

/** A revocation by force leaves nobody units, and whoever was revoked keeps none after its release. */
function checkRevoked({ before, operation, after }: Observed): void {
  const ended = before.holders.filter(({ id, revocation }) =>
    operation.kind === 'revoke'
      ? operation.force
      : operation.kind === 'release' && operation.id === id && revocation !== undefined,
  );
  for (const { first } of ended)
    ok(!after.holders.some((each) => each.first === first), 'what was revoked is kept');
}

/** A place in the queue says what its last acquire said of holds, and no other command changes that. */
function checkHolding({ before, operation, answer, after }: Observed): void {
  for (const { id, holding } of after.queue) {
    const asked = operation.kind === 'acquire' && operation.id === id && answer.outcome === 'queued';
    const said = asked ? operation.holding : before.queue.find((each) => each.id === id)?.holding;
    deepStrictEqual(holding, said, 'a waiter is said to hold what it has not told');
  }
}
