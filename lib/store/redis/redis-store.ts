import type { Clock } from '../../base/clock.js';
import type { LockStoreError } from '../../base/errors.js';
import type { AcquireOperation, LockOperation } from '../lock-operation.js';
import type { LatchAnswer, LatchOperation } from '../latch-machine.js';
import {
  answeredAt,
  type Answered,
  type Durability,
  type LockReading,
  type LockStore,
  type LockStoreListener,
} from '../lock-store.js';
import type { StoreFindings } from '../store-findings.js';
import type { ServerSample } from '../server-clock.js';
import { newSession } from '../session-id.js';
import { AcknowledgedAcquires } from './acknowledged-acquires.js';
import type { ClientRecipe } from './client-recipe.js';
import {
  decodeAnswer,
  decodeLatchAnswer,
  encodeLatchOperation,
  encodeOperation,
  encodeTerms,
} from './operation-codec.js';
import { decodeNotice } from './notice-codec.js';
import { PendingCommand } from './pending-command.js';
import { RedisChannel } from './redis-channel.js';
import { RedisConnection, type ConnectionListener } from './redis-connection.js';
import { RecordReader } from './record-reader.js';
import { about, nonsense } from './redis-failures.js';
import { probe } from './startup-probe.js';
import { WantedNames } from './wanted-names.js';

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
  /** Told when the connection that commands go over is lost, and when it is up again, so many milliseconds later. */
  readonly lost?: (why: string) => void;
  readonly back?: (after: number) => void;
}

/** Locks in one Redis: one hash per name, one channel per session. */
export class RedisStore implements LockStore {
  readonly session = newSession();
  private readonly idPrefix = `${this.session}.`;
  readonly address: string;
  private readonly namespace: string;
  private readonly prefix: string;
  /** In the microseconds of the scripts. */
  private readonly fenceMemory: number;
  private readonly connection: RedisConnection;
  /** Where acquires go when their grants have to be acknowledged. */
  private readonly acknowledged: AcknowledgedAcquires | undefined;
  private readonly channel: RedisChannel;
  private readonly records: RecordReader;
  private readonly clock: Clock;
  private readonly listeners: LockStoreListener[] = [];
  private readonly wanted = new WantedNames();

  constructor(recipe: ClientRecipe, settings: RedisStoreSettings) {
    const { namespace, fenceMemory, process, clock, durability } = settings;
    const connectionName = `${namespace}@${process}`.replace(/[^\x21-\x7e]/g, '_'); // CLIENT SETNAME takes no others
    const channelPrefix = `${namespace}:session:`;
    this.clock = clock;
    this.namespace = namespace;
    this.address = recipe.address;
    this.prefix = `${recipe.keyPrefix}${namespace}:`;
    this.fenceMemory = fenceMemory * 1_000;
    const connect = (on: ConnectionListener): RedisConnection =>
      new RedisConnection(recipe.open(connectionName), recipe.address, clock, on, (countable) =>
        encodeTerms(this.fenceMemory, channelPrefix, countable),
      );
    this.connection = connect({
      moved: (what) => this.moved(what),
      up: () => {
        this.align(this.acknowledged?.connection);
        this.wake();
      },
      lost: settings.lost ?? nothing,
      back: settings.back ?? nothing,
    });
    if (durability) {
      const up = (): void => this.align(this.connection);
      const own = connect({ moved: nothing, up, lost: nothing, back: nothing });
      this.acknowledged = new AcknowledgedAcquires(own, durability, clock);
    }
    this.records = new RecordReader(this.connection, this.prefix, recipe.address);
    this.channel = new RedisChannel(channelPrefix + this.session, () => recipe.open(connectionName), clock, {
      message: (text) => this.hear(text),
      up: () => this.wake(),
      down: () => (this.connection.sample = undefined),
    });
  }

  get subscribed(): boolean {
    return this.channel.subscribed;
  }

  execute<O extends LockOperation>(name: string, operation: O, timeout: number): Promise<Answered<O>> {
    if (this.acknowledged !== undefined && operation.kind === 'acquire')
      return this.acquire(this.acknowledged, name, operation, timeout);
    // Without a pause when it is up: the first caller's command leaves before the next one asks.
    if (this.connection.up) return this.send(name, operation, timeout);
    return this.connection.ready(timeout).then(() => this.send(name, operation, timeout), naming(name));
  }

  latch(name: string, operation: LatchOperation, timeout: number): Promise<LatchAnswer> {
    const args = encodeLatchOperation(operation);
    const sent = this.connection
      .ready(timeout)
      .then(() => this.connection.script('latch', this.prefix + name, args, timeout));
    return sent.then(decodeLatchAnswer).catch(naming(name));
  }

  read(name: string, timeout: number): Promise<LockReading> {
    return this.records.read(name, timeout).catch(naming(name));
  }

  list(timeout: number): AsyncIterable<readonly LockReading[]> {
    return this.records.list(timeout);
  }

  subscribe(): void {
    this.channel.start();
  }

  sample(_name: string): ServerSample | undefined {
    return this.connection.sample;
  }

  measure(name: string, timeout: number): Promise<ServerSample> {
    const ready = this.connection.ready(timeout);
    return ready.then(() => this.connection.measured(timeout)).catch(naming(name));
  }

