import { setTimeout as sleep } from 'node:timers/promises';
import { BEFORE, comparesWithBefore } from '../contenders/before.js';
import { OURS, peersFor } from '../contenders/entrants.js';
import { quantile } from '../measure/numbers.js';
import { interleaved, type Runner } from '../measure/rounds.js';
import type { Sample } from '../measure/table.js';
import type { WorkerPool } from '../fixture/worker-pool.js';
import { type Scenario, terms } from './scenario.js';

/** From the release in one process to the grant in another that waits. */
export const wakeUp: Scenario = {
  id: 'wake-up',
  async run(fixture) {
    const { url, quick } = fixture;
    const pool = await fixture.workers();
    const [times, first, again] = quick ? [10, 1_200, 300] : [30, 4_000, 1_500];
    // Thirty hand-offs a round would be measured before V8 has compiled what they run; and what did not run for as
    // long as the others took, it lets go of, and compiles again.
    const sampler = (...each: Once[]) => {
      let warmUp = first;
      return async (): Promise<Waits[]> => {
        const turn = async (pause: Pause): Promise<number[]> => {
          const took: number[] = [];
          for (const once of each) took.push(await once(pause));
          return took;
        };
        for (const end = performance.now() + warmUp * each.length; performance.now() < end;)
          await turn(briefly);
        warmUp = again;
        const turns: number[][] = [];
        for (let time = 0; time < times; time += 1) turns.push(await turn(usually));
        return each.map((_, place) => waitsIn(turns.map((took) => took[place] ?? NaN)));
      };
    };
    const wake = (id: string) => (pause: Pause) => wakeOf(pool, id, url, pause);
    const columns = [
      { id: 'p50', title: 'p50, ms', better: 'less' },
      { id: 'p99', title: 'longest, ms', better: 'less' },
    ] as const;
    const about = {
      id: 'wake-up',
      title: 'Wake-up of one waiter in another process',
      section: 'empty',
    } as const;
    if (comparesWithBefore()) {
      const [own, before] = together(sampler(wake(OURS.id), wake(BEFORE.id)));
      const pair: Runner[] = [
        { ...OURS, sample: own },
        { ...BEFORE, sample: before },
      ];
      const rows = await interleaved(pair, terms(fixture));
      await pool.all({ do: 'close' });
      return [{ ...about, columns, rows }];
    }
    const peers = peersFor(quick, true).map(({ id, label, role }): Runner => {
      const sample = sampler(wake(id));
      return { id, label, role, sample: async () => (await sample())[0] as Waits };
    });
    // Ours and the bare message take turns, wake-up by wake-up: how long a process takes to wake up doubles with what
    // the machine does, and stays so for seconds.
    const [own, bare] = together(sampler(wake(OURS.id), (pause) => messageOf(pool, url, pause)));
    const runners: Runner[] = [
      { ...OURS, sample: own },
      ...peers,
      { id: 'bare', label: 'PUBLISH → message, bare', role: 'floor', sample: bare },
    ];
    const rows = await interleaved(runners, terms(fixture));
    await pool.all({ do: 'close' });
    return [{ ...about, columns, rows }];
  },
};

type Pause = () => Promise<void>;
type Once = (pause: Pause) => Promise<number>;

const usually: Pause = () => sleep(15 + Math.random() * 10);
const briefly: Pause = () => sleep(1);

interface Waits extends Sample {
  readonly p50: number;
  readonly p99: number;
}

const waitsIn = (took: number[]): Waits => ({ p50: quantile(took, 0.5), p99: Math.max(...took) });

/** Two who are measured at the same time: the first who is asked in a round has both measured. */
function together(measure: () => Promise<Waits[]>): [() => Promise<Waits>, () => Promise<Waits>] {
  let round: Promise<Waits[]> | undefined;
  const of = (place: number) => async () => {
    const last = round;
    const all = (round ??= measure());
    if (last) round = undefined;
    return (await all)[place] as Waits;
  };
  return [of(0), of(1)];
}

async function wakeOf(pool: WorkerPool, entrant: string, url: string, pause: Pause): Promise<number> {
  const order = { entrant, url, name: `wake-${entrant}` };
  await pool.one(0, { do: 'hold', ...order });
  await pool.one(1, { do: 'wait', ...order });
  await pause(); // the waiter stands in line, at no particular point of its polling
  const released = pool.one<number>(0, { do: 'release' });
  const granted = await pool.one<number>(1, { do: 'granted' });
  return granted - (await released);
}

async function messageOf(pool: WorkerPool, url: string, pause: Pause): Promise<number> {
  const order = { url, channel: 'bare' };
  await pool.one(1, { do: 'listen', ...order });
  await pause();
  const published = pool.one<number>(0, { do: 'publish', ...order });
  const heard = await pool.one<number>(1, { do: 'heard' });
  return heard - (await published);
}
