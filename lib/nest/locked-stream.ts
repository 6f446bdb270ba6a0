import { isObservable, type Observable } from 'rxjs';
import { type LockBusyError, LockError, LockUsageError } from '../base/errors.js';
import { DecoratedMethod } from './decorated-method.js';
import { eventError } from './event-error.js';
import { heldStream } from './held-stream.js';
import type {
  Exactly,
  LockedStreamDecorator,
  LockKey,
  LockLabel,
  LockSignal,
  OnBusy,
  Streaming,
  Taking,
} from './lock-key.js';
import { type Method, noFires } from './locked-method.js';
import type { LockedOptions } from './locked-options.js';

/**
 * Runs the Observables of a method under a lock: each subscription takes the lock, then calls the method and subscribes to
 * what it returned, and gives the lock back when that completes, fails or is unsubscribed. A call that nobody subscribes
 * to does nothing. It takes keys and options as `@Locked` does; a subscription that `onBusy: 'skip'` skips completes
 * without a value, and the value of an `onBusy` function is emitted.
 *
 * When the lease is lost, the stream ends at once with the LockLostError. At a shutdown a stream that answers an HTTP
 * request (on the handler with `@Sse`) has `shutdownGrace` from the time at which the servers begin to close.
 *
 * @throws LockUsageError when it is put on anything but a method that returns an Observable, and for options out of range
 * @throws LockBusyError, LockStoreError to the subscriber, when the lock was not granted
 * @publicApi
 */
export function LockedStream<
  const K extends LockKey,
  V,
  S extends LockSignal | undefined = undefined,
  L extends LockLabel | undefined = undefined,
  B = (error: LockBusyError) => V,
>(
  key: K,
  options: LockedOptions<S, (error: LockBusyError) => V, L>,
): LockedStreamDecorator<Taking<K | S | L, Streaming<B>>, Exactly<Taking<K | S | L, Streaming<B>>>, B>;
export function LockedStream<
  const K extends LockKey,
  const B extends OnBusy | undefined = undefined,
  S extends LockSignal | undefined = undefined,
  L extends LockLabel | undefined = undefined,
>(
  key: K,
  options?: LockedOptions<S, B, L>,
): LockedStreamDecorator<Taking<K | S | L, Streaming<B>>, Exactly<Taking<K | S | L, Streaming<B>>>, B>;
export function LockedStream(
  key: LockKey,
  options?: LockedOptions<LockSignal | undefined, OnBusy | undefined, LockLabel | undefined>,
): MethodDecorator {
  return (target, property, descriptor) => {
    const decorated = new DecoratedMethod(
      '@LockedStream',
      target,
      property,
      descriptor,
      { key, options },
      () => undefined,
    );
    const { method, where } = decorated;
    if (options?.fires) throw noFires(where);
    refuseAsync(method, where);
    decorated.replaceBy(function (...args) {
      return heldStream({
        locks: () => decorated.locksOf(this),
        streams: true,
        answers: () => decorated.isHttpRoute,
        emitsSkipped: false,
        source: (lease) => observable(decorated.apply(this, args, lease), where),
        run: (work, wait) => decorated.call(this, args, work, wait),
        // The method does not know its response, so the error has to suit a filter as well as a response that has begun.
        told: (error) => (LockError.is(error) && decorated.isEventStream ? eventError(error) : error),
      });
    });
  };
}

const REMEDY = 'For promises and async generators there is @Locked.';

function refuseAsync(method: Method, where: string): void {
  const tag = Object.prototype.toString.call(method);
  if (tag !== '[object AsyncFunction]' && tag !== '[object AsyncGeneratorFunction]') return;
  throw new LockUsageError(
    `${where} stands on an async method, and nothing can subscribe to what it returns. Return an Observable, such as ` +
      `defer(() => …), which may await inside. ${REMEDY}`,
  );
}

function observable(result: unknown, where: string): Observable<unknown> {
  if (isObservable(result)) return result;
  throw new LockUsageError(`${where} stands on a method that returned no Observable. ${REMEDY}`);
}
