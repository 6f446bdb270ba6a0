import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { BEFORE, comparesWithBefore } from '../contenders/before.js';
import { FLOOR, LINGERING, OURS } from '../contenders/entrants.js';
import type { BenchFixture } from '../fixture/bench-fixture.js';
import { inNewProcess, WorkerPool } from '../fixture/worker-pool.js';
import { median } from '../measure/numbers.js';
import { interleaved, type Runner } from '../measure/rounds.js';
import type { Sample, Table } from '../measure/table.js';
import type { AgainOutcome, Try, Wanted } from '../workers/lingering.js';
import type { ContentionOutcome } from '../workers/orders.js';
import type { RoundTerms } from '../measure/rounds.js';
import { type Scenario, terms } from './scenario.js';

/** A neighbour that does not wait tries this often, in milliseconds. */
const EVERY = 10;
/** What a refused try has to be explained by, in milliseconds. */
const DELAY = 25;
const CALLERS = 8;
/** For how long hand-offs are counted, in milliseconds. */
const WINDOW = 400;

/** A lock that its process keeps after the last use: alone, beside a process that takes turns, and beside one that tries. */
export const linger: Scenario = {
  id: 'linger',
  async run(fixture) {
    if (comparesWithBefore()) return [await alone(fixture)];
    return [await alone(fixture), await alternating(fixture), await tried(fixture), await worked(fixture)];
  },
};

/** When it has to be quick, two rounds are enough for what is so far from its bound. */
function roundsOf(fixture: BenchFixture): RoundTerms {
  const all = terms(fixture);
  return fixture.quick ? { ...all, rounds: Math.min(all.rounds, 2), warmUps: 0 } : all;
}

/** Short ones, and more of them, for what differs by less than the machine does from second to second. */
function manyRounds(fixture: BenchFixture): RoundTerms {
  const usual = roundsOf(fixture);
  return fixture.quick ? usual : { ...usual, rounds: usual.rounds * 8 };
}

/** One process, one name, one caller. */
async function alone(fixture: BenchFixture): Promise<Table> {
  const [warmUp, ms, fences] = fixture.quick ? [300, 200, 10_000] : [1_000, 1_000, 1_000_000 / 5];
  const others = comparesWithBefore() ? [BEFORE] : [OURS, FLOOR];
  const own = { ...LINGERING, id: OURS.id };
  const runners = [own, ...others.map((each) => (each === OURS ? { ...each, id: 'without' } : each))].map(
    ({ id, label, role }): Runner => {
      const entrant = id === OURS.id ? LINGERING.id : id === 'without' ? OURS.id : id;
      const counted = id === OURS.id ? fences : 0;
      const again = { entrant, url: fixture.url, name: `again-${id}`, warmUp, ms, fences: counted };
      const sample = async () => ({ ...(await inNewProcess<AgainOutcome>({ do: 'again', again })) });
      return { id, label, role, sample };
    },
  );
  const rows = await interleaved(runners, roundsOf(fixture));
  const columns = [
    { id: 'cycles', title: 'using: cycles/s', better: 'more' },
    { id: 'falling', title: 'fences that did not rise', better: 'less' },
  ] as const;
  const title = 'One name again and again, one process';
  return { id: 'linger', title, section: 'empty', columns, rows };
}

/** Two processes take the name in turns, so that each has it woken at the other. */
async function alternating(fixture: BenchFixture): Promise<Table> {
  const { url, quick, admin } = fixture;
  const turns = quick ? 200 : 4_000;
  const pool = await WorkerPool.start(2);
  const channel = 'linger-bare';
  await pool.one(1, { do: 'answer', url, channel });
  const bare = (): Promise<number> => pool.one<number>(0, { do: 'there-and-back', url, channel });
  let rounds = 0;
  let lost = 0;
  // Turn by turn beside the bare messages: how long a process takes to wake up changes within seconds.
  const sampleOf = async (entrant: string): Promise<{ own: Sample; bare: Sample }> => {
    const [empty, rmw] = ['empty', 'rmw'].map((each) => `turns-${entrant}-${each}-${(rounds += 1)}`);
    const took: { own: number[]; bare: number[] } = { own: [], bare: [] };
    const take = (name: string | undefined, turn: number, section: boolean): Promise<number> =>
      pool.one<number>(turn % 2, { do: 'grant', wanted: { entrant, url, name: name ?? '' }, rmw: section });
    for (let turn = 0; turn < turns / 4; turn += 1) {
      took.own.push(await take(empty, turn, false));
      took.bare.push(await bare());
    }
    for (let turn = 0; turn < turns; turn += 1) await take(rmw, turn, true);
    lost += turns - Number(await admin.get(`counter:${rmw}`));
    return { own: { p50: median(took.own), lost }, bare: { p50: median(took.bare) } };
  };
  const samples: { own: Sample; bare: Sample }[] = [];
  const runner: Runner = {
    ...LINGERING,
    id: OURS.id,
    sample: async () => {
      const sample = await sampleOf(LINGERING.id);
      samples.push(sample);
      return sample.own;
    },
  };
  const { warmUps, ...rest } = roundsOf(fixture);
  const [own] = await interleaved([runner], { warmUps, ...rest });
  await pool.close();
  const label = 'two bare messages, there and back';
  const floor = {
    id: 'bare',
    label,
    role: 'floor',
    samples: samples.slice(warmUps).map(({ bare: each }) => each),
  } as const;
  const columns = [
    { id: 'p50', title: 'grant p50, ms', better: 'less' },
    { id: 'lost', title: `lost updates (rmw, ${turns} turns a round)`, better: 'less' },
  ] as const;
  const title = 'Two processes that alternate';
  return { id: 'linger-turns', title, section: 'empty', columns, rows: own ? [own, floor] : [floor] };
}

