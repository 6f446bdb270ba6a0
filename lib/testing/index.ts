/// <reference lib="esnext.disposable" preserve="true" />
export {
  DistributedLockTestingModule,
  type DistributedLockTestingOptions,
} from './distributed-lock-testing-module.js';
export { withLocks } from './locks-in-memory.js';
