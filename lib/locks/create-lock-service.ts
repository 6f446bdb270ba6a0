import { SystemClock, type Clock } from '../base/clock.js';
import { LockUsageError } from '../base/errors.js';
import type { LockStore } from '../store/lock-store.js';
import { MemoryServer } from '../store/memory/memory-server.js';
import { MemoryStore } from '../store/memory/memory-store.js';
import { ClientRecipe } from '../store/redis/client-recipe.js';
import { ClusterRecipe, isClusterSource } from '../store/redis/cluster-recipe.js';
import { isNative } from '../store/redis/native-commands.js';
import { leastRightsRule } from '../store/redis/least-rights.js';
import { RedisStore } from '../store/redis/redis-store.js';
import { newSession } from '../store/session-id.js';
import { refuseUnknown } from './checks.js';
import { inform, type LockLog, warn } from './lock-log.js';
import type { LockOptionsWithLog, LockServiceOptions } from './lock-options.js';
import { LockService } from './lock-service.js';
import { LockSettings } from './lock-settings.js';
import { namesFor } from './option-table.js';
import { rehearse } from './rehearsal.js';

const KNOWN: ReadonlySet<string> = new Set([...namesFor('registration'), 'log']);

/**
 * Locks without Nest, for scripts and tools. Call `close()` at the end.
 *
 * @throws LockUsageError that names the option, its range and its value, and for an option that does not exist
 * @publicApi
 */
export function createLockService(options: LockOptionsWithLog = {}): LockService {
  const settings = new LockSettings(options);
  refuseUnknown(options, KNOWN);
  const clock = new SystemClock();
  const log: LockLog = options.log ?? { warn: (message: string) => process.emitWarning(message) };
  const store = openStore(options, settings, clock, log);
  if (store instanceof MemoryStore) return LockService.over(store, settings, clock, log);
  return LockService.over(store, settings, clock, log, () => void rehearse(clock, () => rehearsal(clock)));
}

/** Locks in memory that nobody hears of. */
function rehearsal(clock: Clock): LockService {
  const store = new MemoryStore(new MemoryServer(clock, 0), newSession(), clock);
  return LockService.over(store, new LockSettings({}), clock, { warn: () => undefined });
}

/**
 * The command of Redis that gives a user the least rights with which these locks work, for the namespace, the prefix of
 * keys, the database, the kind of servers and what else the options ask for. It connects to nothing, and the password in it is
 * `<password>`.
 *
 * @throws LockUsageError for locks in memory, and for options that lead to no Redis
 * @publicApi
 */
export function leastRights(options: LockServiceOptions): string {
  const { namespace, clientTracking, fenceMemory, durability } = new LockSettings(options);
  const native = isNative({ fenceMemory, durability, clientTracking });
  const { redis } = options;
  if (redis === undefined || redis === '' || redis === 'memory')
    throw new LockUsageError('Locks in memory need no rights. Set the option redis.');
  if (isClusterSource(redis)) {
    const { keyPrefix } = new ClusterRecipe(redis);
    return leastRightsRule({
      ...{ namespace, keyPrefix, native },
      cluster: true,
      otherDatabase: false,
      clientTracking: false,
      durability: false,
    });
  }
  const { keyPrefix, db } = new ClientRecipe(redis);
  return leastRightsRule({
    ...{ namespace, keyPrefix, native, clientTracking },
    cluster: false,
    otherDatabase: db !== 0,
    durability: durability !== undefined,
  });
}

/** Opens the store that the options ask for; the only place that knows all stores. @throws LockUsageError */
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
  if (inCluster && settings.durability)
    throw new LockUsageError(
      'The option durability takes one server, by itself or behind Sentinel: for clusters it is not a part of this ' +
        'version. Leave it out here.',
    );
  if (inCluster && settings.clientTracking)
    throw new LockUsageError(
      'The option clientTracking takes one server, by itself or behind Sentinel: each node of a cluster tells of its own ' +
        'keys only, and notices come over connections to two nodes. Leave it out here.',
    );
  const recipe = inCluster ? new ClusterRecipe(redis) : new ClientRecipe(redis);
  const [which, until] = inCluster
    ? ['none of its names', 'it is back or another node has taken its place']
    : ['no lock', 'it is back'];
  return new RedisStore(recipe, {
    ...settings,
    clock,
    lost: (address, why) =>
      warn(
        log,
        'store-lost',
        `Redis at ${address} is gone (${why}): ${which} can be taken until ${until}, and leases end at their ` +
          `deadlines unless ${until} by then.`,
        { address },
      ),
    back: (address, after) => {
      const duration = Math.round(after);
      inform(log, 'store-back', `Redis at ${address} is back after ${duration} ms.`, { address, duration });
    },
  });
}

/** Opens the memory store: silently if the options ask for it, and with a warning if they do not. */
function inMemory(
  options: LockServiceOptions,
  settings: LockSettings,
  clock: Clock,
  log: LockLog,
): MemoryStore {
  if (settings.durability)
    throw new LockUsageError(
      'The option durability needs a Redis with replicas; locks in memory have none. Leave it out here, or set the ' +
        'option redis.',
    );
  const warnings: string[] = [];
  if ('redis' in options && options.redis !== 'memory') {
    // The key without a value usually means that a variable of the environment is missing.
    const what = `The option redis is given, but ${options.redis === '' ? 'empty' : 'undefined'}`;
    const remedy =
      "Set it, for example to 'redis://localhost:6379', or write redis: 'memory' for locks of one process on purpose";
    if (process.env['NODE_ENV'] === 'production')
      throw new LockUsageError(
        `${what}: in production this is treated as a missing variable, since locks in memory do not reach ` +
          `other processes. ${remedy}.`,
      );
    warnings.push(`${what}: locks live in memory and serialise this process only. ${remedy}.`);
    warn(log, 'memory', warnings[0] as string);
  } else if (options.redis === undefined)
    warn(
      log,
      'memory',
      'No Redis is configured: locks live in memory and serialise this process only. ' +
        "Set the option redis, for example 'redis://localhost:6379', before you run a second process.",
    );
  return new MemoryStore(new MemoryServer(clock, settings.fenceMemory), newSession(), clock, warnings);
}
