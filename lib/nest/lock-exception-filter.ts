import {
  type ArgumentsHost,
  Catch,
  type ExceptionFilter,
  Logger,
  type OnApplicationShutdown,
} from '@nestjs/common';
import type { HttpAdapterHost } from '@nestjs/core';
import { LockError } from '../base/errors.js';
import { BusyLog } from './busy-log.js';
import { bodyOf, checkHttpMapping, type HttpMappingOptions } from './http-exception.js';

/** Nest asks by `instanceof`, which errors of another copy of this package would not pass; LockError.is goes by the code. */
abstract class AnyLockError {
  static [Symbol.hasInstance](error: unknown): boolean {
    return LockError.is(error);
  }
}

/**
 * Answers lock errors that leave an HTTP handler, over Express and Fastify. What the answer does not tell
 * goes to the log: busy locks as `log`, a burst of them in one line a second, the others as `error`.
 */
@Catch(AnyLockError)
export class LockExceptionFilter implements ExceptionFilter<LockError>, OnApplicationShutdown {
  private readonly logger = new Logger('DistributedLock');
  private readonly busy = new BusyLog((line) => this.logger.log(line));

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
    if (error.code === 'LOCK_BUSY') this.busy.refused(error);
    else this.logger.error(error);

    if (httpAdapter.isHeadersSent(response)) {
      httpAdapter.end(response);
      return;
    }
    if (body.retryAfter !== undefined)
      httpAdapter.setHeader(response, 'Retry-After', String(body.retryAfter));
    httpAdapter.reply(response, body, body.statusCode);
  }

  /** Says what a burst has left to say, and leaves no timer. */
  onApplicationShutdown(): void {
    this.busy.close();
  }
}

class NeverThrown {}

/**
 * What `filter: false` registers: options may come from a factory, when it is too late not to register.
 * A filter without `@Catch` arguments would catch everything.
 */
@Catch(NeverThrown)
export class NoFilter implements ExceptionFilter {
  catch(): void {}
}
