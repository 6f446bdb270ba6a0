import type { Held } from './checker.js';
import type { Schedule } from './schedule.js';
import type { SimulatedServer } from './simulated-server.js';

interface Seen {
  latest: number;
  /** The latest of a hold that excluded all others. */
  exclusive: number;
  readonly all: Set<number>;
}

/** The fences that were given out, by name: each larger than those of the conflicting holds before. */
export class FenceLedger {
  private readonly names = new Map<string, Seen>();
  /** The records are lost while the fences are ahead of the clock: outside of what is promised. */
  private readonly mayFall: boolean;

  constructor(
    private readonly schedule: Schedule,
    private readonly server: SimulatedServer,
  ) {
    const { faults, fenceMemory } = schedule;
    const lost = faults.some(({ kind }) => kind === 'flush' || kind === 'restart');
    const back = faults.some((fault) => (fault.kind === 'step' || fault.kind === 'restart') && fault.by < 0);
    // Taking a lock by force uses its block up, at once.
    const ahead = faults.some((fault) => fault.kind === 'revoke' && fault.force);
    this.mayFall = (lost && (back || ahead)) || (fenceMemory === 0 && back);
  }

  /** Enters a grant; says what is wrong with its fence. */
  enter({ ask, tenure, epoch }: Held): string | undefined {
    const { name, units } = ask.plan;
    const seen = this.names.get(name) ?? { latest: 0, exclusive: 0, all: new Set<number>() };
    this.names.set(name, seen);
    const alone = units === this.schedule.capacity;
    const { fence } = tenure;
    const before = alone ? seen.latest : seen.exclusive;
    const wrong = fence <= before || seen.all.has(fence);
    seen.all.add(fence);
    seen.latest = Math.max(seen.latest, fence);
    if (alone) seen.exclusive = Math.max(seen.exclusive, fence);
    // What was taken by force, or lost by the server, is protected by the fence alone: it may be an old one.
    if (!wrong || this.mayFall || epoch !== this.server.epoch) return undefined;
    return `${ask.label} has the fence ${fence}, and a conflicting hold before had ${before}`;
  }
}
