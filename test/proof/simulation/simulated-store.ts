import type { Clock } from '../../../lib/base/clock.js';
import { LockStoreError } from '../../../lib/base/errors.js';
import type {
  AcquireOperation,
  Grant,
  LockOperation,
  ReleaseOperation,
} from '../../../lib/store/lock-operation.js';
import { dated, grantOf, takenState } from '../../../lib/store/native-grant.js';
import type {
  Answered,
  LockReading,
  LockStore,
  LockStoreListener,
  StoreFindings,
} from '../../../lib/store/lock-store.js';
import { serverTimeAtLeast, type ServerSample } from '../../../lib/store/server-clock.js';
import { emptyState, type LockState } from '../../../lib/store/lock-machine.js';
import { Link, type World } from './link.js';
import { NoticeLink } from './notice-link.js';

// A server that has not answered anything for this long, though it was asked: the way to it may be dead.
const SILENCE = 2_000;

/** One session at a simulated server, over a connection for commands and one for notices. */
export class SimulatedStore implements LockStore {
  readonly address = 'simulated';
  readonly prefix = '';
  readonly commands: Link;
  readonly notices: NoticeLink;
  private present: ServerSample | undefined;
  private up = false;
  private closed = false;
  private heardAt = Infinity;
  private readonly listeners: LockStoreListener[] = [];
  private readonly waiting = new Set<(error?: LockStoreError) => void>();
  /** What is known of native commands, see NativeCommands. */
  private readonly open = new Map<string, { givenUp: boolean }>();
  private readonly written = new Map<string, LockState>();
  private readonly unanswered = new Set<(error: LockStoreError) => void>();

  constructor(
    private readonly world: World,
    readonly session: string,
    private readonly clock: Clock,
    /** Whether the server denies SUBSCRIBE to this process. */
    deaf: boolean,
    private readonly native: boolean,
  ) {
    const on = { up: () => this.connected(), down: () => this.disconnected() };
    this.commands = new Link(world, on, native);
    this.notices = new NoticeLink(world, session, clock, deaf, {
      notice: (name, notice) => this.listeners.forEach((listener) => listener.notice(name, notice)),
      up: () => this.wake(),
      down: () => {
        this.present = undefined;
        this.listeners.forEach((listener) => listener.deaf?.());
      },
    });
  }

  get subscribed(): boolean {
    return this.notices.subscribed;
  }

  async execute<O extends LockOperation>(name: string, operation: O, timeout: number): Promise<Answered<O>> {
    const begun = this.clock.now();
    if (this.native) {
      const answer = await this.natively(name, operation, timeout);
      if (answer) return answer;
    }
    return this.byTheRules(name, operation, timeout - (this.clock.now() - begun));
  }

  /** As RedisStore does it with NativeCommands; undefined where the rules are to decide. */
  private async natively(
    name: string,
    operation: LockOperation,
    timeout: number,
  ): Promise<Answered<AcquireOperation | ReleaseOperation> | undefined> {
    if (operation.kind !== 'acquire') return this.givenBack(name, operation, timeout);
    const { server, timeline } = this.world;
    const { id } = operation;
    const begun = this.clock.now();
    if (this.open.has(id)) return { outcome: 'gone', now: 0, sentAt: begun, receivedAt: begun };
    await this.reached(timeout);
    const sentAt = this.clock.now();
    const hold = dated(operation, this.present, sentAt);
    if (!hold) return undefined;
    const asked = { givenUp: false };
    this.open.set(id, asked);
    timeline.note(() => `${id.slice(0, 8)} asks natively, at ${hold.at}`);
    const { now, written } = await this.command('acquire', timeout - (sentAt - begun), () => {
      const outcome = server.takeFree(name, operation, hold);
      timeline.note(() => `server ${outcome.written ? 'writes' : 'refuses'} the hold of ${id.slice(0, 8)}`);
      return outcome;
    });
    this.open.delete(id);
    const receivedAt = this.clock.now();
    this.present = { sentAt, receivedAt, time: now };
    if (!written) return asked.givenUp ? { outcome: 'gone', now: 0, sentAt, receivedAt } : undefined;
    const answer = grantOf(hold, now, receivedAt);
    if (answer.outcome === 'granted') this.written.set(id, takenState(operation, hold));
    return { ...answer, sentAt, receivedAt };
  }

  private async givenBack(
    name: string,
    operation: LockOperation,
    timeout: number,
  ): Promise<Answered<ReleaseOperation> | undefined> {
    if (!('id' in operation)) return undefined;
    const { id } = operation;
    const asked = this.open.get(id);
    if (asked) asked.givenUp = true;
    this.open.delete(id);
    const written = this.written.get(id);
    this.written.delete(id);
    if (!written || operation.kind !== 'release' || operation.keep + operation.done > 0) return undefined;
    await this.reached(timeout);
    const { server, timeline } = this.world;
    const sentAt = this.clock.now();
    const deleted = await this.command('release', timeout, () => {
      const done = server.deleteIfEqual(name, written);
      timeline.note(() => `server ${done ? 'deletes' : 'keeps'} the record of ${id.slice(0, 8)}`);
      return done;
    });
    const receivedAt = this.clock.now();
    if (!deleted) return undefined;
    const now = this.present ? serverTimeAtLeast(this.present, receivedAt) : 1;
    return { outcome: 'released', now, sentAt, receivedAt };
  }

