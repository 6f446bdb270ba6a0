import { orRejected } from '../locks/checks.js';
import { HeldGenerator } from './held-generator.js';
import { type LockedDecorator, type LockKey, type LockSignal, namesOf } from './lock-key.js';
import { openSlot, readSlot } from './lock-slot.js';
import { type CallDetails, lockedCall } from './locked-call.js';
import {
  isAsyncGeneratorFunction,
  isHttpRoute,
  kinshipOf,
  type Method,
  methodOf,
  takePlaceOf,
  placeOf,
  promised,
  refuseStream,
  refuseStranger,
} from './locked-method.js';
import { type LockedOptions, checkLockedOptions } from './locked-options.js';
import { isQueueJob, requeuedAtShutdown } from './queue-job.js';

/**
 * Runs the method under a lock: over all processes, at most one call at a time has the name.
 *
 * The key is a name, several names (all or none), or a function of the method's parameters, which is checked
 * against them at compile time and called with the instance as `this`. A call that holds the name already
 * waits in line like any other, unless `reentrant: true` is given; a method that overrides a locked method enters it by
 * `super.method()`. Works on controllers and providers, above or below decorators that write metadata; among
 * decorators that wrap the method the upper one is outer, so it belongs above `@Transactional`. An async
 * generator is held from its first step to its end.
 *
 * @throws LockUsageError when it is put on anything but a method that returns a promise or an async generator,
 * for options out of range, and by calls whose key is no name or whose instance Nest did not make
 * @throws LockBusyError from the call, when the lock was not granted
 * @throws LockLostError from the call, when the lease was lost while working; the outcome is attached
 * @throws LockStoreError from the call, when the store failed or its outcome is unknown
 * @publicApi
 */
export function Locked<const K extends LockKey, S extends LockSignal | undefined = undefined>(
  key: K,
  options?: LockedOptions<S>,
): LockedDecorator<K, S> {
  return (target: object, property: string | symbol, descriptor: object) => {
    const where = `@Locked on ${placeOf(target, property)}`;
    const method = methodOf(target, property, descriptor, where);
    const settings = checkLockedOptions((options ?? {}) as LockedOptions, where);
    const names = namesOf(key, where);
    const slot = openSlot(target, settings.locks);
    const signalOf = settings.signal as LockSignal | undefined;

    const kinship = kinshipOf(target, property);
    const generates = isAsyncGeneratorFunction(method);
    const checkResult = generates ? undefined : (value: unknown): void => refuseStream(value, where);
    const run = lockedCall(settings, { place: where, target, property, checkResult });
    // Known at the first call: decorators above write their metadata later.
    let isRoute: boolean | undefined;
    const detailsOf = (self: unknown, args: unknown[]): CallDetails | undefined => {
      isRoute ??= isHttpRoute(replacement);
      if (!isRoute && !signalOf && !kinship.inherited) return undefined; // as most methods: nothing is made for the call
      return {
        signal: signalOf && (Reflect.apply(signalOf, self, args) as AbortSignal | undefined),
        self: kinship.inherited ? (self as object) : undefined,
        leavesAtShutdown: isRoute,
      };
    };
    // What goes wrong before the lock rejects the call like everything after it.
    const call = (self: unknown, args: unknown[], work: () => PromiseLike<unknown>) =>
      orRejected(() => {
        const locks = readSlot(self, slot) ?? refuseStranger(self, where, settings.locks);
        return run(locks, names(self, args), work, detailsOf(self, args));
      });
    const replacement: Method = generates
      ? function (...args) {
          const open = () => Reflect.apply(method, this, args) as AsyncGenerator<unknown, unknown, unknown>;
          return new HeldGenerator(open, (work) => call(this, args, work));
        }
      : function (...args) {
          const work = () => promised(Reflect.apply(method, this, args), where);
          const [job, token] = args;
          if (!isQueueJob(job)) return call(this, args, work);
          return requeuedAtShutdown(job, token, work, (begun) => call(this, args, begun));
        };
    takePlaceOf(method, replacement, settings);
    (descriptor as PropertyDescriptor).value = replacement;
  };
}
