import type { Redis } from 'ioredis';
import type { Clock } from '../../base/clock.js';
import type { LockStoreError } from '../../base/errors.js';
import type {
  AcquireOperation,
  AnswerTo,
  Grant,
  LockAnswer,
  LockOperation,
  TakeOverOperation,
} from '../lock-operation.js';
import type { LatchAnswer, LatchOperation } from '../latch-machine.js';
import {
  answeredAt,
  type Answered,
  type Concerns,
  type Durability,
  type LockReading,
  type LockStore,
  type LockStoreListener,
  type StoreFindings,
} from '../lock-store.js';
import { micros, type ServerSample } from '../server-clock.js';
import { newAttemptId, newSession } from '../session-id.js';
import { AcknowledgedAcquires } from './acknowledged-acquires.js';
import type { ClientRecipe } from './client-recipe.js';
import { ClusterRecipe } from './cluster-recipe.js';
import {
  decodeAnswer,
  decodeLatchAnswer,
  encodeLatchOperation,
  encodeOperation,
  encodeTerms,
} from './operation-codec.js';
import { DoubleChannel } from './double-channel.js';
import { FewNames } from './few-names.js';
import { KeyTracking } from './key-tracking.js';
import { decodeNotice } from './notice-codec.js';
import { isNative, NativeCommands } from './native-commands.js';
import { NativeReply, type NativeCommand } from './native-command.js';
import { PendingCommand, type CommandHost } from './pending-command.js';
import { RedisChannel } from './redis-channel.js';
import { RedisCluster } from './redis-cluster.js';
import type { RedisConnection } from './redis-connection.js';
import { RecordReader } from './record-reader.js';
import { about, nonsense } from './redis-failures.js';
import { OneServer, type RedisServers, type ServersListener } from './redis-servers.js';
import { probe, probeName, together } from './startup-probe.js';

// A server of a cluster that has one slot of all is found by so many names, mostly.
const MOST_PROBE_NAMES = 20_000;
// How long it may take until the nodes of a cluster are known, before notices are listened to at any of them.
const NODES_PATIENCE = 5_000;
// How long the server may take to begin to track keys.
const TRACKING_PATIENCE = 1_000;

/** How a store of locks in Redis is set up. */
export interface RedisStoreSettings {
  readonly namespace: string;
  /** How long an idle record is kept, in milliseconds. */
  readonly fenceMemory: number;
  /** `host:pid` of this process. */
  readonly process: string;
  readonly clock: Clock;
  /** Which grants count; undefined: all of them. */
  readonly durability?: Durability | undefined;
  /** Whether the server is to say when somebody else changes the record of a held lock. One server only. */
  readonly clientTracking?: boolean | undefined;
  /** Told when the connection that commands go over is lost, and when it is up again, so many milliseconds later. */
  readonly lost?: (address: string, why: string) => void;
  readonly back?: (address: string, after: number) => void;
}

/** Locks in Redis, in one server or the masters of a cluster: one key per name, one channel per session. */
export class RedisStore implements LockStore {
  readonly session = newSession();
  private readonly idPrefix = `${this.session}.`;
  private readonly namespace: string;
  readonly prefix: string;
  /** In the microseconds of the scripts. */
  private readonly fenceMemory: number;
  private readonly servers: RedisServers;
  /** Where acquires go when their grants have to be acknowledged, and the connection for everything else then. */
  private acknowledged: AcknowledgedAcquires | undefined;
  private readonly channel: RedisChannel | DoubleChannel;
  private readonly records: RecordReader;
  private readonly clock: Clock;
  private readonly listeners: LockStoreListener[] = [];
  /** The names whose last release handed the lock off: others have waited for them, and may do so again. */
  private readonly wanted = new FewNames();
  private readonly native: NativeCommands | undefined;
  private readonly tracking: KeyTracking | undefined;

