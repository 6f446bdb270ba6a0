import type { Socket } from 'node:net';
import type { Redis } from 'ioredis';
import type { Clock } from '../../base/clock.js';
import { Deadlines } from '../../base/shared-timer.js';
import { LockStoreError } from '../../base/errors.js';
import { outsideContext } from '../../base/outside-context.js';
import type { ServerSample } from '../server-clock.js';
import { keepAlive } from './keep-alive.js';
import type { KeyTracking } from './key-tracking.js';
import { NativeReply, type NativeCommand } from './native-command.js';
import type { NativePath } from './native-path.js';
import { PendingCommand, type CommandHost } from './pending-command.js';
import { codeOf, isDenied, isLost, isNoCluster, isUnsent, REPLICA, RedisFailures } from './redis-failures.js';
import {
  loadScripts,
  runForMany,
  runForOne,
  type ScriptArguments,
  type ScriptHost,
  type ScriptName,
} from './run-script.js';
import { ScriptBatch, type ScriptCall } from './script-batch.js';
import { inOneWrite, TurnWrite } from './turn-write.js';

// A command that is not served is sent again more often than this.
const DOUBTED = 1_000;
// Refusals of SELECT that another attempt does not change.
const NO_SUCH_DB = /DB index|SELECT is not allowed|NOPERM.*'select'/i;
// A server that has not answered anything for this long since it was asked: the way to it may be dead.
const SILENCE = 2_000;

// How soon a server that cannot serve, as a replica, is left for a new connection: longer each time, up to a second.
const PATIENCE = 50;
const MOST_PATIENCE = 1_000;
// Sentinels name a replica only while they have not heard of a failover yet, which is soon.
const MOST_PATIENCE_BY_SENTINEL = 200;
// What has the same effect however often the server reads it: it carries its id, and the time after which it does nothing;
// a note has its turn instead.
const REPEATABLE = new Set<ScriptName>(['acquire', 'renew', 'takeOver', 'note', 'inspect']);

// The run id of a server that does not say it.
const UNKNOWN = '?';
// As much of a run id as no two servers of a cluster share.
const SERVER_LENGTH = 16;

/** Who is told of the connection. */
export interface ConnectionListener {
  /** Another server than before answers, or the same after it was a replica: it may not know what was granted. */
  moved(what: string): void;
  /** It is up, for the first time or again. */
  up(): void;
  /** It was up and is not; not when it is closed. */
  lost(why: string): void;
  /** It is up again, so many milliseconds after it was lost. */
  back(after: number): void;
}

/** What the others of a cluster do for one of its nodes. */
export interface ClusterMembership {
  /** Takes over a call that the node did not serve; false where no node is to serve it. */
  redirect(name: ScriptName, call: ScriptCall, error: Error, repeatable: boolean): boolean;
  /** The node copies another one now: its names are elsewhere. */
  demoted(): void;
  /** The node did not answer in time; `dead` says that the way to it is given up. */
  silent(dead: boolean): void;
  /** An attempt to connect to the node failed or took too long: another one may have its names. */
  unreached(): void;
}

