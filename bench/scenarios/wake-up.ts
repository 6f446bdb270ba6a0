import { setTimeout as sleep } from 'node:timers/promises';
import type { Entrant } from '../contenders/contender.js';
import { OURS, peersFor } from '../contenders/entrants.js';
import { quantile } from '../measure/numbers.js';
import { interleaved, type Runner } from '../measure/rounds.js';
import type { Troupe } from '../stage/troupe.js';
import { type Scenario, terms } from './scenario.js';

/** From the release in one process to the grant in another that waits. */
export const wakeUp: Scenario = {
  id: 'wake-up',
  async run(stage) {
    const { url, quick } = stage;
    const troupe = await stage.workers();
    const [times, first, again] = quick ? [10, 1_200, 300] : [30, 4_000, 1_500];
    // Thirty hand-offs a round would be measured before V8 has compiled what they run; and what did not run for as
    // long as the others took, it lets go of, and compiles again.
    const sampler = (once: Once): Runner['sample'] => {
      let warmUp = first;
      return async () => {
        for (const end = performance.now() + warmUp; performance.now() < end;) await once(briefly);
        warmUp = again;
        return sampled(times, () => once(usually));
      };
    };
    const runner = ({ id, label, role }: Entrant): Runner => ({
      id,
      label,
      role,
      sample: sampler((pause) => wakeOf(troupe, id, url, pause)),
    });
    const bare: Runner = {
      id: 'bare',
      label: 'PUBLISH → message, bare',
      role: 'floor',
      sample: sampler((pause) => messageOf(troupe, url, pause)),
    };
    const rows = await interleaved([OURS, ...peersFor(quick, true)].map(runner).concat(bare), terms(stage));
    await troupe.all({ do: 'close' });
    const columns = [
      { id: 'p50', title: 'p50, ms', better: 'less' },
      { id: 'p99', title: 'longest, ms', better: 'less' },
    ] as const;
    return [
      { id: 'wake-up', title: 'Wake-up of one waiter in another process', section: 'empty', columns, rows },
    ];
  },
};

type Pause = () => Promise<void>;
type Once = (pause: Pause) => Promise<number>;

const usually: Pause = () => sleep(15 + Math.random() * 10);
const briefly: Pause = () => sleep(1);

async function sampled(times: number, once: () => Promise<number>): Promise<{ p50: number; p99: number }> {
  const took: number[] = [];
  for (let time = 0; time < times; time += 1) took.push(await once());
  return { p50: quantile(took, 0.5), p99: Math.max(...took) };
}

async function wakeOf(troupe: Troupe, entrant: string, url: string, pause: Pause): Promise<number> {
  const order = { entrant, url, name: `wake-${entrant}` };
  await troupe.one(0, { do: 'hold', ...order });
  await troupe.one(1, { do: 'wait', ...order });
  await pause(); // the waiter stands in line, at no particular point of its polling
  const released = troupe.one<number>(0, { do: 'release' });
  const granted = await troupe.one<number>(1, { do: 'granted' });
  return granted - (await released);
}

async function messageOf(troupe: Troupe, url: string, pause: Pause): Promise<number> {
  const order = { url, channel: 'bare' };
  await troupe.one(1, { do: 'listen', ...order });
  await pause();
  const published = troupe.one<number>(0, { do: 'publish', ...order });
  const heard = await troupe.one<number>(1, { do: 'heard' });
  return heard - (await published);
}
