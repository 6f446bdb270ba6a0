import { Redis, type RedisOptions } from 'ioredis';
import { shown } from '../../base/duration.js';
import { LockUsageError } from '../../base/lock-usage-error.js';
import type { ClientLike } from './client-like.js';
import { addressOf, checkUrl } from './redis-address.js';

/** Every way to say which Redis. */
export type RedisSource = string | RedisOptions | ClientLike;

// Our own settings: a command fails at once instead of being queued or sent twice; we ask again ourselves.
const OURS = {
  lazyConnect: true,
  keyPrefix: '',
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  enableReadyCheck: true,
  maxRetriesPerRequest: 0,
  connectTimeout: 5_000,
  disconnectTimeout: 100, // the other side may be silent: nobody waits for its good-bye
  keepAlive: 5_000,
  commandTimeout: undefined,
  socketTimeout: undefined,
  readOnly: false,
  retryStrategy: (attempt: number) =>
    Math.min(20 * 2 ** Math.min(attempt, 6), 1_000) * (0.5 + Math.random() / 2),
  reconnectOnError: null, // it would end the connection once for each answer
} as const;

/**
 * How to make a connection like the user's. A given client is a recipe, not a channel: it is duplicated with
 * our settings; no command is ever sent on it and it is never closed.
 */
export class ClientRecipe {
  /** What messages call the server. */
  readonly address: string;
  /** The user's prefix of keys; we put it before ours ourselves, so that it is known where a key begins. */
  readonly keyPrefix: string;
  private readonly make: (settings: RedisOptions) => Redis;

  constructor(source: RedisSource) {
    refuseOtherTopologies(source);
    if (typeof source === 'string') {
      checkUrl(source);
      this.make = (settings) => new Redis(source, settings as object);
    } else if (isClient(source)) {
      const duplicate = source.duplicate.bind(source) as (settings: RedisOptions) => Redis;
      this.make = duplicate;
    } else if (isOptions(source)) {
      this.make = (settings) => new Redis({ ...source, ...settings } as object);
    } else
      throw new LockUsageError(
        `The option redis takes a URL, the options of ioredis, or a client of ioredis; it was ${shown(source)}.` +
          (Array.isArray(source)
            ? " For one server write { host, port }; for independent masters { quorum: ['redis://…', …] } is not a part of this version."
            : ''),
      );
    const probe = this.make({ ...OURS });
    this.address = addressOf(probe.options);
    this.keyPrefix =
      (isClient(source) ? (source.options as RedisOptions) : typeof source === 'string' ? {} : source)
        .keyPrefix ?? '';
    probe.disconnect();
  }

  /** A new connection, not connected yet. */
  open(connectionName: string): Redis {
    const client = this.make({ ...OURS, connectionName });
    client.on('error', () => undefined); // an unheard 'error' is printed by ioredis; we report per call
    return client;
  }
}

/** What ioredis would take for the options of a server on localhost, or would not take at all. */
function refuseOtherTopologies(source: RedisSource): void {
  if (typeof source !== 'object' || source === null) return;
  const given = source as { url?: unknown; cluster?: unknown; quorum?: unknown; isCluster?: unknown };
  const several = isClient(source) ? given.isCluster === true : (given.cluster ?? given.quorum);
  if (!isClient(source) && given.url !== undefined)
    throw new LockUsageError(
      "The option redis takes the URL itself, as in redis: 'redis://…'; it was { url }.",
    );
  if (several)
    throw new LockUsageError(
      'The option redis takes one server, by itself or behind Sentinel: clusters and quorums are not a part of this version.',
    );
}

function isClient(source: unknown): source is ClientLike {
  return (
    typeof source === 'object' &&
    source !== null &&
    typeof (source as { duplicate?: unknown }).duplicate === 'function'
  );
}

function isOptions(source: unknown): source is RedisOptions {
  return typeof source === 'object' && source !== null && !Array.isArray(source);
}
