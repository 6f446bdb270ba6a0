import type { Redis } from 'ioredis';
import type { Clock } from '../../base/clock.js';
import { Deadlines } from '../../base/deadlines.js';
import { LockStoreError } from '../../base/lock-store-error.js';
import type { ServerSample } from '../server-sample.js';
import { PendingCommand, type CommandHost } from './pending-command.js';
import { RedisFailures } from './redis-failures.js';
import { runForMany, runScript, type ScriptArguments, type ScriptName } from './run-script.js';
import { ScriptBatch, type ScriptCall } from './script-batch.js';

// The client reports that, and goes on with database 0.
const NO_SUCH_DB = /DB index|SELECT is not allowed/i;
// A server that has not answered anything for this long, though it was asked: the way to it may be dead.
const SILENCE = 2_000;

/** The connection that commands go over: when it is up, what the server's clock shows, and a deadline for each. */
export class RedisConnection implements CommandHost {
  /** The last answer's evidence of the server's clock; forgotten with the connection. */
  sample: ServerSample | undefined;
  /** Which server process answers, where it may be asked. */
  runId = '';
  /** Whether a command can be sent now. */
  up = false;
  private closed = false;
  private keepsAlive = true;
  private started = false;
  private lastError = 'no connection yet';
  /** Why nothing may be done over this connection, ever. */
  private useless: LockStoreError | undefined;
  /** When the server was last heard, or the connection made. */
  private heardAt = Infinity;
  private readonly failures: RedisFailures;
  private readonly batch = new ScriptBatch<ScriptName>((name, calls) => this.run(name, calls));
  private readonly waiting = new Set<(error?: LockStoreError) => void>();
  private readonly deadlines: Deadlines;

  constructor(
    private readonly client: Redis,
    private readonly address: string,
    private readonly clock: Clock,
    private readonly onUp: () => void,
    /** The argument that all scripts begin with. */
    private readonly terms: string,
  ) {
    this.deadlines = new Deadlines(clock);
    this.failures = new RedisFailures(address, [client.options.password, client.options.sentinelPassword]);
    client.on('error', (error: Error) => {
      this.lastError = this.failures.wordsOf(error);
      if (NO_SUCH_DB.test(error.message)) this.useless = this.failures.useless(this.lastError);
    });
    client.on('connect', () => {
      this.heardAt = clock.now();
      keepAlive(client, this.keepsAlive);
    });
    client.on('ready', () => void this.greet());
    client.on('close', () => {
      this.up = false;
      this.sample = undefined;
    });
  }

  /** Resolves when the connection is up; rejects after `timeout` ms. */
  ready(timeout: number): Promise<void> {
    if (this.up) return Promise.resolve();
    if (this.closed)
      return Promise.reject(new LockStoreError(`The connection to ${this.address} is closed.`));
    if (this.useless) return Promise.reject(this.useless);
    if (!this.started) {
      this.started = true;
      this.client.connect().catch((error: Error) => (this.lastError = this.failures.wordsOf(error)));
    }
    return new Promise((resolve, reject) => {
      const settle = (error?: LockStoreError): void => {
        cancel();
        this.waiting.delete(settle);
        if (error) reject(error);
        else resolve();
      };
      const cancel = this.clock.after(timeout, () => {
        this.resetIfSilent();
        settle(this.failures.unreachable(this.lastError, timeout));
      });
      this.waiting.add(settle);
    });
  }