/** The connection that commands go over: when it is up, what the server's clock shows, and a deadline for each. */
export class RedisConnection implements CommandHost, ScriptHost {
  /** The last answer's evidence of the server's clock; forgotten with the connection. */
  sample: ServerSample | undefined;
  /** Which server process answers, where it may be asked. */
  runId = '';
  /** Whether a command can be sent now. */
  up = false;
  private closed = false;
  private keepsAlive = true;
  private doubtedAt = -Infinity;
  private started = false;
  private lastError = 'no connection yet';
  /** Why nothing can be done until somebody changes the server, its rights or the password; it is tried again and again. */
  private refusal: LockStoreError | undefined;
  /** When the server was last heard, or the connection made. */
  private heardAt = Infinity;
  /** When it was first asked for something after that. */
  private askedAt = -Infinity;
  /** Whether it was up, and nobody was told that it is no more. */
  private serving = false;
  private lostAt: number | undefined;
  private connections = 0;
  /** A server in cluster mode takes no script call for two names, and one that does not say what it is may be several. */
  private oneKeyACall = false;
  /** It has the only shard of its cluster: what has moved is on the way to another master of that shard. */
  private onlyShard = false;
  /** Which server process answered over the connection before, and where. */
  private last = { runId: '', place: '' };
  /** The server said that it is a replica, which has the data of another server. */
  private demoted = false;
  /** How often in a row a new connection led to a server that cannot serve. */
  private inVain = 0;
  private terms: string;
  private learning: Promise<void> | undefined;
  /** The question for the server's clock that is on its way. */
  private asking: Promise<ServerSample> | undefined;
  readonly failures: RedisFailures;
  /** Who has the server track keys over this connection, if anybody. */
  tracking: KeyTracking | undefined;
  private readonly batch = new ScriptBatch<ScriptName>(
    (name, calls) => this.send(name, calls),
    'release',
    (send) => this.inOneWrite(send),
  );
  /** Instead of that, where a call is for one name. */
  private readonly turn = new TurnWrite(() => this.client.stream);
  private readonly waiting = new Set<(error?: LockStoreError) => void>();
  private readonly deadlines: Deadlines;

  constructor(
    private readonly client: Redis,
    readonly address: string,
    private readonly clock: Clock,
    private readonly on: ConnectionListener,
    /**
     * The argument that all scripts begin with: `countable` says that a message without a hearer was heard by nobody,
     * and `server` who pushes notices, where they come by way of others.
     */
    private readonly termsFor: (countable: boolean, server: string) => string,
    /** What the server does without scripts, where that is wanted. */
    readonly native: NativePath | undefined = undefined,
    /** Undefined for a server that is asked for all names. */
    private readonly membership?: ClusterMembership,
  ) {
    this.terms = termsFor(true, '');
    this.deadlines = new Deadlines(clock);
    this.failures = new RedisFailures(address, [client.options.password, client.options.sentinelPassword]);
    client.on('error', (error: Error) => this.hearError(error));
    client.on('connecting', () =>
      this.failures.hide([client.options.password, client.options.sentinelPassword]),
    );
    client.on('connect', () => {
      this.heardAt = clock.now();
      keepAlive(client, this.keepsAlive);
    });
    client.on('reconnecting', () => keepAlive(client, this.keepsAlive));
    client.on('ready', () => void this.greet());
    client.on('close', () => this.lose());
    client.on('end', () => this.hearEnd());
  }

  /** Resolves when the connection is up; rejects after `timeout` ms, or at once when the server does not let us in. */
  ready(timeout: number): Promise<void> {
    if (this.up) return Promise.resolve();
    if (this.closed)
      return Promise.reject(new LockStoreError(`The connection to ${this.address} is closed.`));
    if (this.refusal) return Promise.reject(this.refusal);
    if (!this.started) {
      this.started = true;
      this.client.connect().catch((error: Error) => {
        // What else ended an attempt was told as an error before.
        if (!isLost(error)) this.lastError = this.failures.wordsOf(error);
      });
    }
    return new Promise((resolve, reject) => {
      const settle = (error?: LockStoreError): void => {
        cancel();
        this.waiting.delete(settle);
        if (error) reject(error);
        else resolve();
      };
      const giveUp = (): void => {
        if (!this.waiting.has(settle)) return;
        this.resetIfSilent();
        this.membership?.unreached();
        settle(this.failures.unreachable(this.lastError, timeout));
      };
      // After a turn of the event loop: when it was late, what makes the connection may wait in the socket.
      const cancel = this.clock.after(timeout, () => this.clock.breathe(giveUp));
      this.waiting.add(settle);
    });
  }

