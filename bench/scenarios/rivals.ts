import { randomUUID } from 'node:crypto';
import { OURS, peersFor } from '../contenders/entrants.js';
import type { BenchFixture } from '../fixture/bench-fixture.js';
import { interleaved, type Runner } from '../measure/rounds.js';
import type { Sample } from '../measure/table.js';
import { type CrowdCommand, type CrowdOutcome, CrowdProcess, NODE } from '../workers/crowd.js';
import { type Scenario, terms } from './scenario.js';

const PROCESSES = 4;

/** The strongest locks of other ecosystems, each in processes of its own: a free name, and a hot one. */
export const rivals: Scenario = {
  id: 'rivals',
  async run(fixture) {
    const { present, skipped } = await fixture.rivals();
    const { url } = fixture;
    const runners = [
      ...[OURS, ...peersFor(true, true)].map((each) => runner(fixture, { ...each, command: NODE, url })),
      ...present.map((each) => runner(fixture, { url, role: 'rival', ...each })),
    ];
    // Every process is new, and warms up by itself.
    const rows = await interleaved(runners, { ...terms(fixture, 120_000), warmUps: 0 });
    const columns = [
      { id: 'free', title: 'free name, one at a time: cycles/s', better: 'more' },
      { id: 'hot', title: 'hot name, 1 process × 100: hand-offs/s', better: 'more' },
      { id: 'handOffs', title: `hot name, ${PROCESSES} processes × 8: hand-offs/s`, better: 'more' },
      { id: 'longest', title: 'longest wait there, ms', better: 'less' },
    ] as const;
    const title = 'Locks of other ecosystems';
    return [{ id: 'rivals', title, section: 'empty', columns, rows, note: skipped.join('\n\n') }];
  },
};

interface Entry extends Pick<Runner, 'id' | 'label' | 'role'> {
  readonly command: CrowdCommand;
  /** The server of the lock. */
  readonly url: string;
}

function runner(fixture: BenchFixture, entry: Entry): Runner {
  const { id, label, role } = entry;
  const sample = async (): Promise<Sample> => {
    const [free] = await crowds(fixture, entry, 1, 1);
    const [hot] = await crowds(fixture, entry, 1, 100);
    const all = await crowds(fixture, entry, PROCESSES, 8);
    return {
      free: perSecond([free]),
      hot: perSecond([hot]),
      handOffs: perSecond(all),
      longest: Math.max(...all.map(({ longest }) => longest)),
    };
  };
  return { id, label, role, sample };
}

/** So many processes with so many callers each, all of whom want one name. */
async function crowds(
  { url: data, quick }: BenchFixture,
  { id, command, url }: Entry,
  processes: number,
  callers: number,
): Promise<[CrowdOutcome, ...CrowdOutcome[]]> {
  const [warmUp, ms] = quick ? [500, 300] : [3_000, 2_000];
  const job = { entrant: id, url, data, name: `rivals-${id}-${randomUUID()}`, callers, warmUp, ms } as const;
  const starting = Array.from({ length: processes }, () =>
    CrowdProcess.start(command, { ...job, section: 'empty', from: 'call' }),
  );
  const programs = await Promise.all(starting);
  const outcomes = await Promise.all(programs.map((program) => program.run()));
  return outcomes as [CrowdOutcome, ...CrowdOutcome[]];
}

function perSecond(outcomes: readonly CrowdOutcome[]): number {
  return outcomes.reduce((sum, { sections, ms }) => sum + (sections * 1_000) / ms, 0);
}
