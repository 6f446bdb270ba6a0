import { Redis } from 'ioredis';
import { ClusterServers } from '../../tools/redis/cluster-servers.js';
import { createLockService, type Lease, type LockService } from '../../lib/index.js';
import { comparesWithBefore } from '../contenders/before.js';
import { OURS } from '../contenders/entrants.js';
import { urlOfNodes } from '../contenders/node-addresses.js';
import type { BenchFixture } from '../fixture/bench-fixture.js';
import { inNewProcess } from '../fixture/worker-pool.js';
import { interleaved, type Runner } from '../measure/rounds.js';
import type { Row, Table } from '../measure/table.js';
import { writeCosts } from '../scaling/costs.js';
import type { CyclesOutcome } from '../workers/cycles.js';
import type { SessionsOutcome } from '../workers/sessions.js';
import { priceOfPublish } from './cluster.js';
import { type Scenario, terms } from './scenario.js';

const MASTERS = 3;
const NAME = 'stock:12345678';
const WHO = 'service-7d9c5b6f4-x2x8p';
const WAITERS = 8;
const IDLE_NAMES = 10_000;
const CONNECTIONS = 500;

/** What each operation takes of whom. A full run writes what `npm run scaling` computes with. */
export const costs: Scenario = {
  id: 'costs',
  async run(fixture) {
    if (comparesWithBefore()) return [];
    const setup = { replicas: 0, nodeTimeout: 15_000 };
    const cluster = await ClusterServers.start({ ...setup, masters: MASTERS });
    try {
      const url = urlOfNodes(cluster.addresses);
      const operations = await operationsOf(fixture, url);
      const memory = await memoryOf(fixture);
      if (!fixture.quick) writeCosts(await fixture.serverVersion(), operations, memory);
      return [operations, memory];
    } finally {
      await cluster.stop();
    }
  },
};

async function operationsOf(fixture: BenchFixture, url: string): Promise<Table> {
  const { quick } = fixture;
  const runners: Runner[] = [];
  const add = (id: string, label: string, sample: Runner['sample']): void =>
    void runners.push({ id, label, role: 'ours', sample });
  for (const [where, at] of [
    ['one server', fixture.url],
    [`${MASTERS} masters`, url],
  ] as const) {
    const id = at === url ? 'cluster' : 'one';
    const cycles = { entrant: OURS.id, url: at, lanes: 64, warmUp: 10_000, ms: quick ? 200 : 500 };
    add(`${id}-together`, `free name, 64 at once by one process, ${where}`, async () => ({
      ...(await inNewProcess<CyclesOutcome>({ do: 'cycles', cycles })),
    }));
    const sessions = (names: 'free' | 'wanted') => async () => {
      const order = { url: at, lanes: 32, names, count: quick ? 2_000 : 6_000 };
      return { ...(await inNewProcess<SessionsOutcome>({ do: 'sessions', sessions: order })) };
    };
    add(`${id}-free`, `free name, 32 processes, each one at a time, ${where}`, sessions('free'));
    add(`${id}-handed`, `hand-off between processes, 16 names at once, ${where}`, sessions('wanted'));
  }
  add('publish-one', 'PUBLISH, one server', async () => {
    const { sender } = await priceOfPublish(fixture.url, quick);
    return { server: sender ?? NaN };
  });
  add('publish', `PUBLISH in ${MASTERS} masters, at the node asked`, async () => {
    const { sender, others } = await priceOfPublish(url, quick);
    return { server: sender ?? NaN, others: others ?? NaN };
  });
  const columns = [
    { id: 'client', title: 'clients: µs', better: 'less' },
    { id: 'server', title: 'servers, all together: µs', better: 'less' },
    { id: 'others', title: 'each other node: µs', better: 'less' },
    { id: 'calls', title: 'script calls', better: 'less' },
    { id: 'notices', title: 'messages', better: 'less' },
  ] as const;
  const rows = await interleaved(runners, { ...terms(fixture), warmUps: 0, ...(quick && { rounds: 2 }) });
  return { id: 'costs', title: 'Processor time of one operation', section: 'empty', columns, rows };
}

