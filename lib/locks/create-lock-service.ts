import { SystemClock, type Clock } from '../base/clock.js';
import { LockUsageError } from '../base/errors.js';
import type { LockStore } from '../store/lock-store.js';
import { MemoryServer } from '../store/memory/memory-server.js';
import { MemoryStore } from '../store/memory/memory-store.js';
import { ClientRecipe } from '../store/redis/client-recipe.js';
import { ClusterRecipe, isClusterSource } from '../store/redis/cluster-recipe.js';
import { RedisStore } from '../store/redis/redis-store.js';
import { newSession } from '../store/session-id.js';
import { type LockLog, type LockOptionsWithLog, inform, type LockServiceOptions } from './lock-options.js';
import { LockService } from './lock-service.js';
import { LockSettings } from './lock-settings.js';

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

/** The store that the options ask for: the one place that knows all of them. @throws LockUsageError */
export function openStore(
  options: LockServiceOptions,
  settings: LockSettings,
  clock: Clock,
  log: LockLog,
): LockStore {
  const { redis } = options;
  if (redis === undefined || redis === '' || redis === 'memory')
    return inMemory(options, settings, clock, log);
  const inCluster = isClusterSource(redis);
  const recipe = inCluster ? new ClusterRecipe(redis) : new ClientRecipe(redis);
  const [which, until] = inCluster
    ? ['none of its names', 'it is back or another node has its place']
    : ['no lock', 'it is back'];
  return new RedisStore(recipe, {
    ...settings,
    clock,
    lost: (address, why) =>
      log.warn(
        `Redis at ${address} is gone (${why}): ${which} can be taken until ${until}, and leases end at their ` +
          'deadlines unless that is before.',
      ),
    back: (address, after) => inform(log, `Redis at ${address} is back after ${Math.round(after)} ms.`),
  });
}

/** Locks of this process only: silently where they were asked for, with a word where nobody said so. */
function inMemory(
  options: LockServiceOptions,
  settings: LockSettings,
  clock: Clock,
  log: LockLog,
): MemoryStore {
  const warnings: string[] = [];
  if ('redis' in options && options.redis !== 'memory') {
    // A key without a value is a variable of the environment that is missing.
    const what = `The option redis is there, but ${options.redis === '' ? 'empty' : 'undefined'}`;
    const remedy =
      "Set it, for example to 'redis://localhost:6379', or write redis: 'memory' for locks of one process on purpose";
    if (process.env['NODE_ENV'] === 'production')
      throw new LockUsageError(
        `${what}: in production that is taken for a variable that is missing, since locks in memory do not reach ` +
          `other processes. ${remedy}.`,
      );
    warnings.push(`${what}: locks live in memory and serialise this process only. ${remedy}.`);
    log.warn(warnings[0] as string);
  } else if (options.redis === undefined)
    log.warn(
      'No Redis is configured: locks live in memory and serialise this process only. ' +
        "Set the option redis, for example 'redis://localhost:6379', before you run a second process.",
    );
  return new MemoryStore(new MemoryServer(clock, settings.fenceMemory), newSession(), clock, warnings);
}
