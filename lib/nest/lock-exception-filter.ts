import { type ArgumentsHost, Catch, type ExceptionFilter, Logger } from '@nestjs/common';
import type { HttpAdapterHost } from '@nestjs/core';
import { LockError } from '../base/lock-error.js';
import { bodyOf, checkHttpMapping, type HttpMappingOptions } from './http-exception.js';

/**
 * Answers lock errors that leave an HTTP handler, over Express and Fastify. What the answer does not tell
 * goes to the log: busy locks as `log`, the others as `error`.
 */
@Catch(LockError)
export class LockExceptionFilter implements ExceptionFilter<LockError> {
  private readonly logger = new Logger('DistributedLock');

  constructor(
    private readonly adapters: HttpAdapterHost,
    private readonly options: HttpMappingOptions = {},
  ) {
    checkHttpMapping(options);
  }

  catch(error: LockError, host: ArgumentsHost): void {
    // A filter that answers nothing leaves the error to Nest's own handler of the transport.
    if (host.getType() !== 'http') return;
    const { httpAdapter } = this.adapters;
    const response: unknown = host.switchToHttp().getResponse();
    const body = bodyOf(error, this.options);
    if (error.code === 'LOCK_BUSY') this.logger.log(error.message);
    else this.logger.error(error);

    if (httpAdapter.isHeadersSent(response)) {
      httpAdapter.end(response);
      return;
    }
    if (body.retryAfter !== undefined)
      httpAdapter.setHeader(response, 'Retry-After', String(body.retryAfter));
    httpAdapter.reply(response, body, body.statusCode);
  }
}