  /** Sends one command; rejects with LockStoreError when it fails or is not answered within `timeout` ms. */
  command<T>(what: string, timeout: number, send: (client: Redis) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const command = new PendingCommand<T>(this, what, timeout, this.clock.now(), resolve, reject);
      this.deadlines.add(command);
      send(this.client).then(
        (value) => command.resolve(value),
        (error) => command.reject(error),
      );
    });
  }

  /** Runs a script for one key. Rejects as `command`. */
  script(name: ScriptName, key: string, args: ScriptArguments, timeout: number): Promise<unknown> {
    const run = (client: Redis): Promise<unknown> =>
      new Promise((resolve, reject) =>
        runScript(client, name, [key], [this.terms, ...args], resolve, reject),
      );
    return this.command(name, timeout, run);
  }

  /** Runs a script that serves many keys, together with what else is asked of it in this turn. */
  gather(name: ScriptName, call: ScriptCall): void {
    this.batch.add(name, call);
    this.deadlines.add(call.command); // while it is on its way
  }

  answered(command: PendingCommand): number {
    this.deadlines.delete(command);
    return (this.heardAt = this.clock.now());
  }

  refused(command: PendingCommand, error: unknown): LockStoreError {
    this.deadlines.delete(command);
    if ((error as Error).message.startsWith('READONLY')) this.leaveReplica();
    return this.failures.of(command.what, error);
  }

  silent({ what, timeout }: PendingCommand): LockStoreError {
    this.resetIfSilent();
    return this.failures.silent(what, timeout);
  }

  /** A sample of the server's clock: the present one, or a new one. */
  async measured(timeout: number): Promise<ServerSample> {
    if (this.sample) return this.sample;
    const sentAt = this.clock.now();
    const [seconds, micros] = await this.command('time', timeout, (client) => client.time());
    const time = Number(seconds) * 1_000_000 + Number(micros);
    return (this.sample = { sentAt, receivedAt: this.clock.now(), time });
  }

  /** Whether a command has no answer yet, or somebody waits for the connection. */
  get awaited(): boolean {
    return this.deadlines.size > 0 || this.waiting.size > 0;
  }

  /** Whether the connection keeps the process alive, also when it is made anew. */
  keepAlive(on: boolean): void {
    this.keepsAlive = on;
    keepAlive(this.client, on);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.up = false;
    for (const settle of [...this.waiting])
      settle(new LockStoreError(`The connection to ${this.address} is closed.`));
    this.client.disconnect();
    this.deadlines.close();
  }

  /** A connection may die without a word: rather than to wait for TCP to notice, a new one is made. */
  private resetIfSilent(): void {
    const { status } = this.client;
    if (this.closed || (status !== 'connect' && status !== 'ready')) return;
    if (this.clock.now() - this.heardAt < SILENCE) return;
    this.heardAt = Infinity; // once: ioredis adds a listener each time
    this.client.disconnect(true);
  }

  /**
   * Of those for whom it has something, the server writes first to whom it had something for last, which is whoever
   * asked. So that this is whoever hears a message of the script, we ask for something else in the same breath: then
   * a place is ours before the script begins. It spares a waiter the time in which this process wakes up.
   */
  private run(name: ScriptName, calls: readonly ScriptCall[]): void {
    const { client, terms } = this;
    const tellsFirst = calls.some((call) => call.tellsFirst);
    if (tellsFirst) {
      client.stream.cork();
      client.time().catch(() => undefined);
    }
    runForMany(client, name, terms, calls);
    if (tellsFirst) client.stream.uncork();
  }

  /** After a failover the address may lead to a replica; a new connection finds the new master. */
  private leaveReplica(): void {
    if (this.up) this.client.disconnect(true);
    this.up = false;
  }

  private async greet(): Promise<void> {
    this.runId = await this.client.info('server').then(runIdIn, () => '');
    if (this.closed || this.client.status !== 'ready') return;
    this.up = this.useless === undefined;
    for (const settle of [...this.waiting]) settle(this.useless);
    if (this.up) this.onUp();
    else this.client.disconnect();
  }
}

/** Whether the present connection of a client keeps the process alive. */
export function keepAlive({ stream }: Redis, on: boolean): void {
  const socket = stream as Partial<Redis['stream']> | undefined; // there is none before the first connection
  if (on) socket?.ref?.();
  else socket?.unref?.();
}

/** The server's run id in the answer to INFO. */
export function runIdIn(info: string): string {
  return /^run_id:(\S+)/m.exec(info)?.[1] ?? '';
}
