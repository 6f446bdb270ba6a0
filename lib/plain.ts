/// <reference lib="esnext.disposable" preserve="true" />
// The entry for programs without Nest: it loads no module of @nestjs, and needs none to be installed.
export { type Duration } from './base/duration.js';
export {
  type DeadlockMember,
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
export {
  type LockAcquireEvent,
  type LockAtRiskEvent,
  type LockBusyEvent,
  type LockEvent,
  type LockEvents,
  type LockGrantedEvent,
  type LockLingeringEvent,
  type LockLostEvent,
  type LockReleasedEvent,
  type LockRenewedEvent,
  type LockRevokedEvent,
  type LockStoreErrorEvent,
} from './line/lock-events.js';
export { type CountDownLatch, type LatchOptions } from './locks/countdown-latch.js';
export { type Leader, type LeaderHandlers, type StepDownReason } from './locks/leadership.js';
export { type ResumeOptions } from './locks/resumed-lease.js';
export { type OnceOptions, type OnceOutcome } from './locks/once-lock.js';
export { type PermitOptions, type Semaphore } from './locks/semaphore.js';
export {
  type AcquireOptions,
  type HandOverOptions,
  type Lease,
  type Lock,
  type UsingOptions,
  type WriteLease,
} from './locks/lock.js';
export {
  type DurabilityOptions,
  type LockOptionsWithLog,
  type LockServiceOptions,
  type RecorderOptions,
} from './locks/lock-options.js';
export { type LockHistoryEvent } from './locks/lock-history.js';
export { type LockLog, type LockLogEntry, type LockLogEvent } from './locks/lock-log.js';
export { type LockKind, type LockReport } from './locks/inspector.js';
export { createLockService, leastRights } from './locks/create-lock-service.js';
export { LockService } from './locks/lock-service.js';
export { type StoreFindings } from './store/lock-store.js';
export { type ClientLike } from './store/redis/redis-source.js';