/** Bytes of the server. */
async function memoryOf(fixture: BenchFixture): Promise<Table> {
  const { url, admin } = fixture;
  const rows: Row[] = [];
  const add = (id: string, label: string, bytes: number): void =>
    void rows.push({ id, label, role: 'ours', samples: [{ bytes }] });
  const sizeOf = async (name = NAME): Promise<number> =>
    Number(await admin.call('MEMORY', 'USAGE', `lock:${name}`));
  const services = Array.from({ length: WAITERS + 2 }, () =>
    createLockService({ redis: url, shutdownGrace: 0 }),
  );
  const [holder, ...waiters] = services as [LockService, ...LockService[]];
  const label = WHO;
  const held = await holder.acquire(NAME, { label });
  add('held', 'held, nobody waits', await sizeOf());
  const waiting: Promise<Lease>[] = [];
  for (const [index, waiter] of waiters.entries()) {
    waiting.push(waiter.acquire(NAME, { label, wait: '5m' }));
    await waitersAre(holder, index + 1);
    const count = index + 1;
    // As many as the compact record takes, and one more, for which it becomes a hash.
    if (count === 1 || count >= WAITERS)
      add(`waiting-${count}`, `held, ${count} wait in other processes`, await sizeOf());
  }
  await held.release();
  for (const next of waiting) await (await next).release();
  add('idle', 'free again, within fenceMemory (60 s)', await sizeOf());
  const readers: Lease[] = [];
  for (const each of services) readers.push(await each.readWrite('doc:12345678').read.acquire({ label }));
  add('readers', `read by ${services.length} processes`, await sizeOf('doc:12345678'));
  for (const each of readers) await each.release();
  const pool = holder.semaphore('pool:12345678', 10);
  const permits: Lease[] = [];
  for (let index = 0; index < 10; index += 1) permits.push(await pool.acquire({ label }));
  add('permits', 'a semaphore of which 10 permits are taken', await sizeOf('pool:12345678'));
  for (const each of permits) await each.release();
  const kept = 'kept:12345678';
  await holder.ready(); // notices can be heard: else nothing is kept
  await (await holder.acquire(kept, { label, linger: '9s' })).release();
  add('kept', 'kept by its process after the last use (linger)', await sizeOf(kept));
  const noted = await holder.acquire('note:12345678', { label });
  await noted.note('x'.repeat(64));
  add('noted', 'held, with a note of 64 bytes', await sizeOf('note:12345678'));
  await noted.release();
  await holder.latch('open:12345678').trySetCount(10);
  add('latch', 'a latch of 10 that nobody waits for', await sizeOf('open:12345678'));
  await Promise.all(services.map((each) => each.close()));
  const natively = createLockService({ redis: url, fenceMemory: 0, shutdownGrace: 0 });
  const taken = await natively.acquire('free:12345678', { label });
  add('native', 'held, taken without a script (fenceMemory: 0)', await sizeOf('free:12345678'));
  await taken.release();
  await natively.close();
  const idle = createLockService({ redis: url, shutdownGrace: 0 });
  await idle.ready();
  const before = await used(admin);
  await Promise.all(
    Array.from({ length: IDLE_NAMES }, (_, index) => idle.using(`stock:${10_000_000 + index}`, nothing)),
  );
  add(
    'idle-all',
    `each of ${IDLE_NAMES} such names, with the tables of the server`,
    ((await used(admin)) - before) / IDLE_NAMES,
  );
  await idle.close();
  const empty = await used(admin);
  const clients = Array.from({ length: CONNECTIONS }, () => new Redis(url));
  await Promise.all(clients.map((client) => client.ping()));
  add('connection', 'a connection', ((await used(admin)) - empty) / CONNECTIONS);
  for (const client of clients) client.disconnect();
  const columns = [{ id: 'bytes', title: 'bytes', better: 'less' }] as const;
  return { id: 'costs-memory', title: 'Memory of the server', section: 'none', columns, rows };
}

const nothing = async (): Promise<void> => undefined;

async function used(admin: Redis): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await admin.info('memory'))?.[1]);
}

async function waitersAre(locks: LockService, count: number): Promise<void> {
  for (;;) {
    if ((await locks.inspect(NAME)).queue.length === count) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
