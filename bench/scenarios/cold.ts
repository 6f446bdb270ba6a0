import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { OURS, peersFor } from '../contenders/entrants.js';
import type { BenchFixture } from '../fixture/bench-fixture.js';
import { interleaved, type Runner } from '../measure/rounds.js';
import { median } from '../measure/numbers.js';
import type { Row, Sample } from '../measure/table.js';
import { type CrowdCommand, type CrowdJob, CrowdProcess, NODE } from '../workers/crowd.js';
import { type Scenario, terms } from './scenario.js';

const BUYERS = 50;
/** Of each round, for whoever is not slow: how fast a new process is differs from process to process. */
const PROCESSES = 5;
/** A peer that took longer than this is asked once a round, in milliseconds. */
const SLOW = 1_000;
/** Of a slow peer, in milliseconds; also when it has to be quick, since the rounds are few then. */
const PATIENCE = 30_000;
/** Between the opening of the lock and the first call, in milliseconds: by then all connections are up. */
const SETTLING = 200;

/** The first fifty locks of a new process. */
export const cold: Scenario = {
  id: 'cold',
  async run(fixture) {
    const rivals = fixture.options.rivals ? await fixture.rivals() : undefined;
    const { url } = fixture;
    const entries: Entry[] = [{ id: 'bare', label: 'the bare sections, one after another', ...BARE }];
    for (const each of [OURS, ...peersFor(fixture.quick, true)])
      entries.push({ ...each, command: NODE, url, bare: 'bare' });
    for (const { language, ...rival } of rivals?.present ?? []) {
      const bare = language === 'node' ? 'bare' : `bare-${language}`;
      if (!entries.some(({ id }) => id === bare))
        entries.push({
          ...BARE,
          id: bare,
          label: `the bare sections in ${LANGUAGES[language]}`,
          command: rival.command,
        });
      entries.push({ url, ...rival, role: 'rival', bare });
    }
    const runners = entries.map((entry) => runner(fixture, entry));
    const { rounds, warmUps } = terms(fixture);
    const few = fixture.quick ? { rounds: Math.min(rounds, 2), warmUps: 0 } : { rounds, warmUps };
    const measured = await interleaved(runners, { ...few, patience: PATIENCE });
    const rows = measured.map((row, index) => {
      const bare = measured[entries.findIndex(({ id }) => id === entries[index]?.bare)];
      return bare ? above(row, bare) : row;
    });
    const columns = [
      { id: 'above', title: 'ms above the bare sections', better: 'less' },
      { id: 'ms', title: 'ms for 50 buyers', better: 'less' },
      { id: 'opening', title: 'ms with the opening of the lock', better: 'less' },
      { id: 'lost', title: 'lost updates', better: 'less' },
    ] as const;
    const title = `The first ${BUYERS} locks of a new process, one item`;
    const note = [
      'The first two columns count from the first call, when all connections are up; each row is compared with the ' +
        'bare sections in its own language.',
      ...(rivals?.skipped ?? []),
    ].join('\n\n');
    return [{ id: 'cold', title, section: 'rmw', columns, rows, note }];
  },
};

/** Someone whose new process is measured. */
interface Entry extends Pick<Runner, 'id' | 'label' | 'role'> {
  readonly command: CrowdCommand;
  /** The server of the lock; undefined for none. */
  readonly url?: string;
  /** Whose sections, in the same language, are not counted. */
  readonly bare?: string;
}

const BARE = { role: 'floor', command: NODE } as const;
const LANGUAGES = { node: 'Node', go: 'Go', java: 'Java' } as const;

/** What a row shows above what the bare sections took in the same round. */
function above(row: Row, bare: Row): Row {
  const samples = row.samples.map((sample, round): Sample => {
    const { ms = NaN } = sample;
    return { above: ms - (bare.samples[round]?.['ms'] ?? NaN), ...sample };
  });
  return { ...row, samples };
}

function runner(fixture: BenchFixture, entry: Entry): Runner {
  const { id, label, role, bare } = entry;
  let slow = false;
  const sample = async (): Promise<Sample> => {
    const took = { call: [] as number[], opening: [] as number[] };
    let lost = 0;
    for (let time = 0; time < (slow || fixture.quick ? 1 : PROCESSES); time += 1)
      for (const from of ['call', 'opening'] as const) {
        if (from === 'opening' && bare === undefined) continue;
        const { ms, missing } = await one(fixture, entry, from);
        took[from].push(ms);
        lost += missing;
        slow ||= ms > SLOW;
      }
    return { ms: median(took.call), opening: median(took.opening), lost };
  };
  return { id, label, role, sample };
}

async function one(
  fixture: BenchFixture,
  { id, command, bare, url = fixture.url }: Entry,
  from: CrowdJob['from'],
): Promise<{ ms: number; missing: number }> {
  const name = `cold-${id}-${randomUUID()}`;
  const entrant = bare === undefined ? 'bare' : id;
  const terms = { callers: BUYERS, section: 'rmw', warmUp: 0, ms: 0, from } as const;
  const program = await CrowdProcess.start(command, { entrant, url, data: fixture.url, name, ...terms });
  await sleep(SETTLING);
  const { ms } = await program.run();
  return { ms, missing: BUYERS - Number(await fixture.admin.get(`counter:${name}`)) };
}