  noticesTrusted(_name: string): boolean {
    if (this.acknowledged) return false; // a grant that is pushed has no acknowledgement: whoever hears of it asks
    const { subscribed, runId } = this.channel;
    return subscribed && runId !== '' && runId === this.connection.runId;
  }

  listen(listener: LockStoreListener): void {
    this.listeners.push(listener);
  }

  async ready(timeout: number): Promise<StoreFindings> {
    await this.connection.ready(timeout);
    const { namespace, prefix, session, connection, channel } = this;
    const rights = (key: string): Promise<unknown> => connection.script('rights', key, [session], timeout);
    const hear = (): Promise<void> => channel.tryOut(timeout / 2);
    return connection.command('the start-up probe', timeout, (client) =>
      probe(client, this, { namespace, prefix, timeout, rights, hear }),
    );
  }

  get awaited(): boolean {
    return this.connection.awaited || this.acknowledged?.connection.awaited === true;
  }

  keepAlive(on: boolean): void {
    this.connection.keepAlive(on);
    this.acknowledged?.connection.keepAlive(on);
    this.channel.keepAlive(on);
  }

  close(): Promise<void> {
    this.channel.close();
    this.connection.close();
    this.acknowledged?.connection.close();
    return Promise.resolve();
  }

  private send<O extends LockOperation>(name: string, operation: O, timeout: number): Promise<Answered<O>> {
    return new Promise((resolve, reject) => {
      const args = encodeOperation(operation, this.fenceMemory);
      const sentAt = this.clock.now();
      const command = new PendingCommand<unknown>(
        this.connection,
        operation.kind,
        timeout,
        sentAt,
        (reply, receivedAt) => {
          const answer = this.answered(operation, reply, sentAt, receivedAt);
          if (operation.kind === 'release') this.wanted.learn(name, reply);
          if (answer) resolve(answer);
          else reject(nonsense(this.address, operation.kind, name));
        },
        (error) => reject(about(name, error)),
      );
      const tellsFirst = operation.kind === 'release' && this.wanted.has(name);
      this.connection.gather(operation.kind, { key: this.prefix + name, args, command, tellsFirst });
    });
  }

  /** Asks for a lock whose grant counts when enough replicas have it. */
  private acquire(
    acquires: AcknowledgedAcquires,
    name: string,
    operation: AcquireOperation,
    timeout: number,
  ): Promise<Answered<AcquireOperation>> {
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => reject(about(name, error));
      if (this.apart(acquires.connection)) return fail(this.connection.failures.elsewhere());
      let granted: (Answered<AcquireOperation> & { outcome: 'granted' }) | undefined;
      const end = (outcome: object, receivedAt: number): void =>
        resolve({ ...granted, ...outcome, receivedAt } as Answered<AcquireOperation>);
      const unacknowledged = (error: LockStoreError, receivedAt: number): void =>
        end({ outcome: 'unacknowledged', error: about(name, error) }, receivedAt);
      acquires.ask(this.prefix + name, encodeOperation(operation, this.fenceMemory), timeout, {
        replied: (reply, sentAt, receivedAt) => {
          if (this.apart(acquires.connection)) {
            fail(this.connection.failures.elsewhere());
            return false;
          }
          const answer = this.answered(operation, reply, sentAt, receivedAt);
          if (answer?.outcome === 'granted') granted = answer;
          else if (answer) resolve(answer);
          else reject(nonsense(this.address, operation.kind, name));
          return answer?.outcome === 'granted';
        },
        acknowledged: (replicas, receivedAt) => {
          if (this.apart(acquires.connection))
            unacknowledged(this.connection.failures.elsewhere(), receivedAt);
          else end({ replicas }, receivedAt);
        },
        unacknowledged,
        failed: fail,
      });
    });
  }

  /** Whether another server answers over a second connection than over the one for commands. */
  private apart({ runId }: RedisConnection): boolean {
    const known = runId !== '' && this.connection.runId !== '';
    return known && runId !== this.connection.runId;
  }

  /** A connection is up: an `older` one that leads to another server has not followed a failover. */
  private align(older: RedisConnection | undefined): void {
    if (this.acknowledged && older && this.apart(this.acknowledged.connection)) older.leave();
  }

  /** Undefined for a reply that makes no sense. */
  private answered<O extends LockOperation>(
    operation: O,
    reply: unknown,
    sentAt: number,
    receivedAt: number,
  ): Answered<O> | undefined {
    const answer = decodeAnswer(operation, reply);
    if (!Number.isSafeInteger(answer.now)) return undefined;
    this.connection.sample = { sentAt, receivedAt, time: answer.now };
    if (answer.outcome === 'queued' && operation.kind === 'acquire' && operation.subscribed) {
      if (answer.heard) this.channel.expectEcho(sentAt);
      else this.channel.reset();
    }
    return answeredAt(answer, sentAt, receivedAt);
  }

  /** Another server answers: what was told of the one before may be wrong, also whether it publishes to us. */
  private moved(what: string): void {
    const { channel, connection } = this;
    if (channel.subscribed && channel.runId !== connection.runId) channel.reset();
    for (const listener of this.listeners) listener.moved?.(what);
  }

  private wake(): void {
    for (const listener of this.listeners) listener.wake();
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
