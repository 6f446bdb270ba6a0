import { Redis } from 'ioredis';
import { ClusterServers } from '../../tools/redis/cluster-servers.js';
import { comparesWithBefore } from '../contenders/before.js';
import type { Entrant } from '../contenders/contender.js';
import { FLOOR, OURS } from '../contenders/entrants.js';
import { urlOfNodes, urlsIn } from '../contenders/node-addresses.js';
import { inNewProcess, WorkerPool } from '../fixture/worker-pool.js';
import { interleaved, type RoundTerms, type Runner } from '../measure/rounds.js';
import { cpuOf } from '../measure/server-cpu.js';
import type { Sample, Table } from '../measure/table.js';
import { Waits } from '../measure/waits.js';
import type { BenchFixture } from '../fixture/bench-fixture.js';
import type { CyclesOutcome } from '../workers/cycles.js';
import type { ContentionOutcome, HandOffsOutcome } from '../workers/orders.js';
import { type Scenario, terms } from './scenario.js';

const MASTERS = 3;
const LANES = 64;
const CALLERS = 100;
const PROCESSES = 4;
const WARM_UP = 10_000;
// Milliseconds in which V8 compiles what a hand-off runs, and in which the last process gets going.
const WARM_UP_TIME = 1_000;
const HEAD_START = 100;
// As long as that of a grant that is told to a waiter.
const MESSAGE = 'g '.padEnd(170, 'x');
const PIPELINED = 500;

/** A cluster of three masters beside one server: processor time and rates, in the same rounds. */
export const cluster: Scenario = {
  id: 'cluster',
  async run(fixture) {
    if (comparesWithBefore()) return []; // the figures of a cluster are ratios to one server of the same build
    const servers = await ClusterServers.start({ masters: MASTERS, replicas: 0, nodeTimeout: 15_000 });
    try {
      const url = urlOfNodes(servers.addresses);
      return [
        await freeNames(fixture, url),
        await inOneProcess(fixture, url),
        await betweenProcesses(fixture, url),
        await published(fixture, url),
      ];
    } finally {
      await servers.stop();
    }
  },
};

/** The same entrant at the cluster and at one server. */
function both(
  fixture: BenchFixture,
  url: string,
  { id, label, role }: Pick<Entrant, 'id' | 'label' | 'role'>,
  sampleAt: (url: string) => Promise<Sample>,
): Runner[] {
  return [
    { id: `${id}-one`, label: `${label}, one server`, role, sample: () => sampleAt(fixture.url) },
    { id, label: `${label}, ${MASTERS} masters`, role, sample: () => sampleAt(url) },
  ];
}

/** Many at once, each on a name of its own. Every round has new processes: how V8 compiles one lasts for its life. */
async function freeNames(fixture: BenchFixture, url: string): Promise<Table> {
  const ms = fixture.quick ? 150 : 1_000;
  const entrants = fixture.quick ? [OURS] : [OURS, FLOOR];
  const runners = entrants.flatMap((entrant) =>
    both(fixture, url, entrant, async (at) => {
      const order = {
        entrant: entrant.id,
        url: at,
        lanes: LANES,
        warmUp: fixture.quick ? WARM_UP / 2 : WARM_UP,
        ms,
      };
      return { ...(await inNewProcess<CyclesOutcome>({ do: 'cycles', cycles: order })) };
    }),
  );
  const columns = [
    { id: 'byHand', title: 'acquire + awaited release: cycles/s', better: 'more' },
    { id: 'client', title: 'client: µs per cycle', better: 'less' },
    { id: 'server', title: 'all masters: µs per cycle', better: 'less' },
  ] as const;
  const rows = await interleaved(runners, judged(fixture));
  const title = `A cluster: ${LANES} in parallel on distinct names`;
  return { id: 'cluster', title, section: 'empty', columns, rows };
}

/** One name that a hundred callers of one process want. */
async function inOneProcess(fixture: BenchFixture, url: string): Promise<Table> {
  const count = fixture.quick ? 30_000 : 300_000;
  const runners = both(fixture, url, OURS, async (at) => {
    const handOffs = { entrant: OURS.id, url: at, callers: CALLERS, count };
    return { ...(await inNewProcess<HandOffsOutcome>({ do: 'hand-offs', handOffs })) };
  });
  const columns = [
    { id: 'handOffs', title: 'hand-offs/s', better: 'more' },
    { id: 'perCpu', title: 'hand-offs in a second of its processor time', better: 'more' },
  ] as const;
  const rows = await interleaved(runners, judged(fixture));
  const title = `A cluster: one hot name, 1 process × ${CALLERS} callers`;
  return { id: 'cluster-hot-name', title, section: 'empty', columns, rows };
}

