/// <reference lib="esnext.disposable" preserve="true" />
export {
  DistributedLockTestingModule,
  type DistributedLockTestingOptions,
} from './distributed-lock-testing-module.js';
export { connectLocks } from './locks-in-memory.js';
