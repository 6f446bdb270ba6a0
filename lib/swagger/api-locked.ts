import { applyDecorators } from '@nestjs/common';
import { ApiResponse } from '@nestjs/swagger';
import { type HttpMappingOptions, LockBusyError, lockErrorBody, LockStoreError } from '../index.js';

const CODES = { 423: ['LOCK_BUSY'], 503: ['LOCK_BUSY', 'LOCK_LOST', 'LOCK_STORE'] } as const;

/** The body of an answer, as `lockErrorBody` makes it. */
function bodyOf(status: number, code: readonly string[], message: string, more: object = {}) {
  return {
    type: 'object' as const,
    required: ['statusCode', 'code', 'message', ...Object.keys(more)],
    properties: {
      statusCode: { type: 'integer' as const, example: status },
      code: { type: 'string' as const, enum: [...code] },
      message: { type: 'string' as const, example: message },
      ...more,
    },
  };
}

/**
 * Documents the answers of a locked route for @nestjs/swagger, on a handler or on a controller: the status of a busy lock
 * with its header Retry-After, and 503 when the lock could not be had or was lost, which has no such header. Give it the
 * options of `forRoot({ filter })`, if there are any.
 *
 * @publicApi
 */
export function ApiLocked(options: HttpMappingOptions = {}): MethodDecorator & ClassDecorator {
  const busy = lockErrorBody(new LockBusyError('', '', { reason: 'held', waited: 0 }), options);
  const down = lockErrorBody(new LockStoreError(''));
  const seconds = { type: 'integer' as const, minimum: 1 };
  return applyDecorators(
    ApiResponse({
      status: busy.statusCode,
      description: `${busy.message}.`,
      headers: {
        'Retry-After': { description: 'Seconds until a new attempt is sensible.', schema: seconds },
      },
      schema: bodyOf(busy.statusCode, CODES[423], busy.message, { retryAfter: seconds }),
    }),
    ApiResponse({
      status: down.statusCode,
      description: `${down.message}, is shutting down, or lost the lock.`,
      schema: bodyOf(down.statusCode, CODES[503], down.message),
    }),
  );
}
