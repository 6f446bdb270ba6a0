import type { LockBusyError } from '../base/errors.js';
import { DecoratedMethod } from './decorated-method.js';
import type { Lease } from '../locks/lock.js';
import { keepStream } from './held-stream.js';
import { LockedGenerator } from './locked-generator.js';
import type {
  Exactly,
  LockedDecorator,
  LockKey,
  LockLabel,
  LockNames,
  LockSignal,
  OnBusy,
  Promised,
  Taking,
  TakingExactly,
} from './lock-key.js';
import { isAsyncGeneratorFunction, noFires, promised, refuseStream } from './locked-method.js';
import type { LockedOptions } from './locked-options.js';
import { isProcessorCall, requeuedAtShutdown } from './queue-job.js';

/**
 * Runs the method under a lock: across all processes, at most one call at a time has the name.
 *
 * The key is a name, a template such as `order:{0.id}`, several of them (all or none), or a function of the method's
 * parameters, which is called with the instance as `this`; templates and functions are checked against the parameters at
 * compile time, see `LockKey`. A call that holds the name already
 * waits in line like any other, unless `reentrant: true` is given; a method that overrides a locked method enters with
 * `super.method()`. It works on controllers and providers, above or below decorators that write metadata. When several
 * decorators wrap a method, the topmost is the outermost, so put it above `@Transactional`. For an async generator the lock
 * is held from its first step to its end.
 *
 * @throws LockUsageError when it is put on anything but a method that returns a promise or an async generator, for options
 * out of range, and from calls whose key gives no name or whose instance has no LockService
 * @throws LockBusyError from the call, when the lock was not granted
 * @throws LockLostError from the call, when the lease was lost while working; the outcome is attached
 * @throws LockStoreError from the call, when the store failed or its outcome is unknown
 * @publicApi
 */
export function Locked<P extends readonly unknown[]>(
  key: (...args: P) => LockNames,
  options?: LockedOptions<undefined, 'throw', string>,
): LockedDecorator<(...args: P) => never, TakingExactly<P, never>>;
export function Locked<P extends readonly unknown[]>(
  key: (...args: P) => LockNames,
  options: LockedOptions<undefined, 'skip', string>,
): LockedDecorator<(...args: P) => Promise<undefined>, TakingExactly<P, Promise<undefined>>, 'skip'>;
export function Locked<const N extends LockNames>(
  key: N,
  options?: LockedOptions<undefined, 'throw', string>,
): LockedDecorator<Taking<N, never>, Exactly<Taking<N, never>>>;
export function Locked<
  const K extends LockKey,
  S extends LockSignal | undefined = undefined,
  L extends LockLabel | undefined = undefined,
>(
  key: K,
  options?: LockedOptions<S, 'throw', L>,
): LockedDecorator<Taking<K | S | L, never>, Exactly<Taking<K | S | L, never>>>;
export function Locked<
  const K extends LockKey,
  V,
  S extends LockSignal | undefined = undefined,
  L extends LockLabel | undefined = undefined,
  B = (error: LockBusyError) => V,
>(
  key: K,
  options: LockedOptions<S, (error: LockBusyError) => V, L>,
): LockedDecorator<Taking<K | S | L, Promised<B>>, Exactly<Taking<K | S | L, Promised<B>>>, B>;
export function Locked<
  const K extends LockKey,
  const B extends OnBusy | undefined = undefined,
  S extends LockSignal | undefined = undefined,
  L extends LockLabel | undefined = undefined,
>(
  key: K,
  options?: LockedOptions<S, B, L>,
): LockedDecorator<Taking<K | S | L, Promised<B>>, Exactly<Taking<K | S | L, Promised<B>>>, B>;
export function Locked(
  key: LockKey,
  options?: LockedOptions<LockSignal | undefined, OnBusy | undefined, LockLabel | undefined>,
): MethodDecorator {
  return (target, property, descriptor) => {
    const decorated = new DecoratedMethod(
      '@Locked',
      target,
      property,
      descriptor,
      { key, options },
      (method, where) =>
        isAsyncGeneratorFunction(method) ? undefined : (value) => refuseStream(value, where),
    );
    const { method, where } = decorated;
    if (options?.fires && isAsyncGeneratorFunction(method)) throw noFires(where);
    decorated.replaceBy(
      isAsyncGeneratorFunction(method)
        ? function (...args) {
            const open = (lease: Lease) =>
              decorated.apply(this, args, lease) as AsyncGenerator<unknown, unknown, unknown>;
            const hold = (work: (lease: Lease) => Promise<unknown>) =>
              decorated.call(this, args, (lease) =>
                decorated.isHttpRoute
                  ? work(lease).finally(keepStream(decorated.locksOf(this), lease))
                  : work(lease),
              );
            return new LockedGenerator(open, hold);
          }
        : function (...args) {
            const work = (lease: Lease) => promised(decorated.apply(this, args, lease), where);
            if (!isProcessorCall(args)) return decorated.call(this, args, work);
            const [job, token] = args;
            return requeuedAtShutdown(job, token, work, (begun) => decorated.call(this, args, begun));
          },
    );
  };
}
