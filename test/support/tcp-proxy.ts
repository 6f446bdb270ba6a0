import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** What one direction of a connection does with what it is given. */
class Lane {
  delay = 0;
  /** Nothing gets through; it comes late when the hole is closed again, as TCP does. */
  hole = false;
  /** The next data of which this is true is lost, and the connection is reset. */
  drops: ((data: string) => boolean) | undefined;
  dropped = false;
  /** What arrives instead of what was sent. */
  rewrites: ((data: string) => string) | undefined;
  chunks = 0;
  private readonly waiting: { due: number; data: Buffer | null }[] = [];
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly to: Socket,
    private readonly reset: () => void,
  ) {}

  /** `null` is the end of the stream. */
  take(data: Buffer | null): void {
    if (data) this.chunks += 1;
    if (data && this.drops?.(data.toString())) {
      this.dropped = true;
      return this.reset();
    }
    const last = this.waiting.at(-1)?.due ?? 0;
    const arrives =
      data && this.rewrites ? Buffer.from(this.rewrites(data.toString('latin1')), 'latin1') : data;
    this.waiting.push({ due: Math.max(last, performance.now() + this.delay), data: arrives });
    this.flow();
  }

  flow(): void {
    clearTimeout(this.timer);
    if (this.hole) return;
    for (let head = this.waiting[0]; head; head = this.waiting[0]) {
      const left = head.due - performance.now();
      if (left > 0.2) {
        this.timer = setTimeout(() => this.flow(), left);
        this.timer.unref();
        return;
      }
      this.waiting.shift();
      if (head.data) this.to.write(head.data);
      else this.to.end();
    }
  }

  close(): void {
    clearTimeout(this.timer);
  }
}

/** One connection through the proxy: `up` leads to the server, `down` to the client. */
export class ProxyLink {
  readonly up: Lane;
  readonly down: Lane;

  constructor(
    private readonly client: Socket,
    private readonly server: Socket,
    onClose: () => void,
  ) {
    this.up = new Lane(server, () => this.reset());
    this.down = new Lane(client, () => this.reset());
    for (const [from, lane] of [
      [client, this.up],
      [server, this.down],
    ] as const) {
      from.setNoDelay(true);
      from.on('data', (data) => lane.take(data));
      from.on('end', () => lane.take(null));
      from.on('error', () => undefined);
      from.on('close', () => {
        lane.take(null);
        if (client.destroyed && server.destroyed) onClose();
      });
    }
  }

  /** The client gets a reset; the server hears nothing of it before all that was held back. */
  loseClient(): void {
    if (!this.client.destroyed) this.client.resetAndDestroy();
  }

  /** Both sides get a reset. */
  reset(): void {
    this.up.close();
    this.down.close();
    if (!this.client.destroyed) this.client.resetAndDestroy();
    if (!this.server.destroyed) this.server.resetAndDestroy();
  }
}

export type Direction = 'up' | 'down' | 'both';

/**
 * A network between a client and a server of 127.0.0.1, for as long as it behaves. What is set here holds for
 * the present connections and for those to come, unless a filter names some by their number (0 is the first).
 */
export class TcpProxy {
  /** The connections, in the order in which they were made; closed ones stay in their place. */
  readonly links: ProxyLink[] = [];
  private readonly live = new Set<ProxyLink>();
  private delays = { up: 0, down: 0 };
  private holes = { up: false, down: false };
  private drops: ((reply: string) => boolean) | undefined;
  private rewrites: { up?: (data: string) => string; down?: (data: string) => string } = {};

  private constructor(
    private readonly server: Server,
    private target: number,
  ) {
    server.on('connection', (client) => this.link(client));
  }

  static start(targetPort: number): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true });
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', () => resolve(new TcpProxy(server, targetPort)));
    });
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  get open(): number {
    return this.live.size;
  }

  /** How many pieces of data the clients have sent so far: a hot loop shows here. */
  get requests(): number {
    return this.links.reduce((sum, { up }) => sum + up.chunks, 0);
  }

  /** New connections lead to this port. */
  leadTo(port: number): void {
    this.target = port;
  }

  /** Everything goes through at once again, and what was held back, too. */
  pass(): void {
    this.delays = { up: 0, down: 0 };
    this.holes = { up: false, down: false };
    this.drops = undefined;
    this.rewrites = {};
    for (const { up, down } of this.live)
      for (const lane of [up, down]) {
        Object.assign(lane, { delay: 0, hole: false, drops: undefined, rewrites: undefined });
        lane.flow();
      }
  }

  delay(ms: { up?: number; down?: number }): void {
    this.delays = { up: ms.up ?? 0, down: ms.down ?? 0 };
    for (const link of this.live) this.apply(link);
  }

  /** Nothing gets through and nobody is told; with `up` alone the server hears nothing and can still be heard. */
  blackHole(direction: Direction = 'both', only?: (link: number) => boolean): void {
    const holes = { up: direction !== 'down', down: direction !== 'up' };
    if (!only) this.holes = holes;
    this.links.forEach((link, number) => {
      if (only && !only(number)) return;
      link.up.hole ||= holes.up;
      link.down.hole ||= holes.down;
    });
  }

  /** Of the next reply nothing arrives, and its connection is reset; or of the next one of which `isIt` is true. */
  dropReply(isIt: (reply: string) => boolean = () => true): void {
    this.drops = isIt;
    for (const link of this.live) this.apply(link);
  }

  /** The server is sent `change` of what clients send, piece by piece as it comes; or the clients of what it replies. */
  rewrite(change: (data: string) => string, direction: 'up' | 'down' = 'up'): void {
    this.rewrites[direction] = change;
    for (const link of this.live) this.apply(link);
  }

  /** Every connection gets a reset. */
  reset(): void {
    for (const link of [...this.live]) link.reset();
  }

  close(): Promise<void> {
    this.reset();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  private link(client: Socket): void {
    const server = connect({ port: this.target, host: '127.0.0.1', allowHalfOpen: true });
    const link: ProxyLink = new ProxyLink(client, server, () => {
      if (this.live.delete(link) && link.down.dropped) this.dropped();
    });
    this.links.push(link);
    this.live.add(link);
    this.apply(link);
  }

  private apply({ up, down }: ProxyLink): void {
    [up.delay, down.delay] = [this.delays.up, this.delays.down];
    [up.hole, down.hole] = [up.hole || this.holes.up, down.hole || this.holes.down];
    down.drops = this.drops;
    [up.rewrites, down.rewrites] = [this.rewrites.up, this.rewrites.down];
  }

  /** One reply was lost: the others are not. */
  private dropped(): void {
    this.drops = undefined;
    for (const { down } of this.live) down.drops = undefined;
  }
}
