import {
  type CallHandler,
  type ExecutionContext,
  Inject,
  mixin,
  type NestInterceptor,
  type Type,
} from '@nestjs/common';
import { Observable, Subscription } from 'rxjs';
import { shown } from '../base/duration.js';
import { LockUsageError } from '../base/errors.js';
import { LockService } from '../locks/lock-service.js';
import { orRejected } from '../locks/checks.js';
import { type LockNames, namesOf } from './lock-key.js';
import { profileOf, type LockInterceptorOptions, checkInterceptorOptions } from './locked-options.js';
import { lockedCall } from './locked-call.js';
import { sharedLocksToken } from './locks-token.js';

const WHERE = 'LockInterceptor';
const GONE = 'The client closed the connection while its request waited for the lock';
const REQUESTS: ReadonlySet<string> = new Set(['http', 'graphql']);

/**
 * Runs a handler under a lock. The lock is held from before the pipes until the result completes, fails or is
 * unsubscribed, also when the result is an Observable (server-sent events, streams of microservices):
 * `@UseInterceptors(LockInterceptor((context) => lockName('cart', context.switchToHttp().getRequest().params.id)))`.
 * The completion is passed on once the release is sent. A request that still waits when its connection closes gives up, and
 * its handler does not run; a handler that is already running is not disturbed.
 *
 * @throws LockUsageError for names and options that cannot work
 * @throws LockBusyError, LockLostError, LockStoreError to the handler's caller, as `@Locked` does
 * @publicApi
 */
export function LockInterceptor(
  key: LockNames | ((context: ExecutionContext) => LockNames),
  options?: LockInterceptorOptions,
): Type<NestInterceptor> {
  const {
    leaveOnClose = true,
    signal: signalOf,
    ...settings
  } = checkInterceptorOptions(options ?? {}, WHERE);
  const names = namesOf<[ExecutionContext]>(key, WHERE);

  const run = lockedCall(settings);

  class HoldingInterceptor implements NestInterceptor {
    constructor(@Inject(sharedLocksToken(settings.locks)) private readonly locks: LockService) {
      if (settings.profile !== undefined) profileOf(locks, settings.profile); // a missing one fails the start
    }

    intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
      return new Observable((subscriber) => {
        const leaving = new AbortController();
        const handler = new Subscription();
        let entered = false;
        const work = () =>
          new Promise<void>((resolve, reject) => {
            if (subscriber.closed) return resolve();
            entered = true;
            // If the subscription has ended already, this ends at once, too.
            handler.add(
              next.handle().subscribe({
                next: (value) => subscriber.next(value),
                error: reject,
                complete: resolve,
              }),
            );
            subscriber.add(() => resolve()); // after the handler, which must end before the release
          });
        subscriber.add(() => {
          leaving.abort();
          handler.unsubscribe();
        });
        orRejected(() => {
          const signal = signalOf?.(context);
          if (signal) subscriber.add(whenAborted(signal, leaving));
          if (leaveOnClose) subscriber.add(whenClientIsGone(context, () => leaving.abort(new Error(GONE))));
          const call = { signal: leaving.signal, leavesAtShutdown: isRequest(context) };
          return run(this.locks, names(undefined, [context]), work, call);
        }).then(
          (fallback) => {
            if (!entered) subscriber.next(fallback); // Nest refuses an empty stream
            subscriber.complete();
          },
          (error: unknown) => subscriber.error(error),
        );
      });
    }
  }
  return mixin(HoldingInterceptor);
}

/** Whether the call is a request, without whose answer its server cannot close. A message may be worth waiting for. */
function isRequest(context: Partial<ExecutionContext>): boolean {
  return REQUESTS.has(context.getType?.() ?? '');
}

/** Passes on the abort of a signal; returns a function that stops doing so. @throws LockUsageError unless it is a signal */
function whenAborted(signal: AbortSignal, leaving: AbortController): () => void {
  if (!(signal instanceof AbortSignal))
    throw new LockUsageError(
      `The function given as option signal of ${WHERE} must return an AbortSignal; it returned ${shown(signal)}.`,
    );
  const abort = (): void => leaving.abort(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  return () => signal.removeEventListener('abort', abort);
}

/** What the responses of Node's HTTP/1 and HTTP/2 servers have in common; Fastify keeps that response in `raw`. */
interface Response {
  readonly destroyed?: boolean;
  readonly writableEnded?: boolean;
  once(event: 'close', listener: () => void): unknown;
  off(event: 'close', listener: () => void): unknown;
}

/**
 * Calls `leave` when the connection of an HTTP request closes before it is answered, at once if it has closed already.
 * It watches the response, since the request's own `close` also comes when its body was read. Returns what ends the watch.
 */
export function whenClientIsGone(context: ExecutionContext, leave: () => void): () => void {
  const response = context.getType() === 'http' ? responseOf(context) : undefined;
  if (response === undefined) return () => undefined;
  const closed = (): void => {
    if (!response.writableEnded) leave();
  };
  if (response.destroyed) closed();
  response.once('close', closed);
  return () => response.off('close', closed);
}

function responseOf(context: ExecutionContext): Response | undefined {
  const given = context
    .switchToHttp()
    .getResponse<(Partial<Response> & { raw?: Partial<Response> }) | undefined>();
  const response = given?.raw ?? given;
  return typeof response?.once === 'function' && typeof response.off === 'function'
    ? (response as Response)
    : undefined;
}
