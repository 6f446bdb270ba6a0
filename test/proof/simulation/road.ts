import type { Random } from './random.js';
import type { Timeline } from './timeline.js';

export type Direction = 'up' | 'down';

/** How long messages take. */
export interface Latency {
  /** Milliseconds one way, as a rule. */
  readonly usual: number;
  /** How often one takes up to `spike` ms instead. */
  readonly spikes: number;
  readonly spike: number;
}

/** What lies between one process and the server for one kind of connection; it may be slow, or swallow all. */
export class Road {
  /** Added to every message, in milliseconds. */
  slow = 0;
  private spiking = true;
  private readonly held = { up: [] as (() => void)[], down: [] as (() => void)[] };
  private readonly blocked = { up: false, down: false };

  constructor(
    private readonly timeline: Timeline,
    private readonly random: Random,
    private readonly latency: Latency,
  ) {}

  get delay(): number {
    const { usual, spikes, spike } = this.latency;
    const { random } = this;
    const spiked = this.spiking && random.chance(spikes) ? random.between(0, spike) : 0;
    return usual * random.between(0.8, 1.5) + spiked + this.slow * random.next();
  }

  /** From now on nothing arrives, and nobody is told. */
  block(direction: Direction): void {
    this.blocked[direction] = true;
  }

  /** From now on messages take as long as usual. */
  calm(): void {
    this.spiking = false;
    this.slow = 0;
  }

  /** Everything that was held up arrives now. */
  heal(): void {
    for (const direction of ['up', 'down'] as const) {
      this.blocked[direction] = false;
      for (const arrive of this.held[direction].splice(0)) this.timeline.after(0, arrive);
    }
  }

  arrive(direction: Direction, message: () => void): void {
    if (this.blocked[direction]) this.held[direction].push(message);
    else message();
  }
}
