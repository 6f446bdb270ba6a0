import type { LatchAnswer, LatchOperation } from '../latch-machine.js';
import type { AcquireOperation, AnswerTo, LockAnswer, LockOperation } from '../lock-operation.js';
import { WHOLE } from '../lock-machine.js';
import type { DatedHold } from '../native-grant.js';
import { decodedText, encodedHolding, encodedText } from './state-codec.js';

type Reply = readonly (string | number)[];

/**
 * What all scripts take first. `fenceMemory` in microseconds; `countable` as in scripts/record.lua; `server` names the
 * server that runs the script: its notices may come by way of others.
 */
export function encodeTerms(
  fenceMemory: number,
  channelPrefix: string,
  countable: boolean,
  server = '',
): string {
  return `${fenceMemory} ${countable ? 1 : 0}${server && `@${server}`} ${channelPrefix}`;
}

/** What a script takes for one key, after its terms. `fenceMemory` in microseconds. */
export function encodeOperation(op: LockOperation, fenceMemory: number): (string | number)[] {
  switch (op.kind) {
    case 'acquire': {
      const { guard, block, wait, subscribed, seal, notAfter, holding } = op;
      const span = op.ttl + guard;
      const ask = `${time(notAfter)} ${guard} ${wait} ${subscribed ? 1 : 0} ${block} ${seal}`;
      // Behind the seal, so that builds and scripts that know nothing of it keep it as a part of the seal.
      return [milliseconds(span + fenceMemory), holdLine(op), holding ? ask + encodedHolding(holding) : ask];
    }
    case 'renew': {
      const span = op.ttl + op.guard;
      const keep = milliseconds(span + fenceMemory);
      return [op.id, time(op.notAfter), keep, padded(span), op.block, op.used];
    }
    case 'release': {
      const idle = milliseconds(fenceMemory);
      return [op.id, time(op.used), op.keep > 0 || op.done > 0 ? `${idle} ${op.keep} ${op.done}` : idle];
    }
    case 'downgrade':
      return [op.id, op.units, op.used];
    case 'revoke':
      return [encodedText(op.reason), op.force ? 1 : 0];
    case 'takeOver': {
      const { id, from, used, units, ttl, guard, block, identity, notAfter } = op;
      return [from, used, `${time(notAfter)} ${ttl} ${guard} ${block} ${units} ${id} ${identity}`];
    }
    case 'note':
      return [op.id, op.turn, encodedText(op.text)];
  }
}

/** The compact record of a free mutex that is taken without a script, see native-grant.ts. */
export function encodeDatedRecord(op: AcquireOperation, { at, first, last }: DatedHold): string {
  return `lock1 ${time(at)} ${holdLine(op, time(first), last - first + 1)} -`;
}

/** A hold as the compact record has it. */
function holdLine(op: AcquireOperation, first = '=', block = reserved(op)): string {
  const { id, units, capacity, ttl, guard, identity } = op;
  const share = units === WHOLE && capacity === WHOLE ? '*' : `${units}/${capacity}`;
  return `${id} ${padded(ttl + guard)} ${first} ${share} ${block} ${identity}`;
}

/** How many fences a fresh grant reserves. */
function reserved({ units, capacity, block, ttl }: AcquireOperation): number {
  return units === capacity ? Math.min(block, ttl) : 1;
}

const HALF = 100_000_000;

/** A server time or a fence with 16 digits; a time that never comes for none. */
function time(micros = Number.MAX_SAFE_INTEGER): string {
  // In halves: a small integer is a text at once, a large one takes V8 a microsecond; and the first half rarely changes.
  const high = Math.floor(micros / HALF);
  return `${String(high + HALF).slice(1)}${String(micros - high * HALF + HALF).slice(1)}`;
}

/** A span of time with the width that the compact record gives it. */
function padded(micros: number): string {
  return String(micros).padStart(12, '0');
}

function milliseconds(micros: number): number {
  return Math.ceil(micros / 1_000);
}

// No server's time in microseconds is smaller, and scripts write it with 16 digits.
const EARLIEST = 1e15;

/** The answer in what a script replied for one key; the scripts' headers say what stands where. `now` is NaN in nonsense. */
export function decodeAnswer<O extends LockOperation>(op: O, reply: unknown): AnswerTo<O> {
  return (Array.isArray(reply) ? answerIn(reply as Reply) : leanAnswer(op, reply)) as AnswerTo<O>;
}

/** The short replies of the lean paths. */
function leanAnswer(op: LockOperation, reply: unknown): LockAnswer {
  if (op.kind === 'renew') {
    const [now, last] = (typeof reply === 'string' ? reply : '').split(' ').map(Number).map(timeIn);
    const both = now !== undefined && last !== undefined && !Number.isNaN(last);
    return { outcome: 'renewed', now: both ? now : NaN, last: last ?? NaN, contended: false };
  }
  // A release that handed on says -now. What is no time is no grant: a proxy may answer with nothing, or with 0.
  const now = typeof reply === 'number' ? timeIn(Math.abs(reply)) : NaN;
  if (op.kind !== 'acquire') return { outcome: 'released', now };
  return { outcome: 'granted', now, first: now, last: now + reserved(op) - 1, contended: false, done: false };
}

function timeIn(value: number): number {
  return value >= EARLIEST ? value : NaN;
}

function answerIn(reply: Reply): LockAnswer {
  const [outcome, now] = [String(reply[0]) as LockAnswer['outcome'], Number(reply[1])];
  const at = (index: number): number => Number(reply[index]);
  switch (outcome) {
    case 'granted': {
      const note = reply.length > 6 ? { note: decodedText(String(reply[6])) } : {};
      return { outcome, now, first: at(2), last: at(3), contended: at(4) === 1, done: at(5) === 1, ...note };
    }
    case 'queued':
      return { outcome, now, place: at(2), heard: at(3) === 1, due: at(4), holder: String(reply[5]) };
    case 'busy':
      return { outcome, now, due: at(2), holder: String(reply[3]), roused: at(4) === 1 };
    case 'mismatch':
      return { outcome, now, capacity: at(2), roused: at(3) === 1 };
    case 'renewed':
      return { outcome, now, last: at(2), contended: at(3) === 1 };
    case 'revoked':
      return { outcome, now, reason: decodedText(String(reply[2])) };
    case 'marked':
    case 'freed':
      return { outcome, now, count: at(2), holder: String(reply[3]) };
    default:
      return { outcome, now };
  }
}

/** What follows the terms of the latch script. */
export function encodeLatchOperation(op: LatchOperation): (string | number)[] {
  const round = encodedText(op.round);
  if (op.kind === 'set') return [op.kind, round, op.count, op.ttl];
  return op.kind === 'read' ? [op.kind, round] : [op.kind, round, op.id];
}

/** The answer in the latch script's reply. */
export function decodeLatchAnswer(reply: unknown): LatchAnswer {
  const [outcome, now, count, until, round] = reply as Reply;
  return {
    outcome: String(outcome) as LatchAnswer['outcome'],
    now: Number(now),
    count: Number(count),
    until: Number(until),
    round: decodedText(String(round)),
  };
}
