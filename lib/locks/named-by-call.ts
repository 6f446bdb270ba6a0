import type { Duration } from '../base/duration.js';
import type { BaseLock } from './base-lock.js';
import { orRejected } from './checks.js';
import { type CountDownLatch, type LatchOptions, StoreLatch } from './countdown-latch.js';
import type { LockSetup, TakenLease } from './lease-handle.js';
import type { AcquireOptions, Lock, UsingOptions } from './lock.js';
import type { PermitOptions, Semaphore, SemaphoreLock } from './semaphore.js';

/** Turns the name that a caller gives into the name that is locked: the option `nameOf`. */
export type Naming = (name: string) => string;

const asGiven: Naming = (name) => name;

/**
 * A lock whose names are computed by each call, because they depend on the caller's context (`nameOf`). A lock that is
 * kept in a field serves every tenant.
 */
export class LockByCall<
  L extends TakenLease = TakenLease,
  X = unknown,
  B extends BaseLock<L, X> = BaseLock<L, X>,
> implements Lock<L, X> {
  readonly setup: LockSetup;

  /** @throws LockUsageError for what no call could lock */
  constructor(
    readonly make: (naming: Naming) => B,
    private readonly naming: Naming,
  ) {
    this.setup = make(asGiven).setup; // bad names and numbers are refused here already
  }

  /** The names as its caller gave them. */
  get names(): readonly string[] {
    return this.make(asGiven).names;
  }

  acquire(options?: AcquireOptions & X): Promise<L> {
    return orRejected(() => this.now().acquire(options));
  }

  tryAcquire(options?: AcquireOptions & X): Promise<L | undefined> {
    return orRejected(() => this.now().tryAcquire(options));
  }

  using<T>(work: (lease: L) => T | PromiseLike<T>, options?: UsingOptions & X): Promise<T> {
    return orRejected(() => this.now().using(work, options));
  }

  /** The lock that a call of this moment means. */
  protected now(): B {
    return this.make(this.naming);
  }
}

/** The same for permits. */
export class SemaphoreByCall
  extends LockByCall<TakenLease, PermitOptions, SemaphoreLock>
  implements Semaphore
{
  available(): Promise<number> {
    return orRejected(() => this.now().available());
  }
}

/** The same for a latch. */
export class LatchByCall implements CountDownLatch {
  /** @throws LockUsageError for a bad name or round */
  constructor(
    private readonly name: string,
    private readonly naming: Naming,
    private readonly setup: LockSetup,
    private readonly options?: LatchOptions,
  ) {
    this.on(asGiven);
  }

  trySetCount(n: number, options?: { readonly ttl?: Duration | undefined }): Promise<boolean> {
    return orRejected(() => this.on(this.naming).trySetCount(n, options));
  }

  countDown(id?: string): Promise<number> {
    return orRejected(() => this.on(this.naming).countDown(id));
  }

  count(): Promise<number | undefined> {
    return orRejected(() => this.on(this.naming).count());
  }

  opened(options?: Parameters<CountDownLatch['opened']>[0]): Promise<void> {
    return orRejected(() => this.on(this.naming).opened(options));
  }

  private on(naming: Naming): StoreLatch {
    return new StoreLatch(naming(this.name), this.setup, this.options);
  }
}
