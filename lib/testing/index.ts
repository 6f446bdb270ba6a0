/// <reference lib="esnext.disposable" preserve="true" />
export {
  DistributedLockTestingModule,
  type DistributedLockTestingOptions,
  withLocks,
} from './distributed-lock-testing-module.js';
