import {
  type ArgumentsHost,
  Catch,
  type ExceptionFilter,
  Logger,
  type OnApplicationShutdown,
} from '@nestjs/common';
import type { HttpAdapterHost } from '@nestjs/core';
import { LockError } from '../base/errors.js';
import { bodyOf, checkHttpMapping, type HttpMappingOptions } from './http-exception.js';

const SPAN = 1_000;
/** How many names one line lists; the others are only counted. */
const MOST_NAMES = 10;

/** Logs refused calls: the first one at once, and then all calls of each second in one line. */
export class BusyLog {
  private readonly names = new Map<string, number>();
  private count = 0;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(private readonly log: (line: string) => void) {}

  refused({ message, lockName = '' }: LockError): void {
    if (this.timer === undefined) {
      this.log(message);
      if (!this.closed) this.wait();
      return;
    }
    this.count += 1;
    const before = this.names.get(lockName);
    if (before !== undefined || this.names.size < MOST_NAMES) this.names.set(lockName, (before ?? 0) + 1);
  }

  /** Logs the summary that is due, and starts no more timers: later refusals are logged at once. */
  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.summarise();
  }

  private wait(): void {
    this.timer = setTimeout(() => {
      this.timer = undefined;
      if (this.summarise()) this.wait(); // the burst may go on
    }, SPAN);
    this.timer.unref();
  }

  private summarise(): boolean {
    const { count } = this;
    if (count === 0) return false;
    const named = [...this.names].map(([name, times]) => `'${name}' (${times})`);
    const others = count - [...this.names.values()].reduce((sum, times) => sum + times, 0);
    if (others > 0) named.push(`other locks (${others})`);
    this.log(
      `Within the last second ${count} more ${count === 1 ? 'call' : 'calls'} did not get the lock: ` +
        `${named.join(', ')}.`,
    );
    this.count = 0;
    this.names.clear();
    return true;
  }
}

/** Nest uses `instanceof`, which fails for errors of another copy of this package; LockError.is checks the code instead. */
abstract class AnyLockError {
  static [Symbol.hasInstance](error: unknown): boolean {
    return LockError.is(error);
  }
}

/**
 * Answers lock errors that leave an HTTP handler, over Express and Fastify. The details go to the log only: busy locks as
 * `log`, with a burst of them in one line a second, and other errors as `error`.
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

  /** Logs the summary that is due, and leaves no timer. */
  onApplicationShutdown(): void {
    this.busy.close();
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
