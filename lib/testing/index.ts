/// <reference lib="esnext.disposable" preserve="true" />
export {
  DistributedLockTestingModule,
  type DistributedLockTestingOptions,
  withLocks,
} from './distributed-lock-testing-module.js';
export {
  getLockTestKitToken,
  LockTestKit,
  type LockTestKitOptions,
  type TestHoldOptions,
} from './lock-test-kit.js';
export {
  type ContractCase,
  type OpenStore,
  storeContract,
  type StoreContract,
  type StoreContractOptions,
} from './contract/store-contract.js';
export { type StoreFailure } from './failing-store.js';
export { type LatchAnswer, type LatchOperation } from '../store/latch-machine.js';
export { type LockState } from '../store/lock-machine.js';
export { type AnswerTo, type Grant, type LockNotice, type LockOperation } from '../store/lock-operation.js';
export {
  type Answered,
  type LockReading,
  type LockStore,
  type LockStoreListener,
} from '../store/lock-store.js';
export { type ServerSample } from '../store/server-clock.js';
