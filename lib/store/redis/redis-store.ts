import type { Clock } from '../../base/clock.js';
import { LockStoreError } from '../../base/lock-store-error.js';
import type { LockOperation } from '../lock-operation.js';
import type { LatchAnswer, LatchOperation } from '../latch-machine.js';
import type { LockState } from '../lock-state.js';
import type { Answered, LockStore, LockStoreListener } from '../lock-store.js';
import type { ServerSample } from '../server-sample.js';
import { newSession } from '../session-id.js';
import type { ClientRecipe } from './client-recipe.js';
import {
  decodeAnswer,
  decodeLatchAnswer,
  decodeNotice,
  encodeLatchOperation,
  encodeOperation,
} from './operation-codec.js';
import { RedisChannel } from './redis-channel.js';
import { RedisConnection } from './redis-connection.js';
import { decodeState, isRecord } from './state-codec.js';

/** How a store of locks in Redis is set up. */
export interface RedisStoreSettings {
  readonly namespace: string;
  /** How long an idle record is kept, in milliseconds. */
  readonly fenceMemory: number;
  /** `host:pid` of this process. */
  readonly process: string;
  readonly clock: Clock;
}

/** Locks in one Redis: one hash per name, one channel per session. */
export class RedisStore implements LockStore {
  readonly session = newSession();
  readonly address: string;
  private readonly prefix: string;
  /** In the microseconds of the scripts. */
  private readonly fenceMemory: number;
  private readonly connection: RedisConnection;
  private readonly channel: RedisChannel;
  private readonly clock: Clock;
  private readonly listeners: LockStoreListener[] = [];

  constructor(recipe: ClientRecipe, settings: RedisStoreSettings) {
    const { namespace, fenceMemory, process, clock } = settings;
    const connectionName = `${namespace}@${process}`.replace(/[^\x21-\x7e]/g, '_'); // CLIENT SETNAME takes no others
    const channelPrefix = `${namespace}:session:`;
    this.clock = clock;
    this.address = recipe.address;
    this.prefix = `${recipe.keyPrefix}${namespace}:`;
    this.fenceMemory = fenceMemory * 1_000;
    this.connection = new RedisConnection(
      recipe.open(connectionName),
      recipe.address,
      clock,
      () => this.wake(),
      [this.fenceMemory, channelPrefix, 1],
    );
    this.channel = new RedisChannel(channelPrefix + this.session, () => recipe.open(connectionName), clock, {
      message: (text) => this.hear(text),
      up: () => this.wake(),
      down: () => (this.connection.sample = undefined),
    });
  }

  get subscribed(): boolean {
    return this.channel.subscribed;
  }

  async execute<O extends LockOperation>(name: string, operation: O, timeout: number): Promise<Answered<O>> {
    await this.connection.ready(timeout);
    const sentAt = this.clock.now();
    const { kind } = operation;
    const args = encodeOperation(operation, this.fenceMemory);
    const reply = await this.connection.gathered(kind, this.prefix + name, args, timeout);
    const receivedAt = this.clock.now();
    const answer = decodeAnswer(operation, reply);
    if (!Number.isSafeInteger(answer.now))
      throw new LockStoreError(
        `Redis at ${this.address} gave an answer to ${operation.kind} that makes no sense.`,
        name,
      );
    this.connection.sample = { sentAt, receivedAt, time: answer.now };
    if (answer.outcome === 'queued' && operation.kind === 'acquire' && operation.subscribed) {
      if (answer.heard) this.channel.expectEcho();
      else this.channel.reset();
    }
    return Object.assign(answer, { sentAt, receivedAt });
  }

  async latch(name: string, operation: LatchOperation, timeout: number): Promise<LatchAnswer> {
    await this.connection.ready(timeout);
    const args = encodeLatchOperation(operation);
    return decodeLatchAnswer(await this.connection.script('latch', this.prefix + name, args, timeout));
  }

  async read(name: string, timeout: number): Promise<{ key: string; state: LockState; now: number }> {
    await this.connection.ready(timeout);
    const key = this.prefix + name;
    const reply = (await this.connection.script('inspect', key, [], timeout)) as [number, ...string[]];
    const [now, ...flat] = reply;
    const record = flat.length === 1 ? (flat[0] ?? '') : fieldsOf(flat);
    if (flat.length > 0 && !isRecord(record))
      throw new LockStoreError(`The key '${key}' at ${this.address} holds a value of another format.`, name);
    return { key, state: decodeState(record), now };
  }

  subscribe(): void {
    this.channel.start();
  }

  sample(_name: string): ServerSample | undefined {
    return this.connection.sample;
  }

  async measure(_name: string, timeout: number): Promise<ServerSample> {
    await this.connection.ready(timeout);
    return this.connection.measured(timeout);
  }

  noticesTrusted(_name: string): boolean {
    const { subscribed, runId } = this.channel;
    return subscribed && runId !== '' && runId === this.connection.runId;
  }

  listen(listener: LockStoreListener): void {
    this.listeners.push(listener);
  }

  ready(timeout: number): Promise<void> {
    return this.connection.ready(timeout);
  }

  close(): Promise<void> {
    this.channel.close();
    this.connection.close();
    return Promise.resolve();
  }

  private wake(): void {
    for (const listener of this.listeners) listener.wake();
  }

  private hear(message: string): void {
    const heard = decodeNotice(message);
    if (!heard?.key.startsWith(this.prefix) || !heard.notice.id.startsWith(`${this.session}.`)) return;
    for (const listener of this.listeners) listener.notice(heard.key.slice(this.prefix.length), heard.notice);
  }
}

function fieldsOf(flat: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let index = 0; index + 1 < flat.length; index += 2) fields[flat[index] ?? ''] = flat[index + 1] ?? '';
  return fields;
}
