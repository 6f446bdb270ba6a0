import type { Contender } from '../contenders/contender.js';
import { rate, times } from '../measure/loops.js';
import { contenderOf, serverCpu } from './clients.js';

/** Locks that nobody else wants, taken and given back in so many lanes. */
export interface Cycles {
  readonly entrant: string;
  readonly url: string;
  readonly lanes: number;
  /** How many before anything is counted, and for how many milliseconds each of the two ways is measured. */
  readonly warmUp: number;
  readonly ms: number;
}

/** Cycles a second by `using` and by hand, and the processor time for one cycle by hand, in microseconds. */
export interface CyclesOutcome {
  readonly using: number;
  readonly byHand: number;
  /** Of both sides, and of each of them. */
  readonly cpu: number;
  readonly client: number;
  readonly server: number;
}

/** Nobody else wants it, in no process. */
function nameOf(lane: number): string {
  return `free-${process.pid}-${lane}`;
}

/** What one contender does, measured in this process. */
export class CycleMeter {
  constructor(
    private readonly contender: Contender,
    private readonly lanes: number,
    /** Seconds of processor time that the server has used so far. */
    private readonly serverCpu: () => Promise<number>,
  ) {}

  warmUp(count: number): Promise<void> {
    return times(count, this.lanes, this.byHand);
  }

  async sample(ms: number): Promise<CyclesOutcome> {
    const { perSecond } = await this.measured(ms, this.using);
    const { perSecond: byHand, client, server } = await this.measured(ms, this.byHand);
    return { using: perSecond, byHand, cpu: client + server, client, server };
  }

  private readonly using = (lane: number): Promise<void> =>
    this.contender.using(nameOf(lane), async () => undefined);

  private readonly byHand = async (lane: number): Promise<unknown> =>
    (await this.contender.acquire(nameOf(lane)))();

  /** The processor time is a figure that a busy machine hardly changes. */
  private async measured(
    ms: number,
    cycle: (lane: number) => Promise<unknown>,
  ): Promise<{ perSecond: number; client: number; server: number }> {
    let cycles = 0;
    const before = await this.serverCpu();
    const own = process.cpuUsage();
    const perSecond = await rate(ms, this.lanes, (lane) => {
      cycles += 1;
      return cycle(lane);
    });
    const { user, system } = process.cpuUsage(own);
    const server = (((await this.serverCpu()) - before) * 1e6) / cycles;
    return { perSecond, client: (user + system) / cycles, server };
  }
}

/** The same in a worker. */
export async function cycles({ entrant, url, lanes, warmUp, ms }: Cycles): Promise<CyclesOutcome> {
  const meter = new CycleMeter(await contenderOf(entrant, url), lanes, () => serverCpu(url));
  await meter.warmUp(warmUp);
  return meter.sample(ms);
}
