// What each of examples/ has to do. `start` runs a script of its package.json in a process, `from` requires what it installed.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../consumers/shutdown.mjs';

const PATIENCE = 60_000;

async function until(what, met) {
  for (const end = performance.now() + PATIENCE; ; await sleep(20)) {
    const value = await met();
    if (value) return value;
    if (performance.now() > end) throw new Error(`Waited in vain: ${what}`);
  }
}

/** A PostgreSQL by the script `database` of the example, with a client of the test. */
async function openDatabase({ start, from }) {
  const port = await freePort();
  start('database', {}, '--port', String(port));
  const url = `postgres://postgres@127.0.0.1:${port}/postgres?sslmode=disable`;
  const { Client } = from('pg');
  const sql = await until('the database answers', async () => {
    const client = new Client({ connectionString: url });
    client.on('error', () => undefined);
    return client.connect().then(
      () => client,
      () => undefined,
    );
  });
  return { url, sql };
}

/** Two replicas that listen. */
async function openTwo({ start }, env = {}) {
  const opened = Array.from({ length: 2 }, async () => {
    const port = await freePort();
    const replica = start('start', { ...env, PORT: String(port) });
    await replica.says('successfully started');
    await until('it listens', () => fetch(`http://127.0.0.1:${port}/`).then(Boolean, () => false));
    return { replica, url: `http://127.0.0.1:${port}` };
  });
  return await Promise.all(opened);
}

async function post(url, body) {
  const headers = { 'content-type': 'application/json' };
  const signal = AbortSignal.timeout(PATIENCE);
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body), signal });
  return { status: response.status, body: await response.json() };
}

/** They end by SIGTERM, and nothing of the shutdown is complained about. */
async function endAll(replicas) {
  for (const end of await Promise.all(replicas.map((replica) => replica.end()))) assert.equal(end, 'SIGTERM');
  for (const { said } of replicas) assert.doesNotMatch(said, /ERROR|WARN/, said);
}

/** Two holders of one lock: the first stands still in its payment for longer than its lease, and pays while the second does. */
async function sellWithOnePaused({ from, redis }, database, sku) {
  from('reflect-metadata');
  const { DataSource } = from('typeorm');
  const { createLockService, lockName } = from('nestjs-distributed-lock/plain');
  const { Item, Order } = from('./dist/entities.js');
  const { OrdersService } = from('./dist/orders.service.js');
  const source = await new DataSource({
    type: 'postgres',
    url: database,
    entities: [Item, Order],
  }).initialize();
  const locks = createLockService({ redis, namespace: 'paused', log: { warn: () => undefined } });
  const payments = [];
  const charge = (buyer) => new Promise((resolve) => payments.push(() => resolve(`receipt of ${buyer}`)));
  const orders = new OrdersService(locks, source, { charge });
  const places = (buyer) => orders.place(sku, buyer).catch((error) => error);
  try {
    const early = places('early');
    await until('the first pays', () => payments.length === 1);
    await locks.revoke(lockName('item', sku), { reason: 'it stands still', force: true });
    const late = places('late');
    await until('the second pays', () => payments.length === 2);
    payments[0]();
    const lost = await early;
    payments[1]();
    return { lost, sold: await late };
  } finally {
    await locks.close();
    await source.destroy();
  }
}

