import {
  type CallHandler,
  type ExecutionContext,
  Inject,
  mixin,
  type NestInterceptor,
  type Type,
} from '@nestjs/common';
import type { Observable } from 'rxjs';
import { LockError, LockUsageError } from '../base/errors.js';
import { LockService } from '../locks/lock-service.js';
import { eventError } from './event-error.js';
import { heldStream, whenAborted } from './held-stream.js';
import { responseOf, whenClientIsGone } from './http-response.js';
import { textOf } from './decorated-method.js';
import { KeyTemplate } from './key-template.js';
import { type LockNames, parsedKey } from './lock-key.js';
import { mark } from './locked-mark.js';
import {
  type LockInterceptorOptions,
  checkInterceptorOptions,
  type LockedOptions,
} from './locked-options.js';
import { isEventStream } from './locked-method.js';
import { lockedCall } from './locked-call.js';
import { sharedLocksToken } from './locks-token.js';

const WHERE = 'LockInterceptor';
const GONE = 'The client closed the connection while its request waited for the lock';
const REQUESTS: ReadonlySet<string> = new Set(['http', 'graphql']);

/**
 * Runs a handler under a lock:
 * `@UseInterceptors(LockInterceptor((context) => lockName('cart', context.switchToHttp().getRequest().params.id)))`.
 * The lock is held from before the pipes. An HTTP request holds it until its response was sent or its connection closed,
 * whatever the handler returns: a value, a `StreamableFile`, a generator, a `ReadableStream`, a web `Response`, events, or
 * nothing because it writes the response itself. In every other transport it is held until the promise is settled or the
 * Observable has ended, and the completion is passed on once the release is sent. An Observable that has emitted also ends
 * when it is unsubscribed; one that has not may be a promise, and is held until it emits or ends.
 *
 * A request that still waits when its connection closes gives up, and its handler does not run; a handler that is already
 * running is not disturbed. A stream whose lease is lost ends at once: events and messages with an error, a body that is
 * being sent by closing the connection.
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
    label,
    ...given
  } = checkInterceptorOptions(options ?? {}, WHERE);
  const labelOf = typeof label === 'function' ? label : undefined;
  const settings: LockedOptions = typeof label === 'string' ? { ...given, label } : given;
  refuseTemplate(key);
  const { namesOf, texts } = parsedKey<[ExecutionContext]>(key, WHERE);

  const run = lockedCall(settings);

  class HoldingInterceptor implements NestInterceptor {
    constructor(@Inject(sharedLocksToken(settings.locks)) private readonly locks: LockService) {}

    intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
      const { locks } = this;
      const response = responseOf(context);
      const answers = isRequest(context);
      const handler = (context as Partial<ExecutionContext>).getHandler?.();
      const streams = handler !== undefined && isEventStream(handler);
      return heldStream({
        locks: () => locks,
        response,
        streams,
        answers: () => answers,
        emitsSkipped: true, // Nest refuses an empty stream
        source: () => next.handle(),
        run: (work, { leaving, watches }) => {
          const signal = signalOf?.(context);
          if (signal) watches.add(whenAborted(signal, leaving, WHERE));
          if (leaveOnClose && response)
            watches.add(whenClientIsGone(response, () => leaving.abort(new Error(GONE))));
          const call = {
            signal: leaving.signal,
            label: labelOf && textOf(labelOf(context), WHERE),
            leavesAtShutdown: answers,
          };
          return run(locks, namesOf(undefined, [context]), work, call);
        },
        told: (error) =>
          streams && response?.headersSent && LockError.is(error) ? eventError(error) : error,
      });
    }
  }
  const made = mixin(HoldingInterceptor);
  mark(made, { decorator: 'LockInterceptor', where: WHERE, texts, label: undefined, options: settings });
  return made;
}

/** A name with braces looks like a template, which here would be one lock for all requests. */
function refuseTemplate(key: unknown): void {
  const names = [key].flat().filter((name) => typeof name === 'string');
  const template = names.find((name) => KeyTemplate.is(name));
  if (template === undefined) return;
  throw new LockUsageError(
    `LockInterceptor was given '${template}', but it knows no arguments that a template could read. Make the name of the ` +
      'request: LockInterceptor((context) => lockName(…)). Such a function may also return a name with braces.',
  );
}

/** Whether the call is a request, without whose answer its server cannot close. A message may be worth waiting for. */
function isRequest(context: Partial<ExecutionContext>): boolean {
  return REQUESTS.has(context.getType?.() ?? '');
}
