/// <reference lib="esnext.disposable" preserve="true" />
export { instrumentLocks, type LockInstrumentationOptions } from './lock-instrumentation.js';
