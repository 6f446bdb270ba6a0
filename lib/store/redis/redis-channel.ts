import type { Redis } from 'ioredis';
import type { CancelTimer, Clock } from '../../base/clock.js';
import { outsideContext } from '../../base/outside-context.js';
import { INVALIDATIONS } from './key-tracking.js';
import { keepAlive } from './keep-alive.js';
import { runIdIn } from './redis-connection.js';
import { isLost } from './redis-failures.js';

// The subscription is up this long after the connection, or the way is dead.
const SUBSCRIBE_PATIENCE = 5_000;
// Sooner where another server may do as well.
const ROAMING_PATIENCE = 1_000;
// How soon another server is tried after one that was of no use.
const SOON = 20;
const LATEST = 1_000;
// A server that said it published to us, and whose message is not here after this long: the way is dead.
const ECHO_PATIENCE = 1_000;
// Where somebody relies on notices that may not come for long: how often the server is asked for a sign of life, and how
// long it has for that.
const BEAT = 2_500;

/** A trial of whether notices can be heard. */
export interface Trial {
  readonly outcome: Promise<Error | undefined>;
  /** Ends it, if it has not ended. */
  end(): void;
}

/** The session's channel, on a connection of its own. */
export class RedisChannel {
  subscribed = false;
  /** Which server process this connection leads to. */
  runId = '';
  /** The number that the server has given this connection, where somebody wants to hear of changed keys. */
  clientId: number | undefined;
  started = false;
  private client: Redis | undefined;
  private lastMessage = -Infinity;
  private cancelBeat: CancelTimer | undefined;
  private expecting = false;
  private closed = false;
  private cancelAnswer: CancelTimer | undefined;
  private cancelEcho: CancelTimer | undefined;
  private cancelNext: CancelTimer | undefined;
  /** How often in a row a connection was of no use. */
  private failures = 0;
  private dropping = false;
  private keepsAlive = true;
  /** Who wants to know whether notices can be heard. */
  private readonly tried = new Set<(error?: Error) => void>();

  constructor(
    private readonly name: string,
    private readonly open: () => Redis,
    private readonly clock: Clock,
    private readonly on: {
      message(text: string): void;
      up(): void;
      down(): void;
      /** The server says that somebody has changed keys; undefined for all. */
      readonly changed?: ((keys: readonly string[] | undefined) => void) | undefined;
    },
    /** Whether `open` may lead to another server each time; then a connection that is lost is not made anew. */
    private readonly roams = false,
  ) {}

  /** Connects and subscribes, and again after each loss; does nothing the second time. */
  start(): void {
    this.started = true;
    if (!this.client && !this.closed) this.connect();
  }

  private connect(): void {
    const client = (this.client = this.open());
    const present = (): boolean => this.client === client && !this.closed;
    client.on('connect', () => {
      if (!present()) return client.disconnect();
      this.dropping = false;
      this.expectAnswer();
      keepAlive(client, this.keepsAlive);
    });
    client.on('reconnecting', () => {
      if (present()) keepAlive(client, this.keepsAlive);
    });
    client.on('ready', () => void this.subscribe(client));
    client.on('close', () => {
      if (!present()) return;
      this.cancelAnswer?.();
      this.silence();
      if (this.roams) this.goElsewhere();
    });
    client.on('end', () => {
      if (!present()) return;
      client.disconnect(); // its connections to sentinels do not end by themselves
      this.goElsewhere(); // ioredis makes no other attempt
    });
    client.on('message', (channel: string, text: string) => {
      if (!present() || channel !== this.name) return; // the connection after this one hears the same
      this.lastMessage = this.clock.now();
      this.on.message(text);
    });
    const { changed } = this.on;
    // A list of keys, or null for all of them. The other event has it as a text without bounds between keys.
    if (changed)
      client.on('messageBuffer', (channel: Buffer, keys: Buffer[] | null) => {
        if (present() && channel.toString() === INVALIDATIONS) changed(keys?.map(String));
      });
    client.connect().catch(() => undefined); // it retries; until then waiters ask
  }

  private silence(): void {
    this.dropping = false;
    this.clientId = undefined;
    const { subscribed } = this;
    this.subscribed = false;
    if (subscribed) this.on.down();
  }