/** A process keeps the name that it used; another one tries to get it, once. */
async function tried(fixture: BenchFixture): Promise<Table> {
  const { url, quick } = fixture;
  const tries = quick ? 50 : 200;
  const pool = await WorkerPool.start(2);
  const wanted: Wanted = { entrant: LINGERING.id, url, name: `tried-${randomUUID()}` };
  const sample = async (): Promise<Sample> => {
    let [refused, unexplained] = [0, 0];
    for (let time = 0; time < tries; time += 1) {
      await pool.one(0, { do: 'grant', wanted, rmw: false });
      await sleep(EVERY);
      await pool.one(0, { do: 'late' });
      const { granted, delay } = await pool.one<Try>(1, { do: 'try', wanted });
      const late = await pool.one<number>(0, { do: 'late' });
      if (granted) continue;
      refused += 1;
      if (Math.max(delay, late) < DELAY) unexplained += 1;
    }
    return { refused: (refused * 100) / tries, unexplained };
  };
  const rows = await interleaved([{ ...LINGERING, id: OURS.id, sample }], {
    ...roundsOf(fixture),
    warmUps: 0,
  });
  await pool.close();
  const columns = [
    { id: 'refused', title: 'refused, %', better: 'less' },
    { id: 'unexplained', title: `refused without a delay of ${DELAY} ms`, better: 'less' },
  ] as const;
  const title = `${tries} tries (wait: 0) for a name that another process keeps and does not use`;
  return { id: 'linger-tried', title, section: 'none', columns, rows };
}

/** Callers of one process hand the name on; beside it another process tries all the time, only reads, or does nothing. */
async function worked(fixture: BenchFixture): Promise<Table> {
  const { url } = fixture;
  const pool = await WorkerPool.start(2);
  const sampleWith = (neighbour?: 'try-for' | 'look-for') => async (): Promise<Sample> => {
    const name = `worked-${neighbour ?? 'alone'}`;
    const from = Date.now() + 100;
    const contention = {
      entrant: LINGERING.id,
      url,
      name,
      callers: CALLERS,
      section: 'empty',
      from,
      to: from + WINDOW,
    };
    const wanted: Wanted = { entrant: LINGERING.id, url, name };
    const [{ served }] = (await Promise.all([
      pool.one<ContentionOutcome>(0, { do: 'contend', contention }),
      neighbour && pool.one<number>(1, { do: neighbour, wanted, every: EVERY, ms: WINDOW + 100 }),
    ])) as [ContentionOutcome, unknown];
    return { handOffs: (served.reduce((sum, each) => sum + each, 0) * 1_000) / WINDOW };
  };
  const label = (beside: string): string => `${LINGERING.label}, ${beside}`;
  const rows = await interleaved(
    [
      {
        id: OURS.id,
        label: label(`beside one that tries every ${EVERY} ms`),
        role: 'ours',
        sample: sampleWith('try-for'),
      },
      { id: 'alone', label: label('alone'), role: 'ours', sample: sampleWith() },
      {
        id: 'looked-at',
        label: label(`beside one that only reads (GET) every ${EVERY} ms`),
        role: 'ours',
        sample: sampleWith('look-for'),
      },
    ],
    manyRounds(fixture),
  );
  await pool.close();
  const columns = [{ id: 'handOffs', title: 'hand-offs/s', better: 'more' }] as const;
  const title = `One process × ${CALLERS} callers, and a neighbour that tries (wait: 0)`;
  return { id: 'linger-worked', title, section: 'empty', columns, rows };
}
