import type { LockError } from '../base/errors.js';
import { lockErrorBody } from './http-exception.js';

// The errors that the others were made from.
const originals = new WeakMap<LockError, LockError>();

/**
 * A lock error of the same class and with the same fields, for server-sent events: its message is the fixed one, and its cause
 * the error itself. Once events were sent, no filter can answer: NestJS sends the message, until version 12.1 that of every
 * error, and later that of errors that say as those of http-errors do that it is meant for clients.
 */
export function eventError(error: LockError): LockError {
  const { statusCode, message } = lockErrorBody(error);
  const shown = Object.setPrototypeOf(
    new Error(message, { cause: error }),
    Reflect.getPrototypeOf(error),
  ) as Error;
  const made = Object.assign(shown, { ...error, expose: true, status: statusCode, statusCode });
  originals.set(made, error);
  return made;
}

/** The error that an {@link eventError} was made from; any other error is its own. */
export function originalOf(error: LockError): LockError {
  return originals.get(error) ?? error;
}
