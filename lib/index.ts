/// <reference lib="esnext.disposable" preserve="true" />
export * from './plain.js';
export { withLocks } from './nest/lock-slot.js';
export {
  type DistributedLockAsyncOptions,
  type DistributedLockExtras,
  DistributedLockModule,
  type DistributedLockOptions,
  type DistributedLockOptionsFactory,
} from './nest/distributed-lock-module.js';
export {
  type HttpMappingOptions,
  lockErrorBody,
  type LockErrorBody,
  toHttpException,
} from './nest/http-exception.js';
export { LockExceptionFilter } from './nest/lock-exception-filter.js';
export { getLocksToken, InjectLocks } from './nest/locks-token.js';
export { LockInterceptor } from './nest/lock-interceptor.js';
export {
  type LockedDecorator,
  type LockedStreamDecorator,
  type LockKey,
  type LockLabel,
  type LockNames,
  type LockSignal,
  type OnBusy,
} from './nest/lock-key.js';
export { Locked } from './nest/locked.js';
export { LockedLease, type LeaseParameterDecorator } from './nest/locked-lease.js';
export { LockedStream } from './nest/locked-stream.js';
export { LockDefaults } from './nest/lock-defaults.js';
export { type LockFeatureOptions } from './nest/lock-feature.js';
export { lockedMethods, type LockedMethod } from './nest/locked-methods.js';
export {
  type LockDefaultsOptions,
  type LockedOptions,
  type LockInterceptorOptions,
  type LockProfile,
} from './nest/locked-options.js';
export { runOncePerFire, type FireOptions } from './nest/fire-run.js';
export { type Fire, type FirePlan } from './nest/fire-plan.js';
