import { HttpException, HttpStatus } from '@nestjs/common';
import { shown } from '../base/duration.js';
import { type LockBusyError, type LockError, type LockErrorCode, LockUsageError } from '../base/errors.js';

/**
 * How lock errors become HTTP answers.
 *
 * @publicApi
 */
export interface HttpMappingOptions {
  /** The status of a busy lock, 400 … 599; on other transports the `statusCode` of the answer. @default 423 */
  readonly busyStatus?: number | undefined;
}

/**
 * The body of an answer, on every transport. Its message is fixed, so that no name, host or label leaves the service.
 *
 * @publicApi
 */
export interface LockErrorBody {
  readonly statusCode: number;
  readonly code: LockErrorCode;
  readonly message: string;
  /**
   * For busy locks: seconds, as in the header Retry-After. It is the median of the last holds with the same label in this
   * process, but at least 1.
   */
  readonly retryAfter?: number;
}

/** The status of a busy lock, unless the option `filter` chooses another. */
export const BUSY_STATUS: number = HttpStatus.LOCKED;

const MESSAGES: Readonly<Record<LockErrorCode, string>> = {
  LOCK_BUSY: 'The resource is locked, try again later',
  LOCK_LOST: 'The lock was lost while the request was processed',
  LOCK_STORE: 'The lock service is unavailable',
  LOCK_USAGE: 'Internal server error',
};

/**
 * The HTTP exception for a lock error: 423 for busy, 503 for closed, lost and store failures, 500 for misuse; the error
 * itself is its cause. It is for applications whose own filter catches everything. Send `retryAfter` of the body as the
 * header Retry-After.
 *
 * @publicApi
 */
export function toHttpException(error: LockError, options: HttpMappingOptions = {}): HttpException {
  const body = lockErrorBody(error, options);
  return new HttpException(body, body.statusCode, { cause: error });
}

/**
 * What a client may know of a lock error, with a fixed message. It is for filters of the application on transports other
 * than HTTP: `new RpcException(lockErrorBody(error))`.
 *
 * @publicApi
 */
export function lockErrorBody(error: LockError, options: HttpMappingOptions = {}): LockErrorBody {
  const { code } = error;
  if (code === 'LOCK_USAGE')
    return { statusCode: HttpStatus.INTERNAL_SERVER_ERROR, code, message: MESSAGES[code] };
  const busy = code === 'LOCK_BUSY' ? (error as LockBusyError) : undefined;
  if (busy === undefined)
    return { statusCode: HttpStatus.SERVICE_UNAVAILABLE, code, message: MESSAGES[code] };
  if (busy.reason === 'closed')
    return { statusCode: HttpStatus.SERVICE_UNAVAILABLE, code, message: 'The service is shutting down' };
  return {
    statusCode: options.busyStatus ?? BUSY_STATUS,
    code,
    message: MESSAGES[code],
    // The lease is no guide: its ttl says how long a dead holder keeps others out, and nothing about one that works.
    retryAfter: Math.max(1, Math.ceil((busy.retryIn ?? 0) / 1_000)),
  };
}

/** @throws LockUsageError for a status out of range */
export function checkHttpMapping(options: HttpMappingOptions): HttpMappingOptions {
  const { busyStatus = BUSY_STATUS } = options;
  if (Number.isInteger(busyStatus) && busyStatus >= 400 && busyStatus <= 599) return options;
  throw new LockUsageError(`The option filter.busyStatus takes 400 to 599; it was ${shown(busyStatus)}.`);
}