  /**
   * Sends one command; rejects with LockStoreError when it fails or is not answered within `timeout` ms. What was not
   * sent at all is sent once more over the next connection; also what may have been read, when it is `repeatable`.
   */
  command<T>(
    what: string,
    timeout: number,
    send: (client: Redis) => Promise<T>,
    repeatable = false,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const command = new PendingCommand<T>(this, what, timeout, this.clock.now(), resolve, reject);
      this.expect(command);
      const ask = (again: boolean): void =>
        void send(this.client).then(
          (value) => command.resolve(value),
          (error: Error) => {
            if (!again && this.mayGoAgain(error, repeatable)) this.whenUp(command, () => ask(true));
            else command.reject(error);
          },
        );
      ask(false);
    });
  }

  /** Runs a script that serves one key only. Rejects as `command`. */
  alone(name: ScriptName, key: string, args: ScriptArguments, timeout: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const command = new PendingCommand<unknown>(this, name, timeout, this.clock.now(), resolve, reject);
      this.gather(name, { key, args, command, tellsFirst: false, alone: true });
    });
  }

  /** Runs a script that serves many keys, together with what else is asked of it in this turn. */
  gather(name: ScriptName, call: ScriptCall): void {
    if (call.alone) this.run(name, [call]);
    else if (this.oneKeyACall) {
      this.turn.add(name === 'release');
      this.send(name, [call]);
    } else this.batch.add(name, call);
    this.expect(call.command); // while it is on its way
  }

  /** Takes a call that another node of the cluster did not serve. */
  adopt(name: ScriptName, call: ScriptCall): void {
    call.command.host = this;
    call.native = undefined; // it is dated by the clock of that node
    this.gather(name, call);
  }

  /** Another node is to serve the command. */
  handOver(command: PendingCommand): void {
    this.deadlines.delete(command);
  }

  /** A command failed with the connection, before anybody was told that it is down. */
  isGone(): void {
    this.up = false;
  }

  /** Holds a command that somebody else sends to its deadline. */
  expect(command: PendingCommand): void {
    if (this.askedAt <= this.heardAt) this.askedAt = command.deadline - command.timeout;
    if (!command.linked) this.deadlines.add(command);
  }

  /** Fails a command that was not sent. */
  giveUp(command: PendingCommand, error: LockStoreError): void {
    this.deadlines.delete(command);
    command.fail(error);
  }

  /** Sends all that `send` asks the client for in one write. */
  inOneWrite(send: (client: Redis) => void): void {
    inOneWrite(this.client, () => send(this.client));
  }

  answered(command: PendingCommand): number {
    this.deadlines.delete(command);
    return (this.heardAt = this.clock.now());
  }

  refused(command: PendingCommand, error: unknown): LockStoreError {
    this.deadlines.delete(command);
    const code = codeOf(error as Error);
    if (this.membership && code === 'MOVED') return this.failures.unsettled(command.what, error as Error);
    if (code === 'READONLY' || (code === 'MOVED' && this.onlyShard)) this.leaveReplica();
    return this.failures.of(command.what, error);
  }

  silent({ what, timeout }: PendingCommand): LockStoreError {
    const dead = this.resetIfSilent();
    this.membership?.silent(dead);
    return this.failures.silent(what, timeout);
  }

  /** The server knows a script no more, and so perhaps none: it is told all of them again. */
  readonly unknown = (): void => {
    this.learning ??= loadScripts(this.client).finally(() => (this.learning = undefined));
  };

  failed(name: ScriptName, calls: readonly ScriptCall[], error: Error): void {
    this.recover(name, calls, error, (call) => this.batch.add(name, call));
  }

  /** Sends by `again` what may be sent once more, and fails the rest. */
  recover(
    name: ScriptName,
    calls: readonly ScriptCall[],
    error: Error,
    again: (call: ScriptCall) => void,
  ): void {
    const crossSlot = calls.length > 1 && codeOf(error) === 'CROSSSLOT';
    // A cluster that did not say what it is. It has done nothing of this.
    if (crossSlot) this.oneKeyACall = true;
    for (const call of calls) {
      const { command } = call;
      if (crossSlot) again(call);
      else if (this.membership?.redirect(name, call, error, REPEATABLE.has(name))) continue;
      else if (this.membership || call.again || !this.mayGoAgain(error, REPEATABLE.has(name)))
        command.reject(error);
      else {
        call.again = true;
        this.whenUp(command, () => again(call));
      }
    }
  }

  /** A sample of the server's clock: the present one, or a new one. */
  measured(timeout: number): Promise<ServerSample> {
    if (this.sample) return Promise.resolve(this.sample);
    // A crowd without a sample asks once; each has a deadline of its own.
    return this.command('time', timeout, () => (this.asking ??= this.askTime()), true);
  }

  /** The server tells the time, and serves nobody: until a script is answered, its time does not pass for a sign of work. */
  doubt(): void {
    this.sample = undefined;
    this.doubtedAt = this.clock.now();
  }

  /** When the server was last heard; Infinity before it answered over this connection. */
  get lastHeard(): number {
    return this.heardAt;
  }

  /** Whether it was up once, and is not now. */
  get away(): boolean {
    return this.lostAt !== undefined;
  }

  /** Why it is not up. */
  get trouble(): string {
    return this.lastError;
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

  /** Leaves for a new connection: this one leads to a server that is the master no more. */
  leave(): void {
    if (this.up) this.client.disconnect(true);
    this.up = false;
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

  private askTime(): Promise<ServerSample> {
    return this.sampled()
      .then((sample) => this.adoptSample(sample))
      .finally(() => (this.asking = undefined));
  }

  private async sampled(): Promise<ServerSample> {
    const sentAt = this.clock.now();
    const [seconds, micros] = await this.client.time();
    return { sentAt, receivedAt: this.clock.now(), time: Number(seconds) * 1_000_000 + Number(micros) };
  }

  private adoptSample(sample: ServerSample): ServerSample {
    if (sample.receivedAt - this.doubtedAt > DOUBTED) this.sample = sample;
    return sample;
  }

  /** Whether a command that failed so is to be sent once more: nothing of it was read, or it does not matter. */
  private mayGoAgain(error: Error, repeatable: boolean): boolean {
    return !this.closed && (isUnsent(error) || (repeatable && isLost(error)));
  }

  /** Sends what failed with the connection over the next one, as long as the command has time. */
  private whenUp(command: PendingCommand, send: () => void): void {
    this.up = false; // the news of that may be under way
    this.ready(command.deadline - this.clock.now()).then(
      () => command.tooLate || send(),
      (error: LockStoreError) => this.giveUp(command, error),
    );
  }

  /** A connection may die without a word: rather than to wait for TCP to notice, a new one is made. Says whether it is. */
  private resetIfSilent(): boolean {
    const { status } = this.client;
    if (this.closed || (status !== 'connect' && status !== 'ready')) return false;
    if (this.clock.now() - Math.max(this.heardAt, this.askedAt) < SILENCE) return false;
    this.heardAt = Infinity; // once: ioredis adds a listener each time
    this.lastError = 'it did not answer';
    this.client.disconnect(true);
    return true;
  }

  /**
   * Of those for whom it has something, the server writes first to whom it had something for last, which is whoever
   * asked. So that this is whoever hears a message of the script, we ask for something else in the same breath: then
   * a place is ours before the script begins. It spares a waiter the time in which this process wakes up. A server with
   * io-threads writes from several threads, in no order: then it spares nothing, and does no harm.
   */
  run(name: ScriptName, calls: readonly ScriptCall[], host: ScriptHost = this): void {
    const { client, terms } = this;
    const tellsFirst = calls.some((call) => call.tellsFirst);
    const tracked = this.tracking?.keysAfter(calls);
    const send = (): void => {
      if (tellsFirst) client.time().catch(() => undefined);
      if (!this.oneKeyACall) runForMany(client, name, terms, calls, host);
      else if (calls.length > 1)
        this.inOneWrite(() => calls.forEach((call) => runForOne(client, name, terms, call, host)));
      else runForOne(client, name, terms, calls[0] as ScriptCall, host);
      if (tracked) this.tracking?.read(client, tracked, this.oneKeyACall); // with what writes the keys
    };
    if (tellsFirst || tracked) this.inOneWrite(send);
    else send();
  }

  private send(name: ScriptName, calls: readonly ScriptCall[]): void {
    const [call] = calls;
    const native = calls.length === 1 ? call?.native : undefined;
    if (call && native && this.native?.serving) this.runNative(name, call, native);
    else this.run(name, calls);
  }

  /** Asks for one name without a script. What else there is to say is said by the script, in the time that is left. */
  private runNative(name: ScriptName, call: ScriptCall, native: NativeCommand): void {
    const { command } = call;
    call.native = undefined;
    const again = (): void => {
      if (!command.tooLate) this.gather(name, call);
    };
    this.native?.run(this.client, call.key, native, {
      replied: (reply) => command.resolve(reply),
      otherwise: again,
      failed: (error) => {
        // A native acquire is not asked for again by its id, see native-grant.ts; whoever wants the lock has another one.
        if (native.kind === 'acquire' && native.unknown)
          if (isLost(error)) command.resolve(new NativeReply(undefined));
          else command.reject(error);
        else this.recover(name, [call], error, again);
      },
    });
  }

  /** After a failover the address may lead to a replica; a new connection finds the new master. */
  private leaveReplica(): void {
    if (this.up) this.lastError = REPLICA;
    this.leave();
    this.demoted = true;
  }

  /** The connection leads to a replica: nobody is served over it, and another one may find the master. */
  private refuseReplica(): void {
    if (this.membership) return this.membership.demoted();
    const error = this.failures.replica();
    this.lastError = REPLICA;
    this.demoted = true;
    // Before the first master was found, the address is wrong rather than late.
    if (this.last.runId === '') for (const settle of [...this.waiting]) settle(error);
    this.tryAnother(this.client.options.sentinels ? MOST_PATIENCE_BY_SENTINEL : MOST_PATIENCE);
  }

  /** Leaves a connection that is of no use for a new one: later each time, up to `most` milliseconds. */
  private tryAnother(most = MOST_PATIENCE): void {
    const { connections, client } = this;
    const patience = Math.min(PATIENCE * 2 ** this.inVain, most);
    this.inVain += 1;
    this.clock.after(patience, () => {
      if (!this.closed && connections === this.connections && client.status === 'ready')
        client.disconnect(true);
    });
  }

  /** What is to be said of a server that is not the one before; undefined when it is. */
  private movedTo(runId: string): string | undefined {
    const { last, client, demoted } = this;
    const socket = client.stream as Partial<Socket> | undefined;
    const place = socket?.remoteAddress ? ` (${socket.remoteAddress}:${socket.remotePort})` : '';
    this.last = { runId, place };
    this.demoted = false;
    this.inVain = 0;
    if (last.runId === '' || (runId === last.runId && !demoted)) return undefined;
    return runId === last.runId
      ? `Redis at ${this.address} was a replica for a while`
      : last.place === place
        ? `Redis at ${this.address} is another server process than before${place}`
        : `Redis at ${this.address} is another server now${place}, instead of the one before${last.place}`;
  }

  private hearError(error: Error): void {
    this.lastError = this.failures.wordsOf(error);
    this.refusal = undefined;
    if (codeOf(error) === 'LOADING') this.heardAt = this.clock.now();
    if (isDenied(error)) this.refuse(this.failures.denied(this.lastError));
  }

  /** Until an attempt to connect ends in another way, all that is asked fails at once. */
  private refuse(error: LockStoreError): void {
    this.refusal = error;
    for (const settle of [...this.waiting]) settle(error);
  }

  private lose(): void {
    this.up = false;
    this.tracking?.end();
    this.sample = undefined;
    this.asking = undefined;
    if (this.closed) return;
    if (!this.serving) return this.membership?.unreached();
    this.serving = false;
    this.lostAt = this.clock.now();
    outsideContext(() => this.on.lost(this.lastError)); // a write that failed brings it, in the context of its caller
  }

  /**
   * ioredis makes no other attempt: it could not begin one, as with a port or a certificate that is none, or the user's
   * own strategy gave up. The next command makes one.
   */
  private hearEnd(): void {
    if (this.closed) return;
    this.up = this.started = false;
    const error = this.failures.unreachable(this.lastError);
    for (const settle of [...this.waiting]) settle(error);
  }

  private async greet(): Promise<void> {
    const { client } = this;
    const connection = (this.connections += 1);
    // Together: a server far away is asked once. With its time, the first commands need not ask for it.
    const [unselected, info, replication, , sample] = await Promise.all([
      this.selectDatabase(),
      client.info('server').catch(() => ''),
      client.info('replication').catch(() => ''),
      loadScripts(client),
      this.sampled().catch(() => undefined),
    ]);
    this.runId = runIdIn(info);
    const useless = await this.learnTopology(info);
    await this.native?.begin(client, this.runId, info);
    if (this.closed || connection !== this.connections || client.status !== 'ready') return;
    if (/^role:slave/m.test(replication)) return this.refuseReplica();
    if (unselected) this.lastError = this.failures.wordsOf(unselected);
    const noDatabase = unselected && NO_SUCH_DB.test(unselected.message);
    this.refusal = useless ?? (noDatabase ? this.failures.useless(this.lastError) : undefined);
    if (this.refusal) this.refuse(this.refusal);
    if (this.refusal || unselected) return this.tryAnother();
    this.up = true;
    for (const settle of [...this.waiting]) settle();
    if (sample) this.adoptSample(sample); // that of a replica would pass for a sign of a store that works
    this.serving = true;
    this.lastError = 'the connection was closed';
    const moved = this.movedTo(this.runId || UNKNOWN);
    if (this.lostAt !== undefined) this.on.back(this.clock.now() - this.lostAt);
    this.lostAt = undefined;
    if (moved !== undefined) this.on.moved(moved); // who holds asks before those who wait
    this.on.up();
  }

  /** Why the database is not ours. ioredis selects it, too, but goes on with database 0 when the server refuses. */
  private selectDatabase(): Promise<Error | undefined> {
    const { db } = this.client.options;
    if (!db) return Promise.resolve(undefined);
    return this.client.select(db).then(
      () => undefined,
      (error: Error) => error,
    );
  }

  /**
   * A server in cluster mode serves one name a call, and no names at all when there are several shards. Returns why it
   * cannot be used.
   */
  private async learnTopology(info: string): Promise<LockStoreError | undefined> {
    const mode = /^(?:redis|server)_mode:(\w+)/m.exec(info)?.[1]; // Valkey says server_mode
    const asked =
      mode === undefined ? await this.client.cluster('INFO').catch(({ message }: Error) => message) : '';
    const says = mode === 'cluster' || /^cluster_state:/m.test(asked);
    // A node of a cluster need not let us ask it.
    const clustered = says || this.membership !== undefined;
    // A proxy that shards by key would run a call for several names where the first of them is.
    const isUnknown = mode === undefined && !isNoCluster(asked);
    this.oneKeyACall = clustered || isUnknown;
    this.terms = this.termsFor(!clustered, serverIn(this.runId) || UNKNOWN);
    if (this.membership) {
      // Only a server that says so is none: the connection may have been lost before it said anything.
      const isNone = mode === undefined ? isNoCluster(asked) : !says;
      return isNone ? this.failures.noCluster() : undefined;
    }
    if (mode === 'sentinel') return this.failures.sentinel();
    if (!clustered) return undefined;
    const slots: unknown = await this.client.cluster('SLOTS').catch(() => undefined);
    const shards = Array.isArray(slots) ? mastersIn(slots) : undefined;
    this.onlyShard = shards === 1;
    return shards !== undefined && shards > 1 ? this.failures.sharded(shards) : undefined;
  }
}

/** How many masters the answer to CLUSTER SLOTS names. */
function mastersIn(slots: readonly unknown[]): number {
  return new Set(slots.map((each) => String((each as readonly unknown[])[2]))).size;
}

/** What notices call the server of a run id. */
export function serverIn(runId: string): string {
  return runId.slice(0, SERVER_LENGTH);
}

/** The server's run id in the answer to INFO. */
export function runIdIn(info: string): string {
  return /^run_id:(\S+)/m.exec(info)?.[1] ?? '';
}
