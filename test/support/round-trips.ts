import { Redis } from 'ioredis';

const EVERY = 5;

/** The longest round trip to a server from now on, over a connection of its own. Use with `using`. */
export class RoundTrips implements Disposable {
  private longest = 0;
  private readonly client: Redis;
  private readonly timer: NodeJS.Timeout;

  constructor(port: number) {
    this.client = new Redis({ port, maxRetriesPerRequest: null });
    this.client.on('error', () => undefined);
    this.timer = setInterval(() => this.ask(), EVERY);
  }

  /** In milliseconds. */
  get max(): number {
    return this.longest;
  }

  [Symbol.dispose](): void {
    clearInterval(this.timer);
    this.client.disconnect();
  }

  private ask(): void {
    if (this.client.status !== 'ready') return;
    const sent = performance.now();
    this.client.ping().then(
      () => (this.longest = Math.max(this.longest, performance.now() - sent)),
      () => undefined,
    );
  }
}
