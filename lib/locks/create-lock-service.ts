import { SystemClock } from '../base/clock.js';
import type { LockLog, LockOptionsWithLog } from './lock-options.js';
import { LockService } from './lock-service.js';
import { LockSettings } from './lock-settings.js';
import { openStore } from './open-store.js';

/**
 * Locks without Nest, for scripts and tools. Call `close()` at the end.
 *
 * @throws LockUsageError that names the option, its range and its value
 * @publicApi
 */
export function createLockService(options: LockOptionsWithLog = {}): LockService {
  const settings = new LockSettings(options);
  const clock = new SystemClock();
  const log: LockLog = options.log ?? { warn: (message: string) => process.emitWarning(message) };
  return new LockService(openStore(options, settings, clock, log), settings, clock, log);
}
