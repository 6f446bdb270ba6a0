import type { Life } from './life.js';
import type { Random } from './random.js';
import { Road, type Latency } from './road.js';
import type { SimulatedServer } from './simulated-server.js';
import type { Timeline } from './timeline.js';
import { Wire, type LateBytes } from './wire.js';

/** Where a process and its connections live. */
export interface World {
  readonly timeline: Timeline;
  readonly server: SimulatedServer;
  readonly life: Life;
  readonly random: Random;
  readonly latency: Latency;
}

/** One connection of a process to the server, made anew whenever it breaks. */
export class Link {
  readonly road: Road;
  /** Which server process it leads to. */
  runId = 0;
  private wire: Wire | undefined;
  private before: Wire | undefined;
  private started = false;
  private closed = false;
  private attempts = 0;

  constructor(
    private readonly world: World,
    private readonly on: { up(): void; down(): void },
    /** Whether a new connection has the server read nothing more of the one before. */
    private readonly endsBefore = false,
  ) {
    this.road = new Road(world.timeline, world.random.fork(), world.latency);
  }

  start(): void {
    if (this.started || this.closed) return;
    this.started = true;
    this.connect();
  }

  /** The server answers `question`; the answer comes back unless the connection breaks. */
  ask<R>(question: (wire: Wire) => R, answer: (reply: R) => void): void {
    const { wire } = this;
    const { server } = this.world;
    wire?.up(() => server.read(() => wire.ended || this.tell(wire, question(wire), answer)));
  }

  /** The server sends something on its own account. */
  tell<T>(wire: Wire, message: T, hear: (message: T) => void): void {
    wire.down(() => this.world.life.enter(() => this.wire === wire && hear(message)));
  }

  /** Breaks the connection. The server notices after `noticed` ms, the process when it runs. */
  reset(late: LateBytes = { copies: 0, within: 0 }, noticed = 0): void {
    const { wire } = this;
    if (!wire || wire.cut) return;
    wire.end(late, noticed);
    this.world.life.enter(() => this.lost(wire));
  }

  close(): void {
    this.closed = true;
    this.wire?.end({ copies: 1, within: 1 }, 1); // what was written before is read before the end
    this.wire = undefined;
    this.on.down();
  }

  /** The process is gone: the kernel closes its connections, or its machine falls silent. */
  die(late: LateBytes, noticed: number): void {
    this.wire?.end(late, noticed);
  }

  private connect(): void {
    const { timeline, random, server } = this.world;
    if (this.closed) return;
    const { before } = this;
    this.before = this.wire = new Wire(timeline, random, this.road);
    this.ask(
      () => {
        if (before && this.endsBefore) before.ended = true;
        return server.runId;
      },
      (runId) => {
        this.runId = runId;
        this.attempts = 0;
        this.on.up();
      },
    );
  }

  private lost(wire: Wire): void {
    if (this.wire !== wire) return;
    this.wire = undefined;
    this.on.down();
    const { timeline, random, life } = this.world;
    const pause = Math.min(20 * 2 ** Math.min(this.attempts, 6), 1_000) * random.between(0.5, 1);
    this.attempts += 1;
    timeline.after(pause, () => life.enter(() => this.connect()));
  }
}
