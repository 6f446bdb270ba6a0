import type { ClusterNode, ClusterOptions, RedisOptions } from 'ioredis';
import type { Duration } from '../base/duration.js';
import type { ClientLike } from '../store/redis/redis-source.js';

/**
 * Where the locks report what an operator should know. The `Logger` of Nest fits.
 *
 * @publicApi
 */
export interface LockLog {
  /** What an operator should look at. */
  warn(message: string): void;
  /** What is good to know, for example that Redis is back. @default `warn` */
  log?(message: string): void;
}

/** Logs a message that is not a warning, with `log` if there is one. */
export function inform(log: LockLog, message: string): void {
  if (log.log) log.log(message);
  else log.warn(message);
}

/**
 * Which grants count: those that so many replicas have.
 *
 * @publicApi
 */
export interface DurabilityOptions {
  /**
   * How many replicas of the master must have a grant before a caller is told of it. Only with all that can be promoted
   * is a grant known to whichever of them takes over. 1 … 100.
   */
  readonly replicas: number;
  /**
   * How long they are waited for. The whole acquire has min(1 s, ttl/3, what is left of its `wait`) as before, and this
   * is a part of it. 10 ms … 1 s. @default 500 ms
   */
  readonly timeout?: Duration | undefined;
}

/**
 * What a registration of locks is made of. Each option is optional and also accepts undefined.
 *
 * @publicApi
 */
export interface LockServiceOptions {
  /**
   * Where the locks live: a `redis://` or `rediss://` URL, the options of ioredis (for Sentinel, its own
   * `{ sentinels, name }`), some nodes of a cluster with the options of ioredis' `Cluster`, a client of ioredis 5 or 6 for
   * a server or a cluster, whose settings are copied and which is never written to, or `'memory'` for locks that
   * serialise this process only. When it is given as `undefined` or `''`, a variable is probably missing: under
   * `NODE_ENV=production` the start fails, and elsewhere there is a warning.
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
   * How long to try. 0 … 24 h or Infinity. A process that is killed keeps others out for ttl + guard, and a shorter wait may
   * end before that.
   * @default min(max(10 s, ttl + guard + 1 s), 30 s) by the ttl of the call: 11.5 s with the defaults
   */
  readonly wait?: Duration | undefined;
  /** The server keeps a lease this much longer than its holder believes. 0 … 24 h. @default min(500 ms, ttl/4) */
  readonly guard?: Duration | undefined;
  /** How long the record of an idle name, with its last fence, is kept. 0 … 24 h. @default 60 s */
  readonly fenceMemory?: Duration | undefined;
  /**
   * How long running work keeps its leases at a shutdown. When an application shuts down, this time begins after all other
   * hooks, and waiting callers have it, too; at `close()` it begins at once. 0 … 24 h. @default 10 s
   */
  readonly shutdownGrace?: Duration | undefined;
  /**
   * Whether calls enter the names that their async context holds, unless they say otherwise; `reentrant` of `using` says
   * what you have to trust then. @default false
   */
  readonly reentrant?: boolean | undefined;
  /**
   * What happens when Redis cannot be reached at the start: fail within 5 s (`require`), or start and let calls fail until
   * it can be reached (`warn`). @default 'require'
   */
  readonly startup?: 'require' | 'warn' | undefined;
  /**
   * Waits with each grant until so many replicas have it, so that a failover to one of them does not grant the name
   * again: replicas 1 … 100, timeout 10 ms … 1 s. A grant that too few acknowledge is given back, and the call goes on
   * waiting; at the end of its `wait` it fails with a LockStoreError that has the counts. It costs one more connection,
   * and each grant a round trip between the master and its replicas; releases and renewals are as fast as without.
   * Renewals and hand-offs inside the process are not acknowledged: docs/guarantees.md says what is proven.
   * @default none
   */
  readonly durability?: DurabilityOptions | undefined;
}

/**
 * The options of `createLockService`.
 *
 * @publicApi
 */
export interface LockOptionsWithLog extends LockServiceOptions {
  /** Where the locks report what an operator should know. @default process.emitWarning */
  readonly log?: LockLog | undefined;
}