/** One name that one caller of each of four processes wants: every hand-off goes from process to process. */
async function betweenProcesses(fixture: BenchFixture, url: string): Promise<Table> {
  const ms = fixture.quick ? 400 : 2_000;
  const runners = both(fixture, url, OURS, async (at) => {
    const pool = await WorkerPool.start(PROCESSES);
    const admins = urlsIn(at).map((each) => new Redis(each));
    try {
      const contend = (from: number, to: number): Promise<ContentionOutcome[]> => {
        const contention = { entrant: OURS.id, url: at, name: 'hot', callers: 1, section: 'empty', from, to };
        return pool.all({ do: 'contend', contention });
      };
      await contend(0, Date.now() + WARM_UP_TIME);
      const from = Date.now() + HEAD_START;
      const all = contend(from, from + ms);
      await until(from);
      const before = await Promise.all(admins.map(cpuOf));
      await until(from + ms);
      const after = await Promise.all(admins.map(cpuOf));
      const outcomes = await all;
      const count = outcomes.flatMap(({ served }) => served).reduce((sum, each) => sum + each, 0);
      const waits = Waits.sum(outcomes.map((outcome) => outcome.waits));
      const micros = after.map((cpu, index) => ((cpu - (before[index] ?? NaN)) * 1e6) / count);
      const busiest = Math.max(...micros);
      const sum = micros.reduce((total, each) => total + each, 0);
      return {
        handOffs: (count * 1_000) / ms,
        p50: waits.quantile(0.5),
        client: outcomes.reduce((total, { client }) => total + client, 0) / outcomes.length,
        server: busiest,
        others: (sum - busiest) / (micros.length - 1),
      };
    } finally {
      await pool.close();
      for (const admin of admins) admin.disconnect();
    }
  });
  const columns = [
    { id: 'handOffs', title: 'hand-offs/s', better: 'more' },
    { id: 'p50', title: 'wait p50, ms', better: 'less' },
    { id: 'client', title: 'client: µs each', better: 'less' },
    { id: 'server', title: 'the master of the name: µs each', better: 'less' },
    { id: 'others', title: 'each other master: µs each', better: 'less' },
  ] as const;
  const rows = await interleaved(runners, reported(fixture));
  const title = `A cluster: one hot name, ${PROCESSES} processes × 1 caller`;
  return { id: 'cluster-processes', title, section: 'empty', columns, rows };
}

/** What a PUBLISH costs each node of clusters of different sizes. */
async function published(fixture: BenchFixture, url: string): Promise<Table> {
  const larger = await ClusterServers.start({ masters: 2 * MASTERS, replicas: 0, nodeTimeout: 15_000 });
  try {
    const sizes = [fixture.url, url, urlOfNodes(larger.addresses)];
    const runners = sizes.map((at): Runner => {
      const count = urlsIn(at).length;
      const label = count === 1 ? 'one server' : `${count} masters`;
      return { id: `${count}`, label, role: 'floor', sample: () => priceOfPublish(at, fixture.quick) };
    });
    const columns = [
      { id: 'sender', title: 'the node asked: µs', better: 'less' },
      { id: 'others', title: 'each other node: µs', better: 'less' },
      { id: 'senderAlone', title: 'one at a time, the node asked: µs', better: 'less' },
      { id: 'othersAlone', title: 'one at a time, each other node: µs', better: 'less' },
    ] as const;
    const rows = await interleaved(runners, reported(fixture));
    const title = `A PUBLISH of ${MESSAGE.length} bytes that one process hears, ${PIPELINED} pipelined`;
    return { id: 'cluster-publish', title, section: 'none', columns, rows };
  } finally {
    await larger.stop();
  }
}

export async function priceOfPublish(url: string, quick: boolean): Promise<Sample> {
  const admins = urlsIn(url).map((each) => new Redis(each));
  const [sender, ...others] = admins as [Redis, ...Redis[]];
  // As a process listens: at two nodes, neither of which need be the one that publishes.
  const listeners = urlsIn(url)
    .slice(-2)
    .map((each) => new Redis(each));
  await Promise.all(listeners.map((each) => each.subscribe('price')));
  const pipeline = async (size: number): Promise<void> => {
    const messages = sender.pipeline();
    for (let index = 0; index < size; index += 1) messages.publish('price', MESSAGE);
    await messages.exec();
  };
  const price = async (size: number, times: number): Promise<{ asked: number; others: number }> => {
    await pipeline(size);
    const before = await Promise.all(admins.map(cpuOf));
    for (let time = 0; time < times; time += 1) await pipeline(size);
    const after = await Promise.all(admins.map(cpuOf));
    const micros = after.map((cpu, index) => ((cpu - (before[index] ?? NaN)) * 1e6) / (size * times));
    const [asked = NaN, ...rest] = micros;
    return { asked, others: rest.reduce((sum, each) => sum + each, 0) / others.length };
  };
  try {
    const together = await price(PIPELINED, quick ? 10 : 60);
    const alone = await price(1, quick ? 500 : 3_000);
    return {
      sender: together.asked,
      others: together.others,
      senderAlone: alone.asked,
      othersAlone: alone.others,
    };
  } finally {
    for (const client of [...admins, ...listeners]) client.disconnect();
  }
}

/**
 * Where a round has new processes, those warm up themselves. The median of fewer rounds than five says too little of a
 * ratio that is held to a few per cent.
 */
function judged(fixture: BenchFixture): RoundTerms {
  const asked = terms(fixture);
  return { ...asked, warmUps: 0, rounds: Math.max(asked.rounds, 5) };
}

/** What is only reported. */
function reported(fixture: BenchFixture): RoundTerms {
  const asked = terms(fixture);
  return fixture.quick ? { ...asked, warmUps: 0, rounds: 2 } : asked;
}

function until(time: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, time - Date.now()));
}
