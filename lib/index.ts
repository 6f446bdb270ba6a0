/// <reference lib="esnext.disposable" preserve="true" />
export { type Duration } from './base/duration.js';
export { LockBusyError, type LockBusyReason, type LockHolder } from './base/lock-busy-error.js';
export { LockError, type LockErrorCode } from './base/lock-error.js';
export { LockLostError, type LockLostReason } from './base/lock-lost-error.js';
export { LockStoreError } from './base/lock-store-error.js';
export { LockUsageError } from './base/lock-usage-error.js';
export { lockName } from './base/name.js';
export { type Lease } from './locks/lease.js';
export { type AcquireOptions, type Lock, type UsingOptions } from './locks/lock.js';
export { type LockOptionsWithLog, type LockServiceOptions } from './locks/lock-options.js';
export { type LockReport } from './locks/lock-report.js';
export { createLockService, LockService } from './locks/lock-service.js';
export { type ClientLike } from './store/redis/client-like.js';
