/// <reference lib="esnext.disposable" preserve="true" />
export { LockHealthIndicator, type LockHealthOptions } from './lock-health-indicator.js';
