import type { ClusterNode, ClusterOptions, RedisOptions } from 'ioredis';
import type { Duration } from '../base/duration.js';
import type { ClientLike } from '../store/redis/redis-source.js';
import type { LockLog } from './lock-log.js';

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
 * How acquisitions are recorded.
 *
 * @publicApi
 */
export interface RecorderOptions {
  /** The signal of the process at which the recording is logged. `'SIGUSR2'`, `'SIGHUP'`. @default none */
  readonly signal?: 'SIGUSR2' | 'SIGHUP' | undefined;
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
  /**
   * The server keeps a lease this much longer than its holder believes. 0 … 24 h. Steps forward of the server's wall clock
   * within a lease have to add up to less; with 0, any of them may let somebody else in while the holder still believes its
   * lease. @default min(500 ms, ttl/4)
   */
  readonly guard?: Duration | undefined;
  /**
   * How long the record of an idle name, with its last fence, is kept. With 0 a free name costs the server less than half, and
   * fences grow for as long as the server's clock does not step back. 0 … 24 h. @default 60 s
   */
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
   * What happens when calls that hold locks wait for each other: `warn` logs it once and lets their waits end by
   * themselves, `fail` also ends one of the waits at once, with reason `deadlock`. `deadlock` of `acquire` says more.
   * @default 'warn'
   */
  readonly deadlock?: 'warn' | 'fail' | undefined;
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
  /**
   * Whether Redis says at once when somebody else has changed or removed the record of a held lock (`CLIENT TRACKING`), so
   * that a DEL, a FLUSHALL, an eviction or a hand on the key is noticed within a round trip or two instead of at the next
   * renewal. It begins with the first renewal of a lease, so shorter holds cost nothing; each renewal has a read of the key
   * with it then. What is said is a reason to renew, at most every 250 ms for each lease, and never a loss by itself. It is
   * for mutexes and writers; leases of readers and permits are not tracked. One server, by
   * itself or behind Sentinel; refused for a cluster, and without effect for locks in memory. It needs the rights
   * `+client|tracking +client|caching +client|id`; a start-up warning says when they are missing.
   * @default false
   */
  readonly clientTracking?: boolean | undefined;
  /**
   * For development: warns once of each lease of `acquire` or `tryAcquire` that is still held after this time, with the
   * stack that took it. A lease that nobody releases renews itself for as long as its process lives. It costs a stack
   * trace for each lease, and nothing when it is not given. 100 ms … 24 h. @default none
   */
  readonly leakDetectionThreshold?: Duration | undefined;
  /**
   * Whether the last 256 acquisitions are recorded, a black box: what was asked for, granted, refused, renewed, released and
   * lost, and when. What happened to a name is logged with each lost lease of it; `recording()` returns all of it, and an
   * object with a `signal` has it logged at that signal of the process.
   * @default false
   */
  readonly recorder?: boolean | RecorderOptions | undefined;
  /**
   * A function that makes the name that is locked of the name that a caller gives, for example with the tenant of the
   * request in front: names of different tenants are then different locks. It is called synchronously, in the caller's
   * async context, once for each name of a call of a decorated method, an interceptor, the service or a lock of any kind,
   * `inspect`, `revoke` and `current` included. It must give the same name for the same caller each time. An error that it
   * throws is the call's, and no work runs. Leases, errors, logs and reports have the name that is locked.
   * @default none: names are locked as they are given
   */
  readonly nameOf?: ((name: string) => string) | undefined;
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
