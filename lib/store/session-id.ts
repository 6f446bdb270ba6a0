import { randomFillSync } from 'node:crypto';
// The stack of NestJS has uuid, and its v4 checks and sets the bits of version and variant that a session carries.
import { v4 } from 'uuid';
import { LINGERS } from './lock-machine.js';

const BYTES = 9;
const CHARACTERS = 12; // of base64url
// Random bytes are drawn in bulk, so that an attempt id costs no system call, and no call out of JavaScript.
const pool = Buffer.alloc(BYTES * 512);
let text = '';
let taken = 0;
let last = '';
let beginning = '.';

/** A new session: the 128 bits of a UUID v4 in 22 characters of base64url. */
export function newSession(): string {
  return Buffer.from(v4(undefined, new Uint8Array(16))).toString('base64url');
}

/** A new attempt id of a session: `<session>.<72 random bits>`, and a mark if its hold may linger. Never used twice. */
export function newAttemptId(session: string, lingers = false): string {
  // A joined string refers to its parts: with a beginning that all ids share, an id has one part of its own.
  if (session !== last) beginning = `${(last = session)}.`;
  const id = beginning + newSeal();
  return lingers ? id + LINGERS : id;
}

/** 72 random bits that an attempt tells only the server. */
export function newSeal(): string {
  if (taken === text.length) {
    text = randomFillSync(pool).toString('base64url');
    taken = 0;
  }
  return text.slice(taken, (taken += CHARACTERS));
}
