/// <reference lib="esnext.disposable" preserve="true" />
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
export { type Lease, type WriteLease } from './locks/lease.js';
export { type OnceOptions, type OnceOutcome } from './locks/once-lock.js';
export { type PermitOptions, type Semaphore } from './locks/semaphore.js';
export { type AcquireOptions, type Lock, type UsingOptions } from './locks/lock.js';
export {
  type DurabilityOptions,
  type LockLog,
  type LockOptionsWithLog,
  type LockServiceOptions,
} from './locks/lock-options.js';
export { type LockKind, type LockReport } from './locks/inspector.js';
export { createLockService } from './locks/create-lock-service.js';
export { LockService } from './locks/lock-service.js';
export { withLocks } from './nest/lock-slot.js';
export { DistributedLockModule } from './nest/distributed-lock-module.js';
export {
  type DistributedLockAsyncOptions,
  type DistributedLockExtras,
  type DistributedLockOptions,
  type DistributedLockOptionsFactory,
} from './nest/distributed-lock-options.js';
export { type HttpMappingOptions, type LockErrorBody, toHttpException } from './nest/http-exception.js';
export { getLocksToken, InjectLocks } from './nest/locks-token.js';
export { LockInterceptor } from './nest/lock-interceptor.js';
export { type LockedDecorator, type LockKey, type LockNames, type LockSignal } from './nest/lock-key.js';
export { Locked } from './nest/locked.js';
export { type LockedOptions, type LockInterceptorOptions, type LockProfile } from './nest/locked-options.js';
export { type StoreFindings } from './store/store-findings.js';
export { type ClientLike } from './store/redis/client-like.js';
