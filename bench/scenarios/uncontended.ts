import { comparesWithBefore } from '../contenders/before.js';
import type { Contender } from '../contenders/contender.js';
import { FLOOR, OURS, peersFor, PIPELINED_FLOOR } from '../contenders/entrants.js';
import { rate, times } from '../measure/loops.js';
import { interleaved, type Runner } from '../measure/rounds.js';
import type { Table } from '../measure/table.js';
import type { BenchFixture } from '../fixture/bench-fixture.js';
import { type Scenario, terms } from './scenario.js';

// Cycles, not milliseconds: what is slow on a busy machine would be compiled late, and be slower still.
const WARM_UP = 2_000;
const NOTHING = async (): Promise<void> => undefined;

/** One lock after another on names that nobody else wants. */
export const uncontended: Scenario = {
  id: 'uncontended',
  async run(fixture) {
    return [await cycles(fixture, fixture.url, 'uncontended', 'Uncontended, one at a time', 1)];
  },
};

/** The same over a line of one millisecond: loopback hides what a round trip costs. */
export const uncontendedDistant: Scenario = {
  id: 'uncontended-1ms',
  async run(fixture) {
    const url = await fixture.distant(1);
    return [await cycles(fixture, url, 'uncontended-1ms', 'Uncontended, one at a time, 1 ms away', 1)];
  },
};

/** Many at once, each on a name of its own. */
export const parallel: Scenario = {
  id: 'parallel',
  async run(fixture) {
    return [
      await cycles(fixture, fixture.url, 'parallel', 'Uncontended, 64 in parallel on distinct names', 64),
    ];
  },
};

async function cycles(
  fixture: BenchFixture,
  url: string,
  id: string,
  title: string,
  lanes: number,
): Promise<Table> {
  const ms = fixture.quick ? 40 : 250;
  const opened: Contender[] = [];
  const runners: Runner[] = [];
  const floors = comparesWithBefore() ? [] : [FLOOR, ...(lanes > 1 ? [PIPELINED_FLOOR] : [])];
  const entrants = [OURS, ...floors, ...peersFor(true)];
  for (const { id: who, label, role, open } of entrants) {
    const contender = await open(url);
    opened.push(contender);
    const using = (lane: number) => contender.using(`free-${lane}`, NOTHING);
    const byHand = async (lane: number) => (await contender.acquire(`free-${lane}`))();
    await times(fixture.url === url ? WARM_UP : WARM_UP / 10, lanes, byHand);
    const sample = async () => {
      const { perSecond } = await measured(fixture, ms, lanes, using);
      const { perSecond: byHandPerSecond, cpu } = await measured(fixture, ms, lanes, byHand);
      return { using: perSecond, byHand: byHandPerSecond, cpu };
    };
    runners.push({ id: who, label, role, sample });
  }
  const rows = await interleaved(runners, terms(fixture));
  await Promise.all(opened.map((contender) => contender.close()));
  const columns = [
    { id: 'using', title: 'using: cycles/s', better: 'more' },
    { id: 'byHand', title: 'acquire + awaited release: cycles/s', better: 'more' },
    { id: 'cpu', title: 'its CPU time, client and server: µs per cycle', better: 'less' },
  ] as const;
  return { id, title, section: 'empty', columns, rows };
}

/** Cycles a second, and the processor time of both sides for one: a figure that a busy machine hardly changes. */
async function measured(
  fixture: BenchFixture,
  ms: number,
  lanes: number,
  cycle: (lane: number) => Promise<unknown>,
): Promise<{ perSecond: number; cpu: number }> {
  let cycles = 0;
  const server = await fixture.serverCpu();
  const client = process.cpuUsage();
  const perSecond = await rate(ms, lanes, (lane) => {
    cycles += 1;
    return cycle(lane);
  });
  const { user, system } = process.cpuUsage(client);
  const cpu = (user + system + ((await fixture.serverCpu()) - server) * 1e6) / cycles;
  return { perSecond, cpu };
}