  private async byTheRules<O extends LockOperation>(
    name: string,
    operation: O,
    timeout: number,
  ): Promise<Answered<O>> {
    await this.reached(timeout);
    const { timeline, server } = this.world;
    const who =
      'id' in operation && operation.id.startsWith(this.session) ? operation.id.slice(0, 8) : this.session;
    const sentAt = this.clock.now();
    timeline.note(() => `${who} sends ${operation.kind}`);
    const answer = await this.command(operation.kind, timeout, () => {
      const outcome = server.apply(name, operation);
      timeline.note(() => `server reads ${operation.kind} of ${who}: ${outcome.outcome}`);
      return outcome;
    });
    const receivedAt = this.clock.now();
    timeline.note(() => `${who} hears ${answer.outcome} to ${operation.kind}`);
    this.present = { sentAt, receivedAt, time: answer.now };
    if (answer.outcome === 'queued' && operation.kind === 'acquire' && operation.subscribed) {
      if (answer.heard) this.notices.expectEcho();
      else this.notices.reset();
    }
    return Object.assign({}, answer, { sentAt, receivedAt });
  }

  async read(name: string, timeout: number): Promise<LockReading> {
    await this.reached(timeout);
    const { server } = this.world;
    return this.command('inspect', timeout, () => ({
      name,
      key: name,
      state: structuredClone(server.record(name) ?? emptyState()),
      now: server.time(),
    }));
  }

  latch(): Promise<never> {
    return Promise.reject(new LockStoreError('Latches are not simulated.'));
  }

  list(): never {
    throw new LockStoreError('Lists are not simulated.');
  }

  subscribe(): void {
    this.notices.start();
  }

  sample(_name: string): ServerSample | undefined {
    return this.present;
  }

  async measure(_name: string, timeout: number): Promise<ServerSample> {
    await this.reached(timeout);
    if (this.present) return this.present;
    const sentAt = this.clock.now();
    const time = await this.command('time', timeout, () => this.world.server.time());
    return (this.present = { sentAt, receivedAt: this.clock.now(), time });
  }

  sampleFor(_grant: Grant): ServerSample | undefined {
    const trusted = this.notices.subscribed && this.notices.runId === this.commands.runId;
    return trusted ? this.present : undefined;
  }

  listen(listener: LockStoreListener): void {
    this.listeners.push(listener);
  }

  async ready(timeout: number): Promise<StoreFindings> {
    await this.reached(timeout);
    return { address: this.address, publish: true, warnings: [] };
  }

  private reached(timeout: number): Promise<void> {
    if (this.up) return Promise.resolve();
    if (this.closed) return Promise.reject(new LockStoreError('The connection is closed.'));
    this.commands.start();
    return new Promise((resolve, reject) => {
      const settle = (error?: LockStoreError): void => {
        cancel();
        this.waiting.delete(settle);
        if (error) reject(error);
        else resolve();
      };
      const cancel = this.clock.after(timeout, () => {
        this.resetIfSilent();
        settle(new LockStoreError('The server is not reachable.'));
      });
      this.waiting.add(settle);
    });
  }

  readonly awaited = false;

  keepAlive(): void {
    // A simulated process lives until it is killed.
  }

  close(): Promise<void> {
    this.closed = true;
    this.notices.close();
    this.commands.close();
    return Promise.resolve();
  }

  private command<R>(what: string, timeout: number, question: () => R): Promise<R> {
    return new Promise((resolve, reject) => {
      const fail = (error: LockStoreError): void => {
        cancel();
        this.unanswered.delete(fail);
        reject(error);
      };
      const cancel = this.clock.after(timeout, () => {
        fail(new LockStoreError(`The server did not answer ${what} in time; its outcome is unknown.`));
        this.resetIfSilent();
      });
      this.unanswered.add(fail);
      const { server } = this.world;
      this.commands.ask(
        () => (server.refuses ? undefined : question()),
        (reply) => {
          if (!this.unanswered.delete(fail)) return; // it comes too late
          cancel();
          this.heardAt = this.clock.now();
          if (reply === undefined) reject(new LockStoreError(`The server failed ${what}: LOADING`));
          else resolve(reply);
        },
      );
    });
  }

  /** A connection may die without a word: a new one is made. What was written to it may still arrive. */
  private resetIfSilent(): void {
    if (!this.closed && this.clock.now() - this.heardAt >= SILENCE)
      this.commands.reset({ copies: 1, within: SILENCE }, 0);
  }

  private connected(): void {
    this.heardAt = this.clock.now();
    this.up = true;
    for (const settle of [...this.waiting]) settle();
    this.wake();
  }

  private disconnected(): void {
    this.up = false;
    this.present = undefined;
    for (const fail of [...this.unanswered]) fail(new LockStoreError('The connection broke.'));
    if (this.closed)
      for (const settle of [...this.waiting]) settle(new LockStoreError('The connection is closed.'));
  }

  private wake(): void {
    for (const listener of this.listeners) listener.wake();
  }
}
