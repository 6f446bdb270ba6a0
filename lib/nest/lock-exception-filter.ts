import { type ArgumentsHost, Catch, type ExceptionFilter, Inject, Optional } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { LockError } from '../base/errors.js';
import { graphqlError, schemaOf } from './graphql-exception.js';
import type { LockErrorBody } from './http-exception.js';
import { LockErrorAnswers } from './lock-error-answers.js';
import { rpcError } from './rpc-exception.js';
import { answerMessage } from './ws-exception.js';

/** Nest uses `instanceof`, which fails for errors of another copy of this package; LockError.is checks the code instead. */
abstract class AnyLockError {
  static [Symbol.hasInstance](error: unknown): boolean {
    return LockError.is(error);
  }
}

/**
 * Answers lock errors that leave a handler: over HTTP with a status, to GraphQL with `extensions.code`, to a microservice's
 * client with an error object, to a WebSocket client with an `exception` event and its acknowledgement. No answer tells a
 * name, host, process or label; the log does.
 *
 * The module registers it for the whole application, and binds it to each gateway, which Nest's global filters do not
 * reach. `@UseFilters(LockExceptionFilter)` binds it where global filters do not apply either, as in a hybrid application
 * without `inheritAppConfig`.
 *
 * @publicApi
 */
@Catch(AnyLockError)
export class LockExceptionFilter implements ExceptionFilter<LockError> {
  constructor(
    @Inject(HttpAdapterHost) private readonly adapters: HttpAdapterHost,
    @Optional() @Inject(LockErrorAnswers) private readonly answers: LockErrorAnswers = new LockErrorAnswers(),
  ) {}

  /** What Nest calls; it returns what Nest expects of a filter of that transport. */
  catch(error: LockError, host: ArgumentsHost): unknown {
    switch (host.getType<string>()) {
      case 'http':
        return this.answerRequest(this.answers.to(error), host.switchToHttp().getResponse());
      case 'rpc':
        return rpcError(this.answers.to(error), host);
      case 'ws':
        return answerMessage(this.answers.to(error), host);
      case 'graphql':
        return graphqlError(error, this.answers.to(error), schemaOf(host));
      default:
        return undefined; // a filter that answers nothing leaves the error to Nest's own handler of the transport
    }
  }

  private answerRequest(body: LockErrorBody, response: unknown): void {
    const { httpAdapter } = this.adapters;
    if (httpAdapter.isHeadersSent(response)) {
      httpAdapter.end(response);
      return;
    }
    if (body.retryAfter !== undefined)
      httpAdapter.setHeader(response, 'Retry-After', String(body.retryAfter));
    httpAdapter.reply(response, body, body.statusCode);
  }
}

class NeverThrown {}

/**
 * The filter for `filter: false`. Options may come from a factory, and then it is too late to register no filter. A filter
 * without `@Catch` arguments would catch everything.
 */
@Catch(NeverThrown)
export class NoFilter implements ExceptionFilter {
  catch(): void {}
}