  constructor(recipe: ClientRecipe | ClusterRecipe, settings: RedisStoreSettings) {
    const { namespace, fenceMemory, process, clock, durability, lost = nothing, back = nothing } = settings;
    const tracking = settings.clientTracking === true;
    const connectionName = `${namespace}@${process}`.replace(/[^\x21-\x7e]/g, '_'); // CLIENT SETNAME takes no others
    const channelPrefix = `${namespace}:session:`;
    this.clock = clock;
    this.namespace = namespace;
    const prefix = (this.prefix = `${recipe.keyPrefix}${namespace}:`);
    this.fenceMemory = micros(fenceMemory);
    const termsFor = (countable: boolean, server: string): string =>
      encodeTerms(this.fenceMemory, channelPrefix, countable, server);
    const on: ServersListener = {
      moved: (what, concerns) => this.moved(what, concerns),
      up: (concerns) => {
        this.acknowledged?.align(this.acknowledged.connection);
        void this.tracking?.begin();
        this.wake(concerns);
      },
      deaf: (place) => this.channel.reset(place),
      ...{ lost, back },
    };
    const native = isNative(settings);
    const its = { clock, connectionName, termsFor, prefix, tracking, native };
    const servers = (this.servers =
      recipe instanceof ClusterRecipe
        ? new RedisCluster(recipe, its, on)
        : this.openOne(new OneServer(recipe, its, on), durability));
    if (native) this.native = new NativeCommands();
    this.records = new RecordReader(servers, prefix);
    const make = (hear: (text: string) => void, place?: 0 | 1): RedisChannel =>
      new RedisChannel(
        channelPrefix + this.session,
        () => servers.openForNotices(place),
        clock,
        {
          message: hear,
          up: () => {
            void this.tracking?.begin();
            this.wake();
          },
          down: () => {
            this.tracking?.end();
            servers.forgetSample();
            if (!this.subscribed) for (const listener of this.listeners) listener.deaf?.();
          },
          changed: tracking ? (keys) => this.tracking?.heard(keys) : undefined,
        },
        place !== undefined,
      );
    const hear = (text: string): void => this.hear(text);
    this.channel = servers.noticesFromAny
      ? new DoubleChannel((place, each) => make(each, place), hear)
      : make(hear);
    if (tracking && servers instanceof OneServer && this.channel instanceof RedisChannel)
      this.tracking = this.trackedBy(servers.connection, this.channel);
  }

  get address(): string {
    return this.servers.address;
  }

  get subscribed(): boolean {
    return this.channel.subscribed;
  }

  execute<O extends LockOperation>(name: string, operation: O, timeout: number): Promise<Answered<O>> {
    const spent = this.native?.spent(operation);
    if (spent) {
      const now = this.clock.now();
      return Promise.resolve(answeredAt(spent as AnswerTo<O>, now, now));
    }
    if (this.acknowledged !== undefined && (operation.kind === 'acquire' || operation.kind === 'takeOver'))
      return this.grant(this.acknowledged, name, operation, timeout);
    // Without a pause when it is up: the first caller's command leaves before the next one asks.
    const connection = this.servers.connectionOf(name);
    if (connection?.up) return this.send(connection, name, operation, timeout);
    const ready = this.servers.ready(name, timeout);
    return ready.then((now) => this.send(now, name, operation, timeout), naming(name));
  }

  latch(name: string, operation: LatchOperation, timeout: number): Promise<LatchAnswer> {
    const args = encodeLatchOperation(operation);
    const sent = this.servers
      .ready(name, timeout)
      .then((connection) => connection.alone('latch', this.prefix + name, args, timeout));
    return sent.then(decodeLatchAnswer).catch(naming(name));
  }

  read(name: string, timeout: number): Promise<LockReading> {
    return this.records.read(name, timeout).catch(naming(name));
  }

  list(timeout: number): AsyncIterable<readonly LockReading[]> {
    return this.records.list(timeout);
  }

  subscribe(): void {
    if (this.channel.started) return;
    const start = (): void => this.channel.start();
    // The nodes of a cluster have to be known: the two connections shall lead to two of them.
    if (this.servers.known) start();
    else void this.servers.all(NODES_PATIENCE).then(start, start);
  }

  attend(): void {
    this.subscribe();
    this.channel.attend();
  }

  sample(name: string): ServerSample | undefined {
    return this.servers.connectionOf(name)?.sample;
  }

  measure(name: string, timeout: number): Promise<ServerSample> {
    const ready = this.servers.ready(name, timeout);
    return ready.then((connection) => connection.measured(timeout)).catch(naming(name));
  }

  sampleFor({ server }: Grant): ServerSample | undefined {
    const { channel, servers } = this;
    if (this.acknowledged) return undefined; // a grant that is pushed has no acknowledgement: whoever hears of it asks
    if (!channel.subscribed) return undefined;
    // Not by the server that we listen to: a master that has become a replica hands on what the new master publishes.
    return servers.sampleOf(server ?? '');
  }

  listen(listener: LockStoreListener): void {
    this.listeners.push(listener);
  }

