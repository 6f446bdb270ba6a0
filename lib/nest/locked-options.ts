import type { ExecutionContext } from '@nestjs/common';
import type { LockBusyError } from '../base/errors.js';
import type { UsingOptions } from '../locks/lock.js';
import type { LockSignal } from './lock-key.js';

/**
 * How a `@Locked` method or a LockInterceptor behaves. Each option is optional and also accepts undefined.
 *
 * @publicApi
 */
export interface LockedOptions<S extends LockSignal | undefined = undefined> extends Omit<
  UsingOptions,
  'signal' | 'within'
> {
  /**
   * Tells the AbortSignal that ends the waiting of a call at once, with reason `aborted`, from the method's
   * arguments; it is checked against them at compile time and called with the instance as `this`. undefined: no
   * signal for this call. It does not end a lease.
   * @default none
   */
  readonly signal?: S | undefined;
  /**
   * `read` shares the name with other readers; a call that reads and asks to write is refused.
   * @default 'write': alone
   */
  readonly mode?: 'write' | 'read' | undefined;
  /**
   * So many calls at a time instead of one. 1 … 2³⁰; all methods that use the name must say the same number.
   * @default none
   */
  readonly permits?: number | undefined;
  /** How many of the permits one call takes. 1 … permits. @default 1 */
  readonly units?: number | undefined;
  /** The registration to lock with: the `name` given to `forRoot`. @default the default registration */
  readonly locks?: string | undefined;
  /** A named set of options of the registration, from `forRoot({ profiles })`; options given here win. */
  readonly profile?: string | undefined;
  /**
   * What a call does that did not get the lock within `wait` (or found the line full): `throw` the
   * LockBusyError; `skip`, which returns undefined, and for which `wait` is 0 unless given, as for
   * `tryAcquire`; or a function whose value is returned instead. A closed LockService always throws, and an
   * error of the method itself is never taken for a busy lock.
   * @default 'throw'
   */
  readonly onBusy?: 'throw' | 'skip' | ((error: LockBusyError) => unknown) | undefined;
}

/**
 * How a LockInterceptor behaves: as a `@Locked` method does, and it knows the request.
 *
 * @publicApi
 */
export interface LockInterceptorOptions extends Omit<LockedOptions, 'signal'> {
  /**
   * Tells the AbortSignal that ends the waiting of a request at once, with reason `aborted`. It does not end a lease.
   * @default none
   */
  readonly signal?: ((context: ExecutionContext) => AbortSignal | undefined) | undefined;
  /**
   * Whether an HTTP request that waits for the lock leaves the line when its connection closes, over Express and
   * Fastify. `false`: it keeps its place, and its handler runs for a client that is gone.
   * @default true
   */
  readonly leaveOnClose?: boolean | undefined;
}

/**
 * A named set of options that `@Locked(key, { profile })` refers to.
 *
 * @publicApi
 */
export type LockProfile = Omit<LockedOptions, 'locks' | 'profile' | 'signal'>;
