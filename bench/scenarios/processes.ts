import { comparesWithBefore } from '../contenders/before.js';
import type { Entrant } from '../contenders/contender.js';
import { OURS, peersFor } from '../contenders/entrants.js';
import { interleaved, type Runner } from '../measure/rounds.js';
import type { Sample, Table } from '../measure/table.js';
import { Waits } from '../measure/waits.js';
import type { BenchFixture } from '../fixture/bench-fixture.js';
import type { WorkerPool } from '../fixture/worker-pool.js';
import type { ContentionOutcome } from '../workers/orders.js';
import { type Scenario, terms } from './scenario.js';

const CALLERS = 8;
// Milliseconds in which the last process gets going: whoever is alone is not contended.
const HEAD_START = 100;

/** One name that callers of four processes want all the time; the sections are empty. */
export const processesEmpty: Scenario = {
  id: 'processes-empty',
  run: (fixture) => contended(fixture, 'empty'),
};

/** The same with sections that read and write, and lose updates unless they run alone. */
export const processesRmw: Scenario = { id: 'processes-rmw', run: (fixture) => contended(fixture, 'rmw') };

async function contended(fixture: BenchFixture, section: 'empty' | 'rmw'): Promise<Table[]> {
  const id = `processes-${section}`;
  const pool = await fixture.workers();
  const tallies = [OURS, ...peersFor(fixture.quick, true)].map(
    (entrant) => new Tally(fixture, pool, section, entrant),
  );
  const runners: Runner[] = [...tallies];
  if (section === 'rmw' && !comparesWithBefore()) {
    const order = { do: 'bare', url: fixture.url, name: 'bare', ms: fixture.quick ? 200 : 1_000 };
    const sample = async () => ({ handOffs: await pool.one<number>(0, order) });
    runners.push({ id: 'bare', label: 'one process, the bare sections', role: 'floor', sample });
  }
  const measured = await interleaved(runners, terms(fixture, 25_000));
  await pool.all({ do: 'close' });
  const rows = measured.map((row, index) => ({ ...row, totals: tallies[index]?.totals ?? {} }));
  const columns = [
    { id: 'handOffs', title: 'hand-offs/s', better: 'more' },
    { id: 'p50', title: 'wait p50, ms', better: 'less' },
    { id: 'p99', title: 'wait p99, ms', better: 'less' },
    { id: 'longest', title: 'longest wait, ms', better: 'less' },
    { id: 'spread', title: 'most : least served', better: 'less' },
    { id: 'total', title: 'hand-offs counted', better: 'more' },
    ...(section === 'rmw' ? [{ id: 'lost', title: 'lost updates', better: 'less' } as const] : []),
  ] as const;
  return [{ id, title: `One hot name, 4 processes × ${CALLERS} callers`, section, columns, rows }];
}

/** One contender's rounds, and who was served how often in all of them. */
class Tally implements Runner {
  readonly id: string;
  readonly label: string;
  readonly role: Entrant['role'];
  private readonly served: number[] = [];
  private lost = 0;
  private rounds = 0;

  constructor(
    private readonly fixture: BenchFixture,
    private readonly pool: WorkerPool,
    private readonly section: 'empty' | 'rmw',
    entrant: Entrant,
  ) {
    ({ id: this.id, label: this.label, role: this.role } = entrant);
  }

  get totals(): Record<string, number> {
    const [most, least] = [Math.max(...this.served), Math.min(...this.served)];
    const total = this.served.reduce((sum, count) => sum + count, 0);
    return { spread: most / least, total, lost: this.lost };
  }

  async sample(): Promise<Sample> {
    const name = `hot-${this.section}-${this.id}-${++this.rounds}`;
    const ms = this.fixture.quick ? (this.role === 'ours' ? 600 : 200) : 2_000;
    const { section } = this;
    const from = Date.now() + HEAD_START;
    const contention = {
      entrant: this.id,
      url: this.fixture.url,
      name,
      callers: CALLERS,
      section,
      from,
      to: from + ms,
    };
    const outcomes = await this.pool.all<ContentionOutcome>({ do: 'contend', contention });
    const counts = outcomes.flatMap(({ served }) => served);
    if (this.rounds > 1)
      counts.forEach((count, index) => (this.served[index] = (this.served[index] ?? 0) + count));
    if (section === 'rmw') {
      const sections = outcomes.reduce((sum, outcome) => sum + outcome.sections, 0);
      this.lost += sections - Number(await this.fixture.admin.get(`counter:${name}`));
    }
    const waits = Waits.sum(outcomes.map((outcome) => outcome.waits));
    const handOffs = (counts.reduce((sum, count) => sum + count, 0) * 1_000) / ms;
    return { handOffs, p50: waits.quantile(0.5), p99: waits.quantile(0.99), longest: waits.longest };
  }
}