  async ready(timeout: number): Promise<StoreFindings> {
    const connecting = this.servers.all(timeout);
    // Beside the other connections, not after them: behind Sentinel each of them may wait for a sentinel that is silent.
    const channel = this.channel.started ? this.channel : this.trialChannel();
    const trial = channel.tryOut(timeout / 2);
    try {
      const connections = await connecting;
      const found = await Promise.all(connections.map((each) => this.probe(each, timeout, trial.outcome)));
      return together(this.servers, found);
    } finally {
      trial.end();
      if (channel !== this.channel) channel.close();
    }
  }

  get awaited(): boolean {
    return this.servers.awaited || this.acknowledged?.connection.awaited === true;
  }

  keepAlive(on: boolean): void {
    this.servers.keepAlive(on);
    this.acknowledged?.connection.keepAlive(on);
    this.channel.keepAlive(on);
  }

  close(): Promise<void> {
    this.channel.close();
    this.servers.close();
    this.acknowledged?.connection.close();
    return Promise.resolve();
  }

  /** One that nobody listens to. */
  private trialChannel(): RedisChannel {
    const { namespace, session, servers, clock } = this;
    const deaf = { message: nothing, up: nothing, down: nothing };
    const open = (): Redis => servers.openForNotices(servers.noticesFromAny ? 0 : undefined);
    return new RedisChannel(`${namespace}:session:${session}`, open, clock, deaf, servers.noticesFromAny);
  }

  private async probe(
    connection: RedisConnection,
    timeout: number,
    hearing: Promise<Error | undefined>,
  ): Promise<StoreFindings | undefined> {
    const { namespace, prefix, session, servers } = this;
    const { address } = connection;
    const rights = (key: string): Promise<unknown> => connection.alone('rights', key, [session], timeout);
    const execute = this.execute.bind(this);
    for (let tries = 0; tries < MOST_PROBE_NAMES; tries += 1) {
      const id = newAttemptId(session);
      if (servers.connectionOf(probeName(id)) !== connection) continue;
      const found = connection.command('the start-up probe', timeout, (client) =>
        probe(
          client,
          { address, session, execute },
          { namespace, prefix, id, timeout, rights, hearing, tracking: this.tracking !== undefined },
        ),
      );
      const outcome = await found.catch((error: Error) => error);
      if (!(outcome instanceof Error)) return outcome;
      // The name has gone to another server of the cluster meanwhile, which says nothing of this one.
      if (servers.connectionOf(probeName(id)) === connection) throw outcome;
    }
    return undefined; // no name of ours comes to this server, or hardly any
  }

  private send<O extends LockOperation>(
    connection: RedisConnection,
    name: string,
    operation: O,
    timeout: number,
  ): Promise<Answered<O>> {
    return new Promise((resolve, reject) => {
      const args = encodeOperation(operation, this.fenceMemory);
      const sentAt = this.clock.now();
      const wanted = this.wanted.has(name);
      const tellsFirst = operation.kind === 'release' && wanted;
      const native = this.native?.of(name, operation, connection, sentAt, wanted);
      const command = new PendingCommand<unknown>(
        connection,
        operation.kind,
        timeout,
        sentAt,
        (reply, receivedAt) => {
          if (reply instanceof NativeReply)
            return resolve(this.answeredNatively(command.host, operation, native, reply, sentAt, receivedAt));
          const answer = this.answered(command.host, operation, reply, sentAt, receivedAt);
          if (operation.kind === 'release') this.learn(name, reply);
          if (!answer) return reject(nonsense(this.address, operation.kind, name));
          this.native?.learn(name, operation, answer as LockAnswer);
          resolve(answer);
        },
        (error) => {
          this.native?.failed(operation, native);
          reject(about(name, error));
        },
      );
      const tracked = 'tracked' in operation && this.tracking !== undefined;
      if (tracked) this.channel.start(); // the server says there what it has to say
      connection.gather(operation.kind, {
        key: this.prefix + name,
        args,
        command,
        tellsFirst,
        tracked,
        native,
      });
    });
  }

