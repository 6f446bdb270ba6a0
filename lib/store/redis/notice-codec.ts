import type { Grant, LockNotice } from '../lock-operation.js';
import { decodedText, sealIn } from './state-codec.js';

const PLAIN = { c: 'contended', e: 'echo', o: 'opened', w: 'wanted' } as const;

/** A notice, and the key it is about. */
export interface KeyedNotice {
  readonly key: string;
  readonly notice: LockNotice;
}

/** The notice in a message of the channel; undefined for anything else, since anybody may publish. */
export function decodeNotice(message: string): KeyedNotice | undefined {
  if (message.startsWith('g ')) return decodeGrant(message);
  const revoked = /^r (\S+) (\S+) ([^]+)$/.exec(message);
  if (revoked) {
    const [, id = '', reason = '', key = ''] = revoked;
    return { key, notice: { kind: 'revoked', id, reason: decodedText(reason) } };
  }
  const [, kind, id = '', key = ''] = /^([ceow]) (\S+) ([^]+)$/.exec(message) ?? [];
  return kind ? { key, notice: { kind: PLAIN[kind as keyof typeof PLAIN], id } } : undefined;
}

/**
 * `g id now first span size contended done seal key`: so many fences from the first, which `=` says is now. Where notices
 * come by way of other servers, `@` and the server that granted stand right behind the seal; where a holder left a note,
 * `#` and that note stand behind both, so that a build that knows no notes takes it for another seal, and asks. What a waiter
 * held stands right behind its seal, as in the record, and is not read. Read place by place: a process that is woken up by it has nothing else to do first, and a pattern takes twice as long.
 */
function decodeGrant(message: string): KeyedNotice | undefined {
  const after = (place: number): number => message.indexOf(' ', place) + 1; // 0, where no number is, for none
  const at = after(2);
  const from = after(at);
  const length = after(from);
  const size = after(length);
  const flags = after(size);
  const sealed = flags + 4;
  const key = after(sealed);
  const now = digits(message, at, from - 1);
  const first = message[from] === '=' && length === from + 2 ? now : digits(message, from, length - 1);
  const span = digits(message, length, size - 1);
  const last = first + digits(message, size, flags - 1) - 1;
  const contended = digits(message, flags, flags + 1);
  const done = digits(message, flags + 2, sealed - 1);
  const flagged = message[flags + 1] === ' ' && message[sealed - 1] === ' ' && contended < 2 && done < 2;
  const named = at > 3 && key - 1 > sealed && key < message.length;
  if (!flagged || !named || Number.isNaN(now + last + span)) return undefined;
  let sealing = message.slice(sealed, key - 1);
  const mark = sealing.indexOf('#');
  const note = decodedText(sealing.slice(mark + 1));
  if (mark >= 0) sealing = sealing.slice(0, mark);
  const origin = sealing.indexOf('@');
  const notice: Grant = {
    kind: 'granted',
    id: message.slice(2, at - 1),
    first,
    last,
    until: now + span,
    span,
    contended: contended === 1,
    done: done === 1,
    seal: sealIn(origin < 0 ? sealing : sealing.slice(0, origin)),
    server: origin < 0 ? undefined : sealing.slice(origin + 1),
  };
  if (mark >= 0) return { key: message.slice(key), notice: { ...notice, note } };
  return { key: message.slice(key), notice };
}

/** The number in a part of `text`; NaN for anything that is none. */
function digits(text: string, from: number, to: number): number {
  let number = to > from ? 0 : NaN;
  for (let place = from; place < to; place += 1) {
    const digit = text.charCodeAt(place) - 48;
    if (!(digit >= 0 && digit <= 9)) return NaN;
    number = number * 10 + digit;
  }
  return number;
}
