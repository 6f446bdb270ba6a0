import type { LockStoreError } from '../base/errors.js';
import type {
  AcquireOperation,
  AnswerTo,
  Grant,
  LockNotice,
  LockOperation,
  TakeOverOperation,
} from './lock-operation.js';
import type { LatchAnswer, LatchOperation } from './latch-machine.js';
import type { LockState } from './lock-machine.js';
import type { ServerSample } from './server-clock.js';

/**
 * What the start-up probe found out about a store, for logs, health checks and tools.
 *
 * @publicApi
 */
export interface StoreFindings {
  /** How messages name the store: `memory`, or `redis://host:6379/0`, never with credentials. */
  readonly address: string;
  /** The server's name as it says it: `redis`, `valkey`; where it may be asked. */
  readonly server?: string;
  /** The server's version, where it may be asked. Of Valkey its own, not that of the Redis that it stands in for. */
  readonly version?: string;
  /** `master` or `slave`, if the server tells. */
  readonly role?: string;
  /** What the server does when its memory is full, if the server tells. */
  readonly maxmemoryPolicy?: string;
  /** Whether waiters can be notified of their grants (PUBLISH and SUBSCRIBE are allowed); otherwise they ask. */
  readonly publish: boolean;
  /** How long the server took for one command, in milliseconds. Of several servers the longest. */
  readonly roundTrip?: number;
  /**
   * How far the server's clock is ahead of this machine's, in milliseconds, give or take half of the round trip. Leases do
   * not depend on it. Of several servers the largest.
   */
  readonly clockOffset?: number;
  /** What an operator should fix, one line each with the remedy; empty when all is well. */
  readonly warnings: readonly string[];
}

/** How many replicas have to have a grant before it counts, and for how many milliseconds they are waited for. */
export interface Durability {
  readonly replicas: number;
  readonly timeout: number;
}

/** The store granted it, and too few replicas have the grant: whoever asked gives it back, by its id. */
export interface Unacknowledged {
  readonly outcome: 'unacknowledged';
  readonly now: number;
  /** What the caller is told, with the counts. */
  readonly error: LockStoreError;
}

/**
 * An answer with the local points of time that bracket it (milliseconds of the injected clock).
 *
 * @publicApi
 */
export type Answered<O extends LockOperation> = (
  AnswerTo<O> | (O extends AcquireOperation | TakeOverOperation ? Unacknowledged : never)
) & {
  /** Taken before the command entered the client. */
  readonly sentAt: number;
  readonly receivedAt: number;
};

/**
 * What the store knew about a name when it answered; `now` is the server's clock.
 *
 * @publicApi
 */
export interface LockReading {
  readonly name: string;
  readonly key: string;
  readonly state: LockState;
  readonly now: number;
}

/** Whether something is about a name. */
export type Concerns = (name: string) => boolean;

/**
 * What a store reports without being asked.
 *
 * @publicApi
 */
export interface LockStoreListener {
  /** A notice for an attempt of this session. `name` is what the user locks. */
  notice(name: string, notice: LockNotice): void;
  /**
   * A connection is back, or the session just became able to hear notices: every waiter asks now, or those for names that
   * it `concerns`.
   */
  wake(concerns?: Concerns): void;
  /**
   * Another server answers than before, or the same server with other data, so it may not know our leases and releases:
   * of all names, or of those that it `concerns`. `what` says which server, as the beginning of a sentence. Called before
   * `wake`.
   */
  moved?(what: string, concerns?: Concerns): void;
  /**
   * Somebody else may have changed the record of a name whose holder asked for tracking: of that name, or of any when none
   * is given. It is a reason to renew, and says nothing about the hold.
   */
  changed?(name?: string): void;
  /** Notices cannot be heard any more, until the next `wake`. */
  deaf?(): void;
  /** A message came over the session's channel that is no notice for this session: anybody may publish. */
  ignored?(): void;
}

/**
 * Where locks live. A store executes the operations of the machine, each atomically, and pushes notices to
 * its session. It knows names and attempts, not callers.
 *
 * @publicApi
 */
export interface LockStore {
  /** How messages name it: `redis://host:6379/0`, never with credentials. */
  readonly address: string;
  /** What the keys of its names begin with: two stores that have it in common, and the server, have the same locks. */
  readonly prefix: string;
  /** This process's presence; every attempt id of this process begins with it. */
  readonly session: string;
  /** Whether the session's channel is being listened to now. */
  readonly subscribed: boolean;

  /**
   * Executes one operation. Rejects with LockStoreError when the store refused or failed, or did not answer
   * within `timeout` ms; then the outcome is unknown.
   */
  execute<O extends LockOperation>(name: string, operation: O, timeout: number): Promise<Answered<O>>;
  /** Executes one operation on a countdown latch; rejects as `execute` does. */
  latch(name: string, operation: LatchOperation, timeout: number): Promise<LatchAnswer>;
  /** Reads the whole state of a name; changes nothing. */
  read(name: string, timeout: number): Promise<LockReading>;
  /**
   * Walks over all names that have a record, a page at a time. Each page is a bounded step for the store, and each command
   * takes at most `timeout` ms. A name that is there during the whole walk comes at least once; latches and foreign values
   * do not come. Rejects as `read` does.
   */
  list(timeout: number): AsyncIterable<readonly LockReading[]>;
  /** Starts to listen to the session's channel, once; calls `wake` when it hears notices. */
  subscribe(): void;
  /**
   * As `subscribe`; and from now on it is noticed within five seconds that notices cannot be heard any more, of which `deaf`
   * tells. A store without it is one that always hears.
   */
  attend?(): void;
  /** What the server's clock shows, by the last answer on the present command connection. */
  sample(name: string): ServerSample | undefined;
  /** A new sample, once the store can be reached; rejects with LockStoreError after `timeout` ms. */
  measure(name: string, timeout: number): Promise<ServerSample>;
  /** What the clock shows of the server that pushed a grant; undefined where that server is not known for sure. */
  sampleFor(grant: Grant): ServerSample | undefined;
  listen(listener: LockStoreListener): void;
  /** Resolves with what the store is, once it can be used; rejects with LockStoreError after `timeout` ms. */
  ready(timeout: number): Promise<StoreFindings>;
  /** Whether an answer of the store is awaited. */
  readonly awaited: boolean;
  /** Sets whether its present and future connections keep the process alive. By default they do. */
  keepAlive(on: boolean): void;
  /** Closes the connections it opened, and only those. */
  close(): Promise<void>;
}

/** Completes an answer in place, since the store has just made it: a copy would cost more than the machine itself. */
export function answeredAt<O extends LockOperation>(
  answer: AnswerTo<O>,
  sentAt: number,
  receivedAt: number,
): Answered<O> {
  const answered = answer as { sentAt?: number; receivedAt?: number };
  answered.sentAt = sentAt;
  answered.receivedAt = receivedAt;
  return answer as Answered<O>;
}
