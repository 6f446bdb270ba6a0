import { randomFillSync } from 'node:crypto';
// The stack of NestJS has uuid, and its v4 checks and sets the bits of version and variant that a session carries.
import { v4 } from 'uuid';

const BYTES = 9;
const CHARACTERS = 12; // of base64url
// Random bytes are drawn in bulk, so that an attempt id costs no system call, and no call out of JavaScript.
const pool = Buffer.alloc(BYTES * 512);
let text = '';
let taken = 0;

/** A new session: the 128 bits of a UUID v4 in 22 characters of base64url. */
export function newSession(): string {
  return Buffer.from(v4(undefined, new Uint8Array(16))).toString('base64url');
}

/** A new attempt id of a session: `<session>.<72 random bits>`. Never used twice. */
export function newAttemptId(session: string): string {
  return `${session}.${newSeal()}`;
}

/** 72 random bits that an attempt tells only the server. */
export function newSeal(): string {
  if (taken === text.length) {
    text = randomFillSync(pool).toString('base64url');
    taken = 0;
  }
  return text.slice(taken, (taken += CHARACTERS));
}
