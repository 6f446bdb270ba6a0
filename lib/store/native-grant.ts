/**
 * The native path: a free mutex is taken by plain commands of the server instead of a script, which costs it less. Such a
 * command knows no clock, so whoever asks dates the hold: it counts from the latest time that the server's clock can show
 * when the command is sent, and the record ends by itself at that time + ttl + guard. A copy that is read late has a hold
 * that is shorter by as much, and none at all after that end.
 *
 * The server shows its clock in the same breath, and that is the fence. The record can only say between which times that is,
 * and reserves all of them. So nobody may ask for such a hold again by its id, which would bring the first of them: an
 * attempt whose native command has no answer is spent.
 */
import type { AcquireAnswer, AcquireOperation } from './lock-operation.js';
import { emptyState, WHOLE, type LockState } from './lock-machine.js';
import { DRIFT, GRAIN, serverTimeAtLeast, type ServerSample } from './server-clock.js';

// A sample that is older says too little: each second adds 10 ms by which the hold may be dated too late.
const FRESH = 500;

/** A hold that whoever asks for it has dated. Microseconds of the server's clock, but for `sentAt`. */
export interface DatedHold {
  /** What it counts from: the latest time that the server's clock can show when the command is sent. */
  readonly at: number;
  /** When the record ends by itself. */
  readonly until: number;
  /** The fences that it reserves: from the earliest time that the clock can show then. */
  readonly first: number;
  readonly last: number;
  /** Local milliseconds at which the command is sent. */
  readonly sentAt: number;
}

/** The dates of the hold that `op` asks for at `sentAt`; undefined where only the rules of the lock can give it. */
export function dated(
  op: AcquireOperation,
  sample: ServerSample | undefined,
  sentAt: number,
): DatedHold | undefined {
  const { units, capacity, ttl, guard, block, holding } = op;
  if (units !== WHOLE || capacity !== WHOLE || holding || !sample) return undefined;
  if (block < ttl) return undefined; // the fence may lie behind such a block: an answer may take a third of the ttl
  if (!isFresh(sample, sentAt)) return undefined;
  const at = serverTimeAtMost(sample, sentAt);
  const first = serverTimeAtLeast(sample, sentAt);
  return { at, until: at + ttl + guard, first, last: at + Math.min(block, ttl) - 1, sentAt };
}

/**
 * Which of two samples, the second of which is the later one, says more at `now` of the latest time that the server's clock
 * can show.
 */
export function tighter(
  one: ServerSample | undefined,
  other: ServerSample | undefined,
  now: number,
): ServerSample | undefined {
  if (!one || !other) return other ?? one;
  return isFresh(one, now) && slack(one, now) < slack(other, now) ? one : other;
}

function isFresh({ receivedAt }: ServerSample, now: number): boolean {
  return now - receivedAt <= FRESH;
}

function slack({ sentAt, receivedAt }: ServerSample, now: number): number {
  return receivedAt - sentAt + (now - receivedAt) * DRIFT;
}

/** The state of a free name that was taken so. */
export function takenState(op: AcquireOperation, { until, first, last }: DatedHold): LockState {
  const { id, units, capacity, ttl, guard, identity } = op;
  const holder = { id, units, identity, first, last, since: first, deadline: until, span: ttl + guard };
  return {
    ...emptyState(),
    ...{ capacity, fence: last },
    holders: [{ ...holder, contended: false, revocation: undefined, kept: false }],
  };
}

/**
 * What the server's word means that it has written the record when its clock showed `now`. The hold is spent where that
 * clock is ahead of all that it can show by then: it stepped forward, so the hold ends too early, or is over.
 */
export function grantOf({ at, last, sentAt }: DatedHold, now: number, receivedAt: number): AcquireAnswer {
  const latest = at + ((receivedAt - sentAt) * (1 + DRIFT) + GRAIN) * 1_000;
  if (now > latest || now > last) return { outcome: 'gone', now };
  return { outcome: 'granted', now, first: now, last, contended: false, done: false };
}

/** The most that the server's clock can show at the local time `at`, in microseconds. */
function serverTimeAtMost({ sentAt, time }: ServerSample, at: number): number {
  return Math.ceil(time + (at - sentAt) * (1 + DRIFT) * 1_000);
}
