import type { LockLostError } from '../base/lock-lost-error.js';
import type { LockContext } from './base-lock.js';
import type { Lease } from './lease.js';
import { NameLock } from './name-lock.js';
import { WriteLeaseHandle } from './write-lease-handle.js';

/** The writer's side of a read-write lock: a mutex whose lease can go on as a reader's. */
export class WriteLock extends NameLock<WriteLeaseHandle> {
  constructor(name: string, context: LockContext) {
    super(name, 'write', context, (tenure) => new WriteLeaseHandle(tenure, context.clock, context.held));
  }

  protected override lossOf(lease: Lease): LockLostError | undefined {
    return super.lossOf((lease instanceof WriteLeaseHandle && lease.reading) || lease);
  }
}
