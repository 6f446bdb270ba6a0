import { type LockStoreError, LockUsageError } from '../base/errors.js';
import type { Lease } from './lease.js';

/**
 * What work gets that runs without the lock (`onStoreError: 'run'`): nothing is held, and it says so to who asks.
 */
export class UnprotectedLease implements Lease {
  readonly held = false;
  readonly remaining = 0;
  /** Never aborts: nothing is held that could be lost, and the work is to run although it passes the signal on. */
  readonly signal: AbortSignal = new AbortController().signal;

  constructor(
    readonly names: readonly string[],
    readonly reason: LockStoreError,
  ) {}

  get fence(): number {
    return this.fenceOf(this.names[0] ?? '');
  }

  fenceOf(name: string): number {
    throw new LockUsageError(
      `'${name}' has no fence: the work runs without the lock (onStoreError: 'run').`,
      name,
    );
  }

  /** Nothing of it can be entered: what is not covered by it is taken. */
  partOn(_name: string): undefined {
    return undefined;
  }

  assertHeld(): void {
    throw this.reason;
  }

  renew(): Promise<void> {
    return Promise.reject(this.reason);
  }

  release(): Promise<'expired'> {
    return Promise.resolve('expired');
  }

  /** Runs it without the lock, as the work around it. */
  async using<T>(work: (lease: Lease) => T | PromiseLike<T>): Promise<T> {
    return work(this);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}