  /** Asks for a lock whose grant counts when enough replicas have it. */
  private grant<O extends AcquireOperation | TakeOverOperation>(
    acquires: AcknowledgedAcquires,
    name: string,
    operation: O,
    timeout: number,
  ): Promise<Answered<O>> {
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => reject(about(name, error));
      if (acquires.elsewhere) return fail(acquires.elsewhere);
      let granted: Answered<O> | undefined;
      const end = (outcome: object, receivedAt: number): void =>
        resolve({ ...granted, ...outcome, receivedAt } as Answered<O>);
      const unacknowledged = (error: LockStoreError, receivedAt: number): void =>
        end({ outcome: 'unacknowledged', error: about(name, error) }, receivedAt);
      const args = encodeOperation(operation, this.fenceMemory);
      acquires.ask(operation.kind, this.prefix + name, args, timeout, {
        replied: (reply, sentAt, receivedAt) => {
          if (acquires.elsewhere) {
            fail(acquires.elsewhere);
            return false;
          }
          const answer = this.answered(acquires.main, operation, reply, sentAt, receivedAt);
          if (answer?.outcome === 'granted') granted = answer;
          else if (answer) resolve(answer);
          else reject(nonsense(this.address, operation.kind, name));
          return answer?.outcome === 'granted';
        },
        acknowledged: (replicas, receivedAt) => {
          if (acquires.elsewhere) unacknowledged(acquires.elsewhere, receivedAt);
          else end({ replicas }, receivedAt);
        },
        unacknowledged,
        failed: fail,
      });
    });
  }

  private trackedBy(commands: RedisConnection, notices: RedisChannel): KeyTracking {
    const tracking = new KeyTracking({
      ...{ commands, notices },
      send: (words) =>
        commands.command('client tracking', TRACKING_PATIENCE, (client) => client.call('CLIENT', ...words)),
      changed: (key) => {
        if (key !== undefined && !key.startsWith(this.prefix)) return;
        for (const listener of this.listeners) listener.changed?.(key?.slice(this.prefix.length));
      },
    });
    return (commands.tracking = tracking);
  }

  /** Acquires have a connection of their own where their grants have to be acknowledged. */
  private openOne(server: OneServer, durability: Durability | undefined): OneServer {
    if (!durability) return server;
    const up = (): void => this.acknowledged?.align(server.connection);
    const own = server.connect({ moved: nothing, up, lost: nothing, back: nothing });
    this.acknowledged = new AcknowledgedAcquires(own, server.connection, durability, this.clock);
    return server;
  }

  private answeredNatively<O extends LockOperation>(
    server: CommandHost,
    operation: O,
    command: NativeCommand | undefined,
    reply: NativeReply,
    sentAt: number,
    receivedAt: number,
  ): Answered<O> {
    const answer = this.native?.answer(operation, command, reply, server, receivedAt);
    if (reply.now !== undefined) server.sample = { sentAt, receivedAt, time: reply.now };
    return answeredAt(answer as AnswerTo<O>, sentAt, receivedAt);
  }

  /** Learns from the reply to a release, which is -now when a waiter has the lock now. */
  private learn(name: string, reply: unknown): void {
    if (Number(reply) < 0) this.wanted.add(name);
    else this.wanted.delete(name);
  }

  /** Undefined for a reply that makes no sense. */
  private answered<O extends LockOperation>(
    server: CommandHost,
    operation: O,
    reply: unknown,
    sentAt: number,
    receivedAt: number,
  ): Answered<O> | undefined {
    const answer = decodeAnswer(operation, reply);
    if (!Number.isSafeInteger(answer.now)) return undefined;
    server.sample = { sentAt, receivedAt, time: answer.now };
    if (answer.outcome === 'queued' && operation.kind === 'acquire' && operation.subscribed) {
      if (answer.heard) this.channel.expectEcho(sentAt);
      else this.channel.reset();
    }
    return answeredAt(answer, sentAt, receivedAt);
  }

  /** Another server answers: what was told of the one before may be wrong, also whether it publishes to us. */
  private moved(what: string, concerns?: Concerns): void {
    const { channel, servers } = this;
    if (channel.subscribed && !servers.mayPublish(channel.runId)) channel.reset();
    for (const listener of this.listeners) listener.moved?.(what, concerns);
  }

  private wake(concerns?: Concerns): void {
    for (const listener of this.listeners) listener.wake(concerns);
  }

  private hear(message: string): void {
    const heard = decodeNotice(message);
    const ours = heard?.key.startsWith(this.prefix) && heard.notice.id.startsWith(this.idPrefix);
    for (const listener of this.listeners)
      if (heard && ours) listener.notice(heard.key.slice(this.prefix.length), heard.notice);
      else listener.ignored?.();
  }
}

const nothing = (): void => undefined;

/** Names the lock in what something fails with. */
function naming(name: string): (error: unknown) => never {
  return (error) => {
    throw about(name, error);
  };
}
