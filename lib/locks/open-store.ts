import type { Clock } from '../base/clock.js';
import type { LockStore } from '../store/lock-store.js';
import { MemoryServer } from '../store/memory/memory-server.js';
import { MemoryStore } from '../store/memory/memory-store.js';
import { ClientRecipe } from '../store/redis/client-recipe.js';
import { RedisStore } from '../store/redis/redis-store.js';
import { newSession } from '../store/session-id.js';
import type { LockServiceOptions } from './lock-options.js';
import type { LockSettings } from './lock-settings.js';

/** Where warnings go. */
export interface LockLog {
  warn(message: string): void;
}

/** The store that the options ask for: the one place that knows all of them. @throws LockUsageError */
export function openStore(
  options: LockServiceOptions,
  settings: LockSettings,
  clock: Clock,
  log: LockLog,
): LockStore {
  if (options.redis !== undefined)
    return new RedisStore(new ClientRecipe(options.redis), { ...settings, clock });
  log.warn(
    'No Redis is configured: locks live in memory and serialise this process only. ' +
      "Set the option redis, for example 'redis://localhost:6379', before you run a second process.",
  );
  return new MemoryStore(new MemoryServer(clock, settings.fenceMemory), newSession(), clock);
}
