/// <reference lib="esnext.disposable" preserve="true" />
export { oncePerFire, type OncePerFireOptions } from './once-per-fire.js';
export { firesOf, type ScheduledJob } from './cron-fires.js';
