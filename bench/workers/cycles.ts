import type { Contender } from '../contenders/contender.js';
import { rate, times } from '../measure/loops.js';
import { connection, contenderOf } from './clients.js';

/** Locks that nobody else wants, taken and given back in so many lanes. */
export interface Cycles {
  readonly entrant: string;
  readonly url: string;
  readonly lanes: number;
  /** How many before anything is counted, and for how many milliseconds each of the two ways is measured. */
  readonly warmUp: number;
  readonly ms: number;
}

/** Cycles a second by `using` and by hand, and the processor time of both sides for one cycle by hand, in microseconds. */
export interface CyclesOutcome {
  readonly using: number;
  readonly byHand: number;
  readonly cpu: number;
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
    const { perSecond: byHand, cpu } = await this.measured(ms, this.byHand);
    return { using: perSecond, byHand, cpu };
  }

  private readonly using = (lane: number): Promise<void> =>
    this.contender.using(`free-${lane}`, async () => undefined);

  private readonly byHand = async (lane: number): Promise<unknown> =>
    (await this.contender.acquire(`free-${lane}`))();

  /** The processor time is a figure that a busy machine hardly changes. */
  private async measured(
    ms: number,
    cycle: (lane: number) => Promise<unknown>,
  ): Promise<{ perSecond: number; cpu: number }> {
    let cycles = 0;
    const server = await this.serverCpu();
    const client = process.cpuUsage();
    const perSecond = await rate(ms, this.lanes, (lane) => {
      cycles += 1;
      return cycle(lane);
    });
    const { user, system } = process.cpuUsage(client);
    const cpu = (user + system + ((await this.serverCpu()) - server) * 1e6) / cycles;
    return { perSecond, cpu };
  }
}

/** The same in a worker. */
export async function cycles({ entrant, url, lanes, warmUp, ms }: Cycles): Promise<CyclesOutcome> {
  const admin = connection(url, 'admin');
  const meter = new CycleMeter(await contenderOf(entrant, url), lanes, async () => {
    const info = await admin.info('cpu');
    const used = (name: string) => Number(new RegExp(`^${name}:(.+)$`, 'm').exec(info)?.[1]);
    return used('used_cpu_user') + used('used_cpu_sys');
  });
  await meter.warmUp(warmUp);
  return meter.sample(ms);
}
