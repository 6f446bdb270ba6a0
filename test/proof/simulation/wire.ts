import type { Random } from './random.js';
import type { Direction, Road } from './road.js';
import type { Timeline } from './timeline.js';

/** What becomes of bytes that were on their way when a connection broke. */
export interface LateBytes {
  /** How often the server reads them later; 0 never. */
  readonly copies: number;
  /** At most how much later, in milliseconds. */
  readonly within: number;
}

/** One TCP connection: messages keep their order each way. */
export class Wire {
  cut = false;
  /** The server reads nothing of it any more. */
  ended = false;
  private readonly last = { up: 0, down: 0 };
  private readonly flying = new Map<object, () => void>();
  private readonly farewells: (() => void)[] = [];

  constructor(
    private readonly timeline: Timeline,
    private readonly random: Random,
    private readonly road: Road,
  ) {}

  /** To the server, which may read it after the connection broke. */
  up(read: () => void): void {
    const flight = {};
    this.flying.set(flight, read);
    this.timeline.at(this.arrival('up'), () =>
      this.road.arrive('up', () => {
        if (this.flying.delete(flight)) read();
      }),
    );
  }

  /** To the process. */
  down(read: () => void): void {
    if (this.cut) return;
    this.timeline.at(this.arrival('down'), () =>
      this.road.arrive('down', () => {
        if (!this.cut) read();
      }),
    );
  }

  /** Runs `told` on the server's side when it notices the end. */
  onEnd(told: () => void): void {
    this.farewells.push(told);
  }

  /** Breaks it; the server notices after `noticed` ms. */
  end(late: LateBytes, noticed: number): void {
    if (this.cut) return;
    this.cut = true;
    for (const read of this.flying.values())
      for (let copy = 0; copy < late.copies; copy += 1)
        this.timeline.after(this.random.between(0, late.within), read);
    this.flying.clear();
    for (const told of this.farewells) this.timeline.after(noticed, told);
  }

  private arrival(direction: Direction): number {
    return (this.last[direction] = Math.max(this.last[direction], this.timeline.now + this.road.delay));
  }
}
