import { Redis, type RedisOptions } from 'ioredis';
import { LockUsageError } from '../../base/errors.js';
import { outsideContext } from '../../base/outside-context.js';
import { addressOf, checkPlaces, optionsInUrl } from './redis-address.js';
import { checkOptionKeys, isClient, refusalOf, type ClientLike } from './redis-source.js';
import { calmSentinels, refusalOfSentinelOptions, sentinelSettings } from './sentinel-settings.js';

/** Every way to say which Redis. */
export type RedisSource = string | RedisOptions | ClientLike;

/** Our own settings: a command fails at once instead of being queued or sent twice; we ask again ourselves. */
export const OURS = {
  lazyConnect: true,
  keyPrefix: '',
  enableOfflineQueue: false,
  enableAutoPipelining: false, // it would hold a command back until the event loop turns
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  maxRetriesPerRequest: 0,
  connectTimeout: 5_000,
  disconnectTimeout: 100, // the other side may be silent: nobody waits for its good-bye
  keepAlive: 5_000,
  commandTimeout: undefined,
  socketTimeout: undefined,
  maxLoadingRetryTime: 250, // ioredis waits for that with a timer that keeps the process alive
  readOnly: false,
  monitor: false,
  stringNumbers: false,
  replyMapping: 'legacy',
  himportFieldsets: undefined,
  retryStrategy: (attempt: number) =>
    Math.min(20 * 2 ** Math.min(attempt, 6), 1_000) * (0.5 + Math.random() / 2),
  reconnectOnError: null, // it would end the connection once for each answer
} as const;

// A server that reads its data says so in INFO, and ioredis asks it again without a word.
const LOADING = /^loading:1/m;
const LOADING_WORDS = 'LOADING Redis is loading the dataset in memory';
// The server does not know INFO: then nobody can ask it whether it is ready.
const NO_INFO = /unknown command.{0,3}info\b/i;

/**
 * How to make a connection like the user's. A given client is a recipe, not a channel: it is duplicated with
 * our settings; no command is ever sent on it and it is never closed.
 */
export class ClientRecipe {
  /** What messages call the server. */
  readonly address: string;
  /** The user's prefix of keys; we put it before ours ourselves, so that it is known where a key begins. */
  readonly keyPrefix: string;
  /** The number of the database. */
  readonly db: number;
  /** What the user has said, and may change in a client that was given. */
  private readonly given: RedisOptions;
  private readonly make: (name: { connectionName?: string; protocol?: 2 | undefined }) => Redis;

  /** @throws LockUsageError for what leads to no Redis, with what to write instead */
  constructor(source: RedisSource) {
    const refusal = refusalOf(source);
    if (refusal !== undefined) throw new LockUsageError(refusal);
    const given: RedisOptions = (this.given = isClient(source)
      ? source.options
      : typeof source === 'string'
        ? optionsInUrl(source)
        : source);
    const wrong = refusalOfSentinelOptions(given);
    if (wrong !== undefined) throw new LockUsageError(wrong);
    // Whether the server may be asked if it is ready is what the user may know better.
    const ours = {
      ...OURS,
      enableReadyCheck: given.enableReadyCheck ?? true,
      ...sentinelSettings(given, source),
    };
    if (isClient(source)) {
      const db = presentDb(source);
      this.make = (name) => source.duplicate(...([{ ...ours, ...name, db }] as never[])) as Redis;
    } else {
      checkOptionKeys(given);
      this.make = (name) => new Redis({ ...given, ...ours, ...name });
    }
    const probe = this.make({});
    if (!isLikeOurs(probe))
      throw new LockUsageError(
        'The option redis takes a client of ioredis 5 or 6, whose duplicate() takes settings of ours; the duplicate of ' +
          'the client that was given does not have them (ioredis-mock is such a client). Give the URL or the options ' +
          "instead, and in tests redis: 'memory'.",
      );
    checkPlaces([probe.options, ...(probe.options.sentinels ?? [])]);
    this.address = addressOf(probe.options);
    this.keyPrefix = given.keyPrefix ?? '';
    this.db = probe.options.db ?? 0;
    probe.disconnect();
  }

  /** A new connection, not connected yet; `protocol` is that of the client's options unless it is given. */
  open(connectionName: string, protocol?: 2): Redis {
    const client = prepared(this.make({ connectionName, ...(protocol && { protocol }) }), () => this.given);
    calmSentinels(client);
    return client;
  }
}

const CREDENTIALS = ['username', 'password', 'sentinelUsername', 'sentinelPassword'] as const;

/**
 * A client of ours that is quiet, and connects outside of every caller's context, each time with what `credentials` says
 * then: a password that is changed in a client of the user's is the next one of ours.
 */
export function prepared(client: Redis, credentials: () => RedisOptions): Redis {
  // An unheard 'error' is printed by ioredis; we report per call.
  client.on('error', (error: Error) => {
    if (NO_INFO.test(error.message)) client.options.enableReadyCheck = false;
  });
  const info = client.info.bind(client) as (...args: unknown[]) => Promise<unknown>;
  client.info = ((...args: unknown[]) => {
    const answer = info(...args);
    answer.then(
      (text) => LOADING.test(String(text)) && client.emit('error', new Error(LOADING_WORDS)),
      () => undefined,
    );
    return answer;
  }) as typeof client.info;
  // ioredis calls it again after each loss, from wherever the loss was found.
  const connect = client.connect.bind(client);
  client.connect = (...args) => {
    const present = credentials();
    for (const key of CREDENTIALS) if (present[key] != null) client.options[key] = present[key];
    return outsideContext(() => connect(...args));
  };
  return client;
}

/** Whether a duplicate is a client of ioredis with our settings: what ignores them would queue, or lock elsewhere. */
function isLikeOurs(client: Partial<Redis> | undefined): client is Redis {
  return (
    typeof client?.disconnect === 'function' &&
    typeof client.evalsha === 'function' &&
    client.status === 'wait' &&
    client.options?.enableOfflineQueue === false &&
    client.options.maxRetriesPerRequest === 0 &&
    client.options.keyPrefix === ''
  );
}

/** The database that a client uses now: SELECT changes it without changing its options. */
function presentDb(client: ClientLike): number | undefined {
  type Selected = { select?: number } | null | undefined;
  const { db }: RedisOptions = client.options;
  // A client that is between two connections remembers the database of the one before.
  const { prevCondition, condition } = client as { prevCondition?: Selected; condition?: Selected };
  return (prevCondition ?? condition)?.select ?? db;
}