  /** Over another connection, soon: longer each time, up to a second. */
  private goElsewhere(): void {
    this.client = undefined;
    this.cancelAnswer?.();
    this.cancelNext?.();
    const patience = Math.min(SOON * 2 ** this.failures, LATEST) * (0.5 + Math.random() / 2);
    this.cancelNext = this.clock.after(this.failures === 0 ? 0 : patience, () => {
      if (!this.client && !this.closed) outsideContext(() => this.connect());
    });
    this.failures += 1;
  }

  /** Starts, and tells what comes of it: the server's error, or undefined once notices can be heard. */
  tryOut(timeout: number): Trial {
    if (this.subscribed) return { outcome: Promise.resolve(undefined), end: () => undefined };
    let end = (): void => undefined;
    const outcome = new Promise<Error | undefined>((resolve) => {
      const settle = (error?: Error): void => {
        cancel();
        this.tried.delete(settle);
        resolve(error);
      };
      end = () => settle(new Error('Connection is closed.'));
      const cancel = this.clock.after(timeout, end);
      this.tried.add(settle);
    });
    this.start();
    return { outcome, end };
  }

  /** The server published something to us: unless it arrives soon, the connection is half dead. */
  expectEcho(askedAt: number): void {
    if (this.expecting) return;
    this.expecting = true;
    this.cancelEcho = this.later(ECHO_PATIENCE, () => {
      this.expecting = false;
      if (this.subscribed && this.lastMessage < askedAt) this.reset();
    });
  }

  /** From now on a connection that dies without a word is noticed within five seconds, also while nothing is said over it. */
  attend(): void {
    if (!this.cancelBeat && !this.closed) this.beat();
  }

  private beat(): void {
    const { client } = this;
    this.cancelBeat = this.later(BEAT, () => this.beat());
    if (!client || !this.subscribed || this.clock.now() - this.lastMessage < BEAT) return;
    const cancel = this.later(BEAT, () => {
      if (this.client !== client || !this.subscribed) return;
      this.silence(); // now, and not only when the connection has ended
      this.reset();
    });
    client.ping().then(cancel, cancel);
  }

  /** A connection may die without a word before it was of any use. */
  private expectAnswer(): void {
    this.cancelAnswer?.();
    this.cancelAnswer = this.later(this.roams ? ROAMING_PATIENCE : SUBSCRIBE_PATIENCE, () => this.reset());
  }

  /** Drops the connection; a new one is made as soon as it is gone. */
  reset(_place?: 0 | 1): void {
    const { client } = this;
    if (this.closed || this.dropping || !client) return;
    if (this.roams) {
      this.silence();
      this.goElsewhere();
      return client.disconnect();
    }
    if (client.status !== 'connect' && client.status !== 'ready') return; // it has ended, and the next one is on its way
    this.dropping = true; // ioredis adds a listener each time, and a silent connection takes seconds to end
    client.disconnect(true);
  }

  /** Whether the connection keeps the process alive, also when it is made anew. */
  keepAlive(on: boolean): void {
    this.keepsAlive = on;
    if (this.client) keepAlive(this.client, on);
  }

  close(): void {
    if (this.closed) return; // ioredis keeps a timer for a connection that is ended twice
    this.closed = true;
    this.subscribed = false;
    this.cancelAnswer?.();
    this.cancelEcho?.();
    this.cancelNext?.();
    this.cancelBeat?.();
    for (const settle of [...this.tried]) settle(new Error('Connection is closed.'));
    this.client?.disconnect();
  }

  /** After a turn of the event loop: when it was late, what is waited for may wait in the socket. */
  private later(ms: number, look: () => void): CancelTimer {
    let cancelled = false;
    const cancel = this.clock.after(ms, () => this.clock.breathe(() => cancelled || look()));
    return () => {
      cancelled = true;
      cancel();
    };
  }

  private async subscribe(client: Redis): Promise<void> {
    try {
      const [runId, clientId] = await Promise.all([
        client.info('server').then(runIdIn, () => ''),
        this.on.changed && client.client('ID').catch(() => undefined), // a subscribed connection cannot ask
      ]);
      this.runId = runId;
      if (this.client !== client) return;
      await client.subscribe(this.name);
      if (this.client !== client || this.closed) return;
      this.cancelAnswer?.();
      this.failures = 0;
      this.clientId = clientId;
      this.subscribed = true;
      for (const settle of [...this.tried]) settle();
      this.on.up();
    } catch (error) {
      // SUBSCRIBE denied, or the connection is gone again: waiters go on asking.
      if (isLost(error as Error)) return;
      if (this.client === client) this.cancelAnswer?.();
      for (const settle of [...this.tried]) settle(error as Error);
    }
  }
}
