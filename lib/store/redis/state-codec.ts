import { emptyState, WHOLE, type Holder, type LockState, type Waiter } from '../lock-machine.js';
import type { StuckHold } from '../lock-operation.js';

// What a waiter holds stands behind its seal. No seal has the first of these, and no encoded text one of the others.
const HOLDING = '~';
const NEXT = ',';
const PART = ':';

/** A record as Redis has it: the compact form is a string, the general one a hash. */
export type StoredRecord = string | Readonly<Record<string, string>>;

/** The state in a record; scripts/record.lua says what stands where. */
export function decodeState(record: StoredRecord): LockState {
  const state = emptyState();
  if (typeof record === 'string') return decodeCompact(record, state);
  const fields = record;
  const reasonOf = (id: string): string => decodedText(fields[`r:${id}`] ?? '');
  state.capacity = Number(fields['capacity'] ?? 0);
  state.fence = Number(fields['fence'] ?? 0);
  state.released = fields['released'] ?? '';
  state.next = Number(fields['next'] ?? 1);
  state.alive = Number(fields['alive'] ?? 0);
  state.done = Number(fields['done'] ?? 0);
  for (const id of (fields['ids'] ?? '').split(' ').filter(Boolean))
    state.holders.push(decodeHolder(id, fields[`h:${id}`] ?? '', fields[`i:${id}`] ?? '', reasonOf(id)));
  for (const [, id = '', until] of (fields['forced'] ?? '').matchAll(/(\S+) (\d+)/g))
    state.forced.push({ id, reason: reasonOf(id), until: Number(until) });
  const [, by = '', turn, text] = /^(\S+) (\d+) (\S*)$/.exec(fields['note'] ?? '') ?? [];
  if (text !== undefined) state.note = { by, turn: Number(turn), text: decodedText(text) };
  for (const [field, value] of Object.entries(fields))
    if (field.startsWith('q:')) state.queue.push(decodeWaiter(Number(field.slice(2)), value));
  state.queue.sort((a, b) => a.seq - b.seq);
  return state;
}

/** The compact form: no attempt holds, or one holds and nothing about it is special; a few may wait. */
function decodeCompact(record: string, state: LockState): LockState {
  const lines = record[5] === '+' ? record.split('\n') : [record];
  const [line = '', times = '', ...waiters] = lines;
  for (const each of waiters) {
    const [, seq = '', value = ''] = /^(\d+) ([^]*)$/.exec(each) ?? [];
    state.queue.push(decodeWaiter(Number(seq), value));
  }
  if (times) [state.alive = 0, state.next = 1] = times.split(' ').map(Number);
  const [, at = '', id = '', span, since = '', share = '', block, identity = '', released = ''] =
    /^lock1[ +](\d+) (\S+) (\d+) (\S+) (\S+) (\d+) ([^]*) (\S+)$/.exec(line) ?? [];
  if (!id) {
    const [, , fence, last = ''] = line.split(' ');
    return { ...state, fence: Number(fence), released: last === '-' ? '' : last };
  }
  const [units = 0, capacity = 0] = sharesOf(share);
  const first = Number(since === '=' ? at : since);
  const last = first + Number(block) - 1;
  state.holders.push({
    id,
    units,
    deadline: Number(at) + Number(span),
    span: Number(span),
    first,
    last,
    since: first,
    identity,
    contended: state.queue.length > 0,
    revocation: undefined,
    kept: false,
  });
  return { ...state, capacity, fence: last, released: released === '-' ? '' : released };
}

/** Whether a record is ours, in the format that this version writes. */
export function isRecord(record: StoredRecord): boolean {
  return typeof record === 'string' ? /^lock1[ +]/.test(record) : record['v'] === '1';
}

/** The record in the reply of the inspect script: one text, or field, value, field, value, … */
export function recordIn(flat: readonly string[]): StoredRecord {
  if (flat.length === 1) return flat[0] ?? '';
  const fields: Record<string, string> = {};
  for (let index = 0; index + 1 < flat.length; index += 2) fields[flat[index] ?? ''] = flat[index + 1] ?? '';
  return fields;
}

function decodeHolder(id: string, times: string, whose: string, reason: string): Holder {
  const [deadline = 0, units = 0, last = 0, span = 0, flags = 0] = times.split(' ').map(Number);
  const [, first, since, identity = ''] = /^(\d+) (\d+) ([^]*)$/.exec(whose) ?? [];
  return {
    id,
    units,
    deadline,
    span,
    first: Number(first),
    last,
    since: Number(since),
    identity,
    contended: (flags & 1) > 0,
    revocation: (flags & 2) > 0 ? reason : undefined,
    kept: (flags & 4) > 0,
  };
}

function decodeWaiter(seq: number, value: string): Waiter {
  const [, subscribed, sealing = '', numbers = '', id = '', share = '', identity = ''] =
    /^\d+ ([01]) \d+ \d+ \d+ (\S+) ((?:\d+ ){6})(\S+) \d+ = (\S+) \d+ ([^]*)$/.exec(value) ?? [];
  const [until = 0, alive = 0, since = 0, ttl = 0, guard = 0, block = 0] = numbers.split(' ').map(Number);
  const [units = 0] = sharesOf(share);
  const terms = { units, ttl, guard, block };
  const seal = sealIn(sealing);
  const waiter = { id, seq, ...terms, until, alive, subscribed: subscribed === '1', seal, since, identity };
  return seal === sealing ? waiter : { ...waiter, holding: decodedHolding(sealing.slice(seal.length)) };
}

/** The seal in a text that may also say what its waiter holds. */
export function sealIn(sealing: string): string {
  const end = sealing.indexOf(HOLDING);
  return end < 0 ? sealing : sealing.slice(0, end);
}

/** What a waiter holds, as its record has it behind the seal: `~name:id:fence:turn:yields:behind,…`. */
export function encodedHolding(holding: readonly StuckHold[]): string {
  const each = holding.map(({ name, id, fence, turn, yields, behind }) =>
    [encodedText(name), encodedText(id), fence, turn, yields ? 1 : 0, behind].join(PART),
  );
  return HOLDING + each.join(NEXT);
}

function decodedHolding(text: string): StuckHold[] {
  return text
    .slice(HOLDING.length)
    .split(NEXT)
    .map((each) => {
      const [name = '', id = '', fence, turn, yields, behind] = each.split(PART);
      const numbers = { fence: Number(fence), turn: Number(turn), behind: Number(behind) };
      return { name: decodedText(name), id: decodedText(id), ...numbers, yields: yields === '1' };
    });
}

/** Units and capacity. */
function sharesOf(share: string): number[] {
  return share === '*' ? [WHOLE, WHOLE] : share.split('/').map(Number);
}

/** A user's text without spaces, as records and notices carry it. A lone surrogate becomes U+FFFD. */
export function encodedText(text: string): string {
  return encodeURIComponent(Buffer.from(text).toString());
}

/** The text in what `encodedText` made; anything else is taken as it is, since anybody may publish. */
export function decodedText(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}
