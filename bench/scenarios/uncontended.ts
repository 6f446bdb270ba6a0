import { comparesWithBefore } from '../contenders/before.js';
import type { Contender } from '../contenders/contender.js';
import { FLOOR, NATIVE, OURS, peersFor, PIPELINED_FLOOR } from '../contenders/entrants.js';
import { interleaved, type Runner } from '../measure/rounds.js';
import type { Sample, Table } from '../measure/table.js';
import type { BenchFixture } from '../fixture/bench-fixture.js';
import { inNewProcess, WorkerPool } from '../fixture/worker-pool.js';
import { CycleMeter, type CyclesOutcome } from '../workers/cycles.js';
import { type Scenario, terms } from './scenario.js';

// Cycles, not milliseconds: what is slow on a busy machine would be compiled late, and be slower still.
const WARM_UP = 2_000;
const BUILD_WARM_UP = 10_000;

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

const CLIENTS = 4;

/** Four processes at once, each on a name of its own, one lock after another. */
export const clients: Scenario = {
  id: 'clients',
  async run(fixture) {
    const pool = await WorkerPool.start(CLIENTS);
    const places = Array.from({ length: CLIENTS }, (_, place) => place);
    const runners = [OURS, NATIVE, FLOOR].map(({ id: entrant, label, role }): Runner => {
      const ms = fixture.quick ? 100 : 1_000;
      const order = {
        do: 'cycles',
        cycles: { entrant, url: fixture.url, lanes: 1, warmUp: WARM_UP, ms },
      } as const;
      const sample = async (): Promise<Sample> => {
        const all = await Promise.all(places.map((place) => pool.one<CyclesOutcome>(place, order)));
        const sum = (column: 'using' | 'byHand'): number => all.reduce((so, each) => so + each[column], 0);
        return { using: sum('using'), byHand: sum('byHand') };
      };
      return { id: entrant, label, role, sample };
    });
    const rows = await interleaved(runners, terms(fixture));
    await pool.close();
    const title = `Uncontended, ${CLIENTS} processes at once, one at a time in each`;
    return [{ id: 'clients', title, section: 'empty', columns: RATES, rows }];
  },
};

const RATES = [
  { id: 'using', title: 'using: cycles/s', better: 'more' },
  { id: 'byHand', title: 'acquire + awaited release: cycles/s', better: 'more' },
] as const;

async function cycles(
  fixture: BenchFixture,
  url: string,
  id: string,
  title: string,
  lanes: number,
): Promise<Table> {
  const ms = fixture.quick ? 40 : 250;
  const warmUp = fixture.url === url ? WARM_UP : WARM_UP / 10;
  const opened: Contender[] = [];
  const runners: Runner[] = [];
  const floors = comparesWithBefore() ? [] : [NATIVE, FLOOR, ...(lanes > 1 ? [PIPELINED_FLOOR] : [])];
  for (const { id: entrant, label, role, open } of [OURS, ...floors, ...peersFor(true)]) {
    if (comparesWithBefore()) {
      // How fast one process runs our code differs by a tenth from process to process: each round has new ones.
      const order = { do: 'cycles', cycles: { entrant, url, lanes, warmUp: BUILD_WARM_UP, ms } };
      runners.push({ id: entrant, label, role, sample: () => inNewProcess<CyclesOutcome & Sample>(order) });
      continue;
    }
    const contender = await open(url);
    opened.push(contender);
    const meter = new CycleMeter(contender, lanes, () => fixture.serverCpu());
    await meter.warmUp(warmUp);
    runners.push({ id: entrant, label, role, sample: async () => ({ ...(await meter.sample(ms)) }) });
  }
  const rows = await interleaved(runners, terms(fixture));
  await Promise.all(opened.map((contender) => contender.close()));
  const columns = [
    ...RATES,
    { id: 'cpu', title: 'its CPU time, client and server: µs per cycle', better: 'less' },
  ] as const;
  return { id, title, section: 'empty', columns, rows };
}
