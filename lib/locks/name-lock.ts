import { LockUsageError } from '../base/lock-usage-error.js';
import { checkName } from '../base/name.js';
import { BaseLock, type LockContext } from './base-lock.js';
import type { LockMode } from './held-leases.js';
import { LeaseHandle } from './lease-handle.js';
import type { AcquireOptions } from './lock.js';

/** Mutual exclusion on one name. */
export class NameLock extends BaseLock<LeaseHandle> {
  readonly name: string;
  readonly names: readonly [string];
  readonly mode: LockMode = 'write';

  constructor(name: string, context: LockContext) {
    super(context);
    this.name = checkName(name);
    this.names = [name];
  }

  protected take(options: AcquireOptions, wait: number): Promise<LeaseHandle> {
    const { line, settings, clock } = this.context;
    return line
      .acquire(settings.request(this.name, options, wait))
      .then((tenure) => new LeaseHandle(tenure, clock));
  }

  protected enter<T>(
    work: (lease: LeaseHandle) => T | PromiseLike<T>,
    reentrant: boolean,
  ): Promise<T> | undefined {
    const held = this.context.held.current(this.name);
    if (!held) return undefined;
    if (reentrant) return this.context.held.enter(held, work as (lease: unknown) => T | PromiseLike<T>);
    throw new LockUsageError(
      `The running call holds '${this.name}' already, and reentrant is false: it would wait for itself.`,
      this.name,
    );
  }
}
