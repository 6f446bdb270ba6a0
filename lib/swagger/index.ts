/// <reference lib="esnext.disposable" preserve="true" />
export { ApiLocked } from './api-locked.js';
