import type { ClusterNode, ClusterOptions, RedisOptions } from 'ioredis';
import type { Duration } from '../base/duration.js';
import type { ClientLike } from '../store/redis/client-like.js';

/**
 * Where the locks say what an operator should know. The `Logger` of Nest is one.
 *
 * @publicApi
 */
export interface LockLog {
  /** What an operator should look at. */
  warn(message: string): void;
  /** What is good to know, for example that Redis is back. @default `warn` */
  log?(message: string): void;
}

/** Says what is good to know, to whatever the log has for it. */
export function inform(log: LockLog, message: string): void {
  if (log.log) log.log(message);
  else log.warn(message);
}

/**
 * What a registration of locks is made of. Each option is optional and also accepts undefined.
 *
 * @publicApi
 */
export interface LockServiceOptions {
  /**
   * Where the locks live: a `redis://` or `rediss://` URL, the options of ioredis (Sentinel is its own
   * `{ sentinels, name }`), some nodes of a cluster with the options of ioredis' `Cluster`, a client of ioredis 5 or 6
   * for a server or a cluster, which is a recipe and never written to, or `'memory'` for locks that serialise this
   * process only. The key with `undefined` or `''` fails the start under
   * `NODE_ENV=production`, since a variable is missing then; elsewhere it warns.
   * @default none: the in-memory store, with a warning
   */
  readonly redis?:
    | string
    | RedisOptions
    | ClientLike
    | { readonly cluster: readonly ClusterNode[]; readonly options?: ClusterOptions | undefined }
    | undefined;
  /** Keys are `<namespace>:<name>`. `[A-Za-z0-9_.-]{1,64}`. @default 'lock' */
  readonly namespace?: string | undefined;
  /** How long a lease lasts unless renewed. 100 ms … 24 h. @default 10 s */
  readonly ttl?: Duration | undefined;
  /**
   * How long to try. 0 … 24 h or Infinity. A process that is killed keeps others out for ttl + guard; a shorter wait may
   * end before.
   * @default min(max(10 s, ttl + guard + 1 s), 30 s) by the ttl of the call: 11.5 s with the defaults
   */
  readonly wait?: Duration | undefined;
  /** The server keeps a lease this much longer than its holder believes. 0 … 24 h. @default min(500 ms, ttl/4) */
  readonly guard?: Duration | undefined;
  /** How long the record of an idle name, with its last fence, is kept. 0 … 24 h. @default 60 s */
  readonly fenceMemory?: Duration | undefined;
  /**
   * How long running work keeps its leases at a shutdown. When an application shuts down it begins after all other
   * hooks, and callers that wait have it too; at `close()` it begins at once. 0 … 24 h. @default 10 s
   */
  readonly shutdownGrace?: Duration | undefined;
  /**
   * Whether calls enter the names that their async context holds, unless they say otherwise; see
   * `reentrant` of `using` for what that trusts. @default false
   */
  readonly reentrant?: boolean | undefined;
  /** Redis unreachable at start: fail within 5 s, or boot and fail per call until it is there. @default 'require' */
  readonly startup?: 'require' | 'warn' | undefined;
}

/**
 * The options of `createLockService`.
 *
 * @publicApi
 */
export interface LockOptionsWithLog extends LockServiceOptions {
  /** Where the locks say what an operator should know. @default process.emitWarning */
  readonly log?: LockLog | undefined;
}
