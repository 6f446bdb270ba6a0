import { isIP } from 'node:net';
import { Redis, type ClusterNode, type ClusterOptions, type RedisOptions } from 'ioredis';
import { LockUsageError } from '../../base/errors.js';
import { OURS, prepared } from './client-recipe.js';
import { addressOf, checkPlaces, optionsInUrl, shownSource } from './redis-address.js';
import { checkOptionKeys, isClient, refusalOf, type ClientLike, kindOfOption } from './redis-source.js';

/** A cluster by the addresses of some of its nodes, with the options of ioredis' Cluster. */
export interface ClusterSource {
  readonly cluster: readonly ClusterNode[];
  readonly options?: ClusterOptions | undefined;
}

/** Where a node of a cluster can be reached. */
export interface NodePlace {
  readonly host: string;
  readonly port: number;
}

/** What of a client of ioredis for a cluster is a recipe; nothing is ever sent over it. */
type ClusterLike = ClientLike & {
  readonly startupNodes?: readonly ClusterNode[];
  nodes?(): readonly { readonly options: RedisOptions }[];
};

const EXAMPLE =
  "redis: { cluster: [{ host: 'node-1', port: 7000 }, …], options: { redisOptions: { password } } }";
const REFRESH_EVERY = 5_000;
const LOOKUP = 'dnsLookup';

// What ioredis 5 and 6 know as options of a cluster. Ours are those about addresses and servers; how a client of
// the application queues and retries does not concern locks.
const CLUSTER_OPTIONS = new Set(
  (
    'clusterRetryStrategy enableOfflineQueue enableReadyCheck scaleReads maxRedirections retryDelayOnFailover ' +
    'retryDelayOnClusterDown retryDelayOnTryAgain retryDelayOnMoved slotsRefreshTimeout slotsRefreshInterval ' +
    'shardedSubscribers clusterNodeRetryStrategy redisOptions lazyConnect useSRVRecords resolveSrv dnsLookup natMap ' +
    'enableAutoPipelining autoPipeliningIgnoredCommands scripts himportFieldsets keyPrefix showFriendlyErrorStack ' +
    'replyMapping'
  ).split(' '),
);

/** Whether a source of Redis is a cluster rather than one server. */
export function isClusterSource(source: unknown): source is ClusterSource | ClientLike {
  if (typeof source !== 'object' || source === null) return false;
  if (isClient(source)) return (source as { isCluster?: unknown }).isCluster === true;
  return 'cluster' in source && source.cluster !== undefined;
}

/** How to make connections to the nodes of a cluster like those of the user's client. */
export class ClusterRecipe {
  /** What messages call the cluster. */
  readonly address: string;
  /** The user's prefix of keys; we put it before ours ourselves, so that it is known where a key begins. */
  readonly keyPrefix: string;
  /** The nodes that are asked first what the cluster is. */
  readonly seeds: readonly NodePlace[];
  /** How often the nodes are asked again, in milliseconds. */
  readonly refreshEvery: number;
  private readonly options: ClusterOptions;
  private readonly redisOptions: RedisOptions;

  /** @throws LockUsageError for what leads to no cluster, with what to write instead */
  constructor(source: ClusterSource | ClientLike) {
    const refusal = refusalOf(source);
    if (refusal !== undefined) throw new LockUsageError(refusal);
    const given = isClient(source) ? partsOf(source) : source;
    const options = (this.options = given.options ?? {});
    if (!isClient(source)) checkClusterOptions(options);
    if (options.useSRVRecords)
      throw new LockUsageError(
        'The option redis takes the addresses of nodes of a cluster, not SRV records (useSRVRecords): look them up, and ' +
          `write ${EXAMPLE}.`,
      );
    if (!Array.isArray(given.cluster) || given.cluster.length === 0)
      throw new LockUsageError(
        `The option redis takes the addresses of some nodes as cluster, as in ${EXAMPLE}; it was ${shownSource(given.cluster)}.`,
      );
    const seeds = (given.cluster as readonly ClusterNode[]).map(optionsOfNode);
    checkPlaces(seeds);
    const { username, password, tls } = seeds.find((each) => each.password ?? each.tls) ?? {};
    const redisOptions: RedisOptions = { ...options.redisOptions };
    if (!redisOptions.password && password) Object.assign(redisOptions, { username, password });
    if (!redisOptions.tls && tls) redisOptions.tls = tls;
    this.redisOptions = redisOptions;
    const prefix = (options as { keyPrefix?: string }).keyPrefix;
    this.keyPrefix = prefix ?? redisOptions.keyPrefix ?? '';
    this.seeds = seeds.map(({ host = '127.0.0.1', port = 6379 }) => ({ host, port }));
    this.address = `cluster ${this.seeds.map(({ host, port }) => `${host}:${port}`).join(', ')}`;
    this.refreshEvery = options.slotsRefreshInterval || REFRESH_EVERY;
  }

