/// <reference lib="esnext.disposable" preserve="true" />
// The entry for programs without Nest: it loads no module of @nestjs, and needs none to be installed.
export { type Duration } from './base/duration.js';
export {
  LockBusyError,
  type LockBusyReason,
  LockError,
  type LockErrorCode,
  type LockHolder,
  LockLostError,
  type LockLostReason,
  LockStoreError,
  LockUsageError,
} from './base/errors.js';
export { lockName } from './base/name.js';
export { type CountDownLatch, type LatchOptions } from './locks/countdown-latch.js';
export { type Leader, type LeaderHandlers, type StepDownReason } from './locks/leadership.js';
export { type OnceOptions, type OnceOutcome } from './locks/once-lock.js';
export { type PermitOptions, type Semaphore } from './locks/semaphore.js';
export {
  type AcquireOptions,
  type Lease,
  type Lock,
  type UsingOptions,
  type WriteLease,
} from './locks/lock.js';
export {
  type DurabilityOptions,
  type LockLog,
  type LockOptionsWithLog,
  type LockServiceOptions,
} from './locks/lock-options.js';
export { type LockKind, type LockReport } from './locks/inspector.js';
export { createLockService } from './locks/create-lock-service.js';
export { LockService } from './locks/lock-service.js';
export { type StoreFindings } from './store/lock-store.js';
export { type ClientLike } from './store/redis/redis-source.js';
