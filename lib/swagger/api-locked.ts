import { applyDecorators } from '@nestjs/common';
import { ApiResponse } from '@nestjs/swagger';
import { type HttpMappingOptions, LockBusyError, lockErrorBody, LockStoreError } from '../index.js';
import { checkHttpMapping } from '../nest/http-exception.js';

const CODES = { 423: ['LOCK_BUSY'], 503: ['LOCK_BUSY', 'LOCK_LOST', 'LOCK_STORE'] } as const;

const RETRY_AFTER = { type: 'integer' as const, minimum: 1 };

/** The body of an answer, as `lockErrorBody` makes it. Only answers of busy locks have `retryAfter`. */
function bodyOf(
  status: number,
  code: readonly string[],
  message: string,
  retryAfter: 'always' | 'never' | 'if it is busy',
) {
  return {
    type: 'object' as const,
    required: ['statusCode', 'code', 'message', ...(retryAfter === 'always' ? ['retryAfter'] : [])],
    properties: {
      statusCode: { type: 'integer' as const, example: status },
      code: { type: 'string' as const, enum: [...code] },
      message: { type: 'string' as const, example: message },
      ...(retryAfter !== 'never' && { retryAfter: RETRY_AFTER }),
    },
  };
}

/**
 * Documents the answers of a locked route for @nestjs/swagger, on a handler or on a controller: the status of a busy lock
 * with its header Retry-After, and 503 when the lock could not be had or was lost, which has no such header. Give it the
 * options of `forRoot({ filter })`, if there are any. With `busyStatus: 503` both are one answer.
 *
 * @throws LockUsageError for a status out of range
 * @publicApi
 */
export function ApiLocked(options: HttpMappingOptions = {}): MethodDecorator & ClassDecorator {
  checkHttpMapping(options);
  const busy = lockErrorBody(new LockBusyError('', '', { reason: 'held', waited: 0 }), options);
  const down = lockErrorBody(new LockStoreError(''));
  const headers = {
    'Retry-After': { description: 'Seconds until a new attempt is sensible.', schema: RETRY_AFTER },
  };
  const words = `${down.message}, is shutting down, or lost the lock.`;
  // Of two descriptions of one status @nestjs/swagger keeps one.
  if (busy.statusCode === down.statusCode)
    return applyDecorators(
      ApiResponse({
        status: busy.statusCode,
        description: `${busy.message}. Or: ${words} Only a busy lock has Retry-After.`,
        headers,
        schema: bodyOf(busy.statusCode, CODES[503], busy.message, 'if it is busy'),
      }),
    );
  return applyDecorators(
    ApiResponse({
      status: busy.statusCode,
      description: `${busy.message}.`,
      headers,
      schema: bodyOf(busy.statusCode, CODES[423], busy.message, 'always'),
    }),
    ApiResponse({
      status: down.statusCode,
      description: words,
      schema: bodyOf(down.statusCode, CODES[503], down.message, 'never'),
    }),
  );
}
