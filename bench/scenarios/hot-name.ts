import { comparesWithBefore } from '../contenders/before.js';
import { IN_PROCESS, OURS, peersFor } from '../contenders/entrants.js';
import type { Contender } from '../contenders/contender.js';
import { duration, rate, served } from '../measure/loops.js';
import { median } from '../measure/numbers.js';
import { interleaved, type Runner } from '../measure/rounds.js';
import type { Row } from '../measure/table.js';
import { connection, readModifyWrite } from '../workers/clients.js';
import type { BenchFixture } from '../fixture/bench-fixture.js';
import { type Scenario, terms } from './scenario.js';

const CALLERS = 100;
const BUYERS = 50;
const WARM_UP = 500;
/** Of each round: one crowd takes a few milliseconds, and any pause would show. */
const CROWDS = 15;
const NOTHING = async (): Promise<void> => undefined;

/** One name that a hundred callers of one process want all the time. */
export const hotName: Scenario = {
  id: 'hot-name',
  async run(fixture) {
    const ms = fixture.quick ? 120 : 1_000;
    const { runners, close } = await opened(fixture, (contender) => async () => {
      const once = () => served(contender, 'hot', NOTHING);
      // V8 lets go of what did not run for as long as the others took, and compiles it again.
      await rate(ms / 2, CALLERS, once);
      return { handOffs: await rate(ms, CALLERS, once) };
    });
    const rows = await interleaved(runners, terms(fixture));
    await close();
    const columns = [{ id: 'handOffs', title: 'hand-offs/s', better: 'more' }] as const;
    return [
      { id: 'hot-name', title: 'One hot name, 1 process × 100 callers', section: 'empty', columns, rows },
    ];
  },
};

/** Fifty buyers at once, who read the stock and write it. */
export const buyers: Scenario = {
  id: 'buyers',
  async run(fixture) {
    const section = readModifyWrite(fixture.url, 'item');
    const { runners, close } = await opened(fixture, (contender) => async () => {
      const all = () => Promise.all(Array.from({ length: BUYERS }, () => served(contender, 'item', section)));
      return { ms: await duration(all) };
    });
    const oneByOne = async () => {
      for (let buyer = 0; buyer < BUYERS; buyer += 1) await section();
    };
    const label = 'the bare sections, one after another';
    runners.push({
      id: 'bare',
      label,
      role: 'floor',
      sample: async () => ({ ms: await duration(oneByOne) }),
    });
    // Crowd by crowd: on which processor the kernel lets client and server run makes round trips five times as long
    // or short, and changes within seconds.
    const { rounds, ...rest } = terms(fixture);
    const race = { ...rest, rounds: rounds * CROWDS, warmUps: WARM_UP / BUYERS };
    const rows = await interleaved(
      runners.filter(({ role }) => role !== 'peer'),
      race,
    );
    const peers = await interleaved(
      runners.filter(({ role }) => role === 'peer'),
      terms(fixture),
    );
    rows.splice(-1, 0, ...peers);
    await close();
    connection(fixture.url, 'data').disconnect();
    const columns = [{ id: 'ms', title: 'ms for 50 buyers', better: 'less' }] as const;
    return [{ id: 'buyers', title: '50 buyers, one item', section: 'rmw', columns, rows }];
  },
};

/** Ten thousand callers at once on one name. */
export const crowd: Scenario = {
  id: 'crowd',
  async run(fixture) {
    const { runners, close } = await opened(
      fixture,
      (contender) => async () => {
        const each = async (callers: number) => {
          const all = () =>
            Promise.all(Array.from({ length: callers }, () => contender.using('crowd', NOTHING)));
          return ((await duration(all)) * 1_000) / callers;
        };
        const small: number[] = [];
        for (let crowds = 0; crowds < 15; crowds += 1) small.push(await each(100));
        return { small: median(small), large: await each(10_000) };
      },
      false,
    );
    const rows: Row[] = await interleaved(runners, terms(fixture));
    await close();
    const columns = [
      { id: 'small', title: '100 callers: µs each', better: 'less' },
      { id: 'large', title: '10 000 callers: µs each', better: 'less' },
    ] as const;
    return [{ id: 'crowd', title: '10 000 callers of one name at once', section: 'empty', columns, rows }];
  },
};

/** Ours, the in-process limit, and the peers if they are wanted. */
async function opened(
  { url, quick }: BenchFixture,
  sampleOf: (contender: Contender, id: string) => Runner['sample'],
  withPeers = true,
): Promise<{ runners: Runner[]; close(): Promise<void> }> {
  const peers = withPeers ? peersFor(quick, true) : [];
  const contenders: Contender[] = [];
  const runners: Runner[] = [];
  for (const { id, label, role, open } of [OURS, ...(comparesWithBefore() ? [] : [IN_PROCESS]), ...peers]) {
    const contender = await open(url);
    contenders.push(contender);
    runners.push({ id, label, role, sample: sampleOf(contender, id) });
  }
  const close = async () => void (await Promise.all(contenders.map((contender) => contender.close())));
  return { runners, close };
}