  /** What no message may show. */
  get secrets(): readonly (string | null | undefined)[] {
    return [this.redisOptions.password, this.options.redisOptions?.password];
  }

  /** Where a node is reached that the cluster knows as `host:port`. */
  placeOf(host: string, port: number): NodePlace {
    const { natMap } = this.options;
    const key = `${host}:${port}`;
    const mapped = typeof natMap === 'function' ? natMap(key) : natMap?.[key];
    return mapped ? { host: mapped.host, port: mapped.port } : { host, port };
  }

  /** The place of a seed, by the user's own look-up where there is one. */
  lookedUp(seed: NodePlace): Promise<NodePlace> {
    const lookup = this.options[LOOKUP];
    if (!lookup || isIP(seed.host)) return Promise.resolve(seed);
    return new Promise((resolve, reject) =>
      lookup(seed.host, (error, host) => (error ? reject(error) : resolve({ host, port: seed.port }))),
    );
  }

  /** What messages call a node. */
  addressOf(place: NodePlace): string {
    return addressOf({ ...this.redisOptions, ...place });
  }

  /** A new connection to a node, not connected yet; `returning` makes it anew whenever it is lost. */
  open(place: NodePlace, connectionName: string, returning = true): Redis {
    const once = returning ? {} : { retryStrategy: () => null };
    const given = this.redisOptions;
    const enableReadyCheck = given.enableReadyCheck ?? true;
    const client = new Redis({ ...given, ...OURS, enableReadyCheck, ...once, ...place, connectionName });
    return prepared(client, () => ({ ...given, ...this.options.redisOptions }));
  }
}

/** The recipe in a client: the nodes that it was given, and those that it knows. */
function partsOf(client: ClusterLike): ClusterSource {
  const known = client.nodes?.().map(({ options: { host, port } }) => ({ host, port })) ?? [];
  return {
    cluster: [...(client.startupNodes ?? []), ...(known as ClusterNode[])],
    options: client.options,
  };
}

/** @throws LockUsageError */
function optionsOfNode(node: ClusterNode): RedisOptions {
  if (typeof node === 'number') return { port: node };
  if (typeof node === 'string') return optionsInUrl(/^[a-z]+:\/\//i.test(node) ? node : `redis://${node}`);
  if (typeof node === 'object' && node !== null) return node as RedisOptions;
  throw new LockUsageError(`A node of the cluster is { host, port } or a URL; one was ${shownSource(node)}.`);
}

/** @throws LockUsageError for keys that ioredis does not know: it would leave them out without a word */
function checkClusterOptions(options: ClusterOptions): void {
  if (typeof options !== 'object' || options === null)
    throw new LockUsageError(
      `The options of a cluster are those of ioredis' Cluster; they were ${shownSource(options)}.`,
    );
  checkOptionKeys(options.redisOptions ?? {});
  for (const [key, value] of Object.entries(options)) {
    if (value === undefined || CLUSTER_OPTIONS.has(key)) continue;
    throw new LockUsageError(
      kindOfOption(key) === undefined
        ? `The options of a cluster have a key that ioredis does not know: ${key}. Write it as ioredis does, or leave it out.`
        : `The option ${key} is one of each server of the cluster: write options: { redisOptions: { ${key}: … } }.`,
    );
  }
}
