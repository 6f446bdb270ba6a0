import type { Redis } from 'ioredis';
import type { Clock } from '../../base/clock.js';
import type { Concerns } from '../lock-store.js';
import type { ServerSample } from '../server-clock.js';
import type { ClientRecipe } from './client-recipe.js';
import { NativePath } from './native-path.js';
import { RedisConnection, serverIn, type ConnectionListener } from './redis-connection.js';

/** The servers that have the locks of a store: one, or the masters of a cluster. */
export interface RedisServers {
  /** What messages call them. */
  readonly address: string;
  /** Whether each of them hears what any of them publishes: then two connections lead to two of them. */
  readonly noticesFromAny: boolean;
  /** Whether it is known which servers they are. */
  readonly known: boolean;
  /** How often names went from one of them to another. */
  readonly changes: number;
  /** The connection to the server that has a name, up or not; undefined while that server is not known. */
  connectionOf(name: string): RedisConnection | undefined;
  /** The same once it is up; rejects with LockStoreError after `timeout` ms, or at once when that is in vain. */
  ready(name: string, timeout: number): Promise<RedisConnection>;
  /** The connections to all of them, once they are up. Rejects as `ready`. */
  all(timeout: number): Promise<readonly RedisConnection[]>;
  /** What the clock shows of the server that notices call so; undefined for others. */
  sampleOf(server: string): ServerSample | undefined;
  /** Whether what the servers publish comes from a server of that run id. */
  mayPublish(runId: string): boolean;
  /** The connection for notices is lost: what is known of clocks may not be of the server behind the next one. */
  forgetSample(): void;
  /** A new connection for notices, not connected yet; `place` says which of the two, where there are two. */
  openForNotices(place?: 0 | 1): Redis;
  /** What an operator should know about them. */
  readonly warnings: readonly string[];
  /** Whether an answer of one of them is awaited. */
  readonly awaited: boolean;
  keepAlive(on: boolean): void;
  close(): void;
}

/** Who is told of the servers. */
export interface ServersListener {
  /** Another server than before has the names that it `concerns`, and may not know what was granted. */
  moved(what: string, concerns?: Concerns): void;
  /** A connection is up, for the names that it `concerns`. */
  up(concerns?: Concerns): void;
  /** The connection to a server was up and is not. */
  lost(address: string, why: string): void;
  /** It is up again, so many milliseconds later. */
  back(address: string, after: number): void;
  /** Notices may go unheard over that one of two connections: another one is to be made. */
  deaf(place: 0 | 1): void;
}

/** How connections to servers are made. */
export interface ServersSettings {
  readonly clock: Clock;
  /** What servers are told about connections. */
  readonly connectionName: string;
  /** The argument that all scripts begin with, see {@link RedisConnection}. */
  readonly termsFor: (countable: boolean, server: string) => string;
  /** What the keys of locks begin with. */
  readonly prefix: string;
  /** Whether the server is to say over the connection for notices that somebody else has changed keys. */
  readonly tracking?: boolean;
  /** Whether free names are taken and given back without scripts, where the server does that. */
  readonly native?: boolean;
}

/** The one server that has all names, by itself or behind Sentinel. */
export class OneServer implements RedisServers {
  readonly address: string;
  readonly noticesFromAny = false;
  readonly known = true;
  readonly changes = 0;
  readonly warnings = [];
  readonly connection: RedisConnection;

  constructor(
    private readonly recipe: ClientRecipe,
    private readonly settings: ServersSettings,
    on: ServersListener,
  ) {
    const { address } = recipe;
    this.address = address;
    this.connection = this.connect({
      moved: (what) => on.moved(what),
      up: () => on.up(),
      lost: (why) => on.lost(address, why),
      back: (after) => on.back(address, after),
    });
  }

  /** One more connection to the server. */
  connect(on: ConnectionListener): RedisConnection {
    const { clock, connectionName, termsFor, native } = this.settings;
    const client = this.recipe.open(connectionName);
    return new RedisConnection(
      client,
      this.address,
      clock,
      on,
      termsFor,
      native ? new NativePath() : undefined,
    );
  }

  connectionOf(_name: string): RedisConnection {
    return this.connection;
  }

  async ready(_name: string, timeout: number): Promise<RedisConnection> {
    await this.connection.ready(timeout);
    return this.connection;
  }

  async all(timeout: number): Promise<readonly RedisConnection[]> {
    return [await this.ready('', timeout)];
  }

  sampleOf(server: string): ServerSample | undefined {
    const { runId, sample } = this.connection;
    return server !== '' && server === serverIn(runId) ? sample : undefined;
  }

  mayPublish(runId: string): boolean {
    return runId === this.connection.runId;
  }

  forgetSample(): void {
    this.connection.sample = undefined;
  }

  openForNotices(): Redis {
    const { connectionName, tracking } = this.settings;
    // ioredis 6 drops what a server says of changed keys in version 3 of the protocol.
    return this.recipe.open(connectionName, tracking ? 2 : undefined);
  }

  get awaited(): boolean {
    return this.connection.awaited;
  }

  keepAlive(on: boolean): void {
    this.connection.keepAlive(on);
  }

  close(): void {
    this.connection.close();
  }
}
