import type { Redis } from 'ioredis';
import type { CancelTimer, Clock } from '../../base/clock.js';
import { keepAlive, runIdIn } from './redis-connection.js';

// The subscription is up this long after the connection, or the way is dead.
const SUBSCRIBE_PATIENCE = 5_000;
// A server that said it published to us, and whose message is not here after this long: the way is dead.
const ECHO_PATIENCE = 1_000;

/** The session's channel, on a connection of its own. Opened at first contention. */
export class RedisChannel {
  subscribed = false;
  /** Which server process this connection leads to. */
  runId = '';
  private client: Redis | undefined;
  private lastMessage = -Infinity;
  private expecting = false;
  private closed = false;
  private cancelAnswer: CancelTimer | undefined;
  private cancelEcho: CancelTimer | undefined;
  private dropping = false;
  private keepsAlive = true;

  constructor(
    private readonly name: string,
    private readonly open: () => Redis,
    private readonly clock: Clock,
    private readonly on: { message(text: string): void; up(): void; down(): void },
  ) {}

  /** Connects and subscribes, and again after each loss; does nothing the second time. */
  start(): void {
    if (this.client || this.closed) return;
    const client = (this.client = this.open());
    client.on('connect', () => {
      this.expectAnswer();
      keepAlive(client, this.keepsAlive);
    });
    client.on('ready', () => void this.subscribe(client));
    client.on('close', () => {
      this.dropping = false;
      if (this.subscribed) this.on.down();
      this.subscribed = false;
    });
    client.on('message', (_channel: string, text: string) => {
      this.lastMessage = this.clock.now();
      this.on.message(text);
    });
    client.connect().catch(() => undefined); // it retries; until then waiters ask
  }

  /** Subscribes over a connection that is closed again at once. Rejects with the server's error, or after `timeout` ms. */
  async tryOut(timeout: number): Promise<void> {
    if (this.subscribed) return;
    const client = this.open();
    const cancel = this.clock.after(timeout, () => client.disconnect());
    try {
      await new Promise<void>((resolve, reject) => {
        client.once('ready', resolve);
        client.once('end', () => reject(new Error('Connection is closed.')));
        client.connect().catch(() => undefined); // it tries again; and resolves before commands are taken
      });
      await client.subscribe(this.name);
    } finally {
      cancel();
      client.disconnect();
    }
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

  /** A connection may die without a word before it was of any use. */
  private expectAnswer(): void {
    this.cancelAnswer?.();
    this.cancelAnswer = this.later(SUBSCRIBE_PATIENCE, () => this.reset());
  }

  /** Drops the connection; a new one is made as soon as it is gone. */
  reset(): void {
    if (this.closed || this.dropping || !this.client) return;
    this.dropping = true; // ioredis adds a listener each time, and a silent connection takes seconds to end
    this.client.disconnect(true);
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
      this.runId = await client.info('server').then(runIdIn, () => '');
      this.cancelAnswer?.();
      await client.subscribe(this.name);
      this.subscribed = true;
      this.on.up();
    } catch {
      // SUBSCRIBE denied, or the connection is gone again: waiters go on asking.
    }
  }
}