/** How often each value occurs. */
function tally(values) {
  const counts = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

export const EXAMPLES = {
  'http-typeorm': async (tools) => {
    const { url: database, sql } = await openDatabase(tools);
    const shops = await openTwo(tools, { DATABASE_URL: database });

    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, n) =>
        post(`${shops[n % 2].url}/items/sneaker/orders`, { buyer: `b${n}` }),
      ),
    );
    assert.deepEqual(tally(answers.map(({ status }) => status)), { 201: 10, 409: 30 });
    const { left, orders } = await (await fetch(`${shops[0].url}/items/sneaker`)).json();
    assert.deepEqual([left, orders.length], [0, 10]);
    const fences = orders.sort((a, b) => a.id - b.id).map(({ fence }) => Number(fence));
    assert.deepEqual(
      fences,
      [...new Set(fences)].sort((a, b) => a - b),
      'each order has a larger fence',
    );
    assert.equal((await post(`${shops[1].url}/items/boot/orders`, { buyer: 'ann' })).status, 404);

    // A later holder has been here.
    await sql.query(`update item set "left" = 1, fence = 9000000000000000000`);
    const late = await post(`${shops[0].url}/items/sneaker/orders`, { buyer: 'late' });
    assert.deepEqual([late.status, late.body.message], [409, 'A later holder of the lock was here.']);
    assert.deepEqual((await sql.query('select "left" from item')).rows, [{ left: 1 }]);

    await sql.query(`insert into item (sku, "left", fence) values ('cap', 10, 0)`);
    const { lost, sold } = await sellWithOnePaused(tools, database, 'cap');
    const caps = await (await fetch(`${shops[0].url}/items/cap`)).json();
    assert.deepEqual(
      [caps.left, caps.orders.map(({ buyer }) => buyer)],
      [9, ['late']],
      'no item is sold twice',
    );
    assert.deepEqual([lost.code, lost.cause?.message], ['LOCK_LOST', 'A later holder of the lock was here.']);
    assert.equal(sold.receipt, 'receipt of late');
    await endAll(shops.map(({ replica }) => replica));
    await sql.end();
  },

  cron: async ({ start }) => {
    const replicas = Array.from({ length: 3 }, () => start('start'));
    await Promise.all(replicas.map((replica) => replica.says('has started')));
    const runs = () =>
      replicas.flatMap(({ said, pid }) =>
        [...said.matchAll(/sent (report:\S+) from process (\d+)/g)].map(([, fire, by]) => {
          assert.equal(Number(by), pid);
          return { fire, pid };
        }),
      );
    await until('two fires', () => runs().length >= 2);
    // Whoever ran last is gone: the next fire runs elsewhere.
    const { pid } = runs()
      .sort((a, b) => (a.fire < b.fire ? -1 : 1))
      .at(-1);
    const killed = replicas.find((replica) => replica.pid === pid);
    await killed.end('SIGKILL');
    const before = new Set(runs().map(({ fire }) => fire));
    await until('a fire after that', () => runs().some(({ fire }) => !before.has(fire)));
    const fires = runs().map(({ fire }) => fire);
    assert.deepEqual(fires.sort(), [...new Set(fires)].sort(), 'each fire runs once');
    await endAll(replicas.filter((replica) => replica !== killed));
  },

  bullmq: async ({ start, from, redis }) => {
    const workers = [start('start'), start('start')];
    await Promise.all(workers.map((worker) => worker.says('has started')));
    assert.equal(await start('add').ended, 0);
    const { Queue } = from('bullmq');
    const queue = new Queue('orders', { connection: { url: redis } });
    try {
      await until('all orders are shipped', async () => (await queue.getCompletedCount()) === 30);
      assert.equal(await queue.getFailedCount(), 0);
      const jobs = await queue.getCompleted();
      for (const customer of ['ann', 'bob', 'cem']) {
        const results = jobs
          .filter(({ data }) => data.customer === customer)
          .map(({ returnvalue }) => returnvalue);
        assert.equal(results.length, 10);
        results.sort((a, b) => a.fence - b.fence);
        for (const [index, { begun }] of results.slice(1).entries())
          assert.ok(
            results[index].ended <= begun,
            `two jobs of ${customer} at once: ${JSON.stringify(results)}`,
          );
      }
      await endAll(workers);
      await queue.obliterate();
    } finally {
      await queue.close();
    }
  },

  graphql: async (tools) => {
    const { url: database, sql } = await openDatabase(tools);
    const theatres = await openTwo(tools, { DATABASE_URL: database });
    const book = async (theatre, seat, buyer) => {
      const query = `mutation { book(show: "hamlet", seat: "${seat}", buyer: "${buyer}") }`;
      return (await post(`${theatre.url}/graphql`, { query })).body;
    };

    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, n) => book(theatres[n % 2], 'A1', `b${n}`)),
    );
    assert.deepEqual(tally(answers.map(({ data }) => data?.book)), { true: 1, false: 11 });
    const { rows } = await sql.query('select p.buyer = b.buyer as same from payment p, booking b');
    assert.deepEqual(rows, [{ same: true }], 'one buyer paid, who has the seat');

    const { createLockService, lockName } = tools.from('nestjs-distributed-lock/plain');
    const locks = createLockService({ redis: tools.redis, namespace: 'theatre' });
    const lease = await locks.acquire(lockName('seat', 'hamlet', 'A2'));
    const refused = await book(theatres[0], 'A2', 'ann');
    assert.equal(refused.errors?.[0]?.extensions.code, 'LOCK_BUSY', JSON.stringify(refused));
    await lease.release();
    assert.deepEqual(await book(theatres[0], 'A2', 'ann'), { data: { book: true } });
    await locks.close();
    assert.match(theatres[0].replica.said, /The lock 'seat:hamlet:A2' was not granted/);
    await endAll(theatres.map(({ replica }) => replica));
    await sql.end();
  },
};
