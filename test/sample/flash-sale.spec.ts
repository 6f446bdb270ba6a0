import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import pg from 'pg';
import request from 'supertest';
import { LockService } from 'nestjs-distributed-lock';
import { AppModule } from '../../sample-app/app.module.js';
import { Database } from '../../sample-app/database/database.js';
import type { Order } from '../../sample-app/flash-sale/order.js';
import { startDatabase, type RunningDatabase } from '../../tools/database/start-database.js';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';

let redis: RunningRedis;
let database: RunningDatabase;
let sql: pg.Client;
let apps: INestApplication[];

const servers = () => apps.map((app) => app.getHttpServer());
const server = () => servers()[0];
const order = (sku: string, body: object = { buyer: 'ann' }, at = server()) =>
  request(at).post(`/flash-sale/${sku}/orders`).send(body);
const restock = (sku: string, quantity: number) =>
  request(server()).post(`/flash-sale/${sku}/restock`).send({ quantity }).expect(200);

/** Sends `buyers` orders at once, in turn to each application. */
const crowd = (sku: string, buyers: number, lock: 'on' | 'off') =>
  Promise.all(
    Array.from({ length: buyers }, (_, buyer) =>
      order(sku, { buyer: `buyer ${buyer}` }, servers()[buyer % apps.length]).query({ lock }),
    ),
  );

/** Stops the next order of an application between its look at the stock and its write. */
function stopBeforeWrite(app: INestApplication) {
  const database = app.get(Database);
  let goOn = (): void => undefined;
  const gate = new Promise<void>((resolve) => (goOn = resolve));
  const reached = new Promise<void>((resolve) => {
    // An own property stands before the method of the class, until it is deleted.
    database.rows = async <T extends pg.QueryResultRow>(statement: string, values?: readonly unknown[]) => {
      if (!statement.startsWith('with item as'))
        return Database.prototype.rows.call(database, statement, values) as Promise<T[]>;
      Reflect.deleteProperty(database, 'rows');
      resolve();
      await gate;
      return database.rows<T>(statement, values);
    };
  });
  return { reached, goOn };
}

beforeAll(async () => {
  [redis, database] = await Promise.all([startRedis(), startDatabase()]);
  const namespace = `sample-${process.pid}-${Date.now()}`;
  const settings = { redis: redis.url, databaseUrl: database.url, namespace };
  const modules = await Promise.all(
    [1, 2].map(() => Test.createTestingModule({ imports: [AppModule.forRoot(settings)] }).compile()),
  );
  apps = modules.map((module) => module.createNestApplication());
  // Both at once: they find the tables by turns.
  await Promise.all(apps.map((app) => app.listen(0, '127.0.0.1')));
  sql = new pg.Client({ connectionString: database.url });
  await sql.connect();
}, 60_000);

afterAll(async () => {
  await sql?.end();
  await Promise.all((apps ?? []).map((app) => app.close()));
  await Promise.all([redis?.stop(), database?.stop()]);
});

describe('the flash sale', () => {
  beforeEach(() => restock('sneaker', 5));

  it('sells, and tells the order with its id, its fence and who served it', async () => {
    const { body } = await order('sneaker', { buyer: 'ann', quantity: 2 }).expect(201);
    expect(body).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
      sku: 'sneaker',
      buyer: 'ann',
      quantity: 2,
      fence: expect.any(Number),
      servedBy: `process ${process.pid}`,
    });
    expect(String(body.fence)).toMatch(/^\d{16}$/);
    const { body: sale } = await request(server()).get('/flash-sale/sneaker').expect(200);
    expect(sale).toEqual({ sku: 'sneaker', offered: 5, stock: 3, sold: 2, oversold: 0 });
  });

  it('answers 404 for an unknown item, whatever it is called', async () => {
    for (const sku of ['unknown', 'null', 'undefined', '%5Bobject%20Object%5D', 'x'.repeat(2000)]) {
      await order(sku).expect(404);
      await request(server()).get(`/flash-sale/${sku}`).expect(404);
      await request(server()).post(`/flash-sale/${sku}/restock`).send({ quantity: 1 }).expect(404);
    }
  });

  it('answers 400 for a body or a query that is not what it asks for', async () => {
    for (const body of [
      {},
      { buyer: '' },
      { buyer: 7 },
      { buyer: 'ann', quantity: 0 },
      { buyer: 'ann', quantity: '1' },
    ]) {
      await order('sneaker', body).expect(400);
    }
    await order('sneaker').query({ lock: 'maybe' }).expect(400);
    await request(server()).post('/flash-sale/sneaker/restock').send({ quantity: -1 }).expect(400);
    await request(server()).post('/flash-sale/sneaker/restock').send({}).expect(400);
  });

  it('answers 409 when it is sold out', async () => {
    await order('sneaker', { buyer: 'ann', quantity: 5 }).expect(201);
    const { body } = await order('sneaker').expect(409);
    expect(body.message).toBe("'sneaker' is sold out.");
  });

  it('sells more than there is when the lock is off', async () => {
    let sold: Awaited<ReturnType<typeof crowd>> = [];
    // A race is not lost every time: on a busy machine the first request may be through before the second comes.
    for (let tries = 0; tries < 20 && sold.length < 2; tries += 1) {
      await restock('last-ticket', 1);
      sold = (await crowd('last-ticket', 40, 'off')).filter(({ status }) => status === 201);
    }
    expect(sold.length).toBeGreaterThan(1);
    expect(sold.every(({ body }) => (body as Order).fence === null)).toBe(true);
    const { body: sale } = await request(server()).get('/flash-sale/last-ticket');
    expect(sale).toMatchObject({ offered: 1, sold: sold.length, oversold: sold.length - 1 });
  });

  it('sells exactly what there is when the lock is on, by two applications, with growing fences', async () => {
    await restock('last-ticket', 20);
    const answers = await crowd('last-ticket', 60, 'on');
    const count = (status: number) => answers.filter((answer) => answer.status === status).length;
    expect([count(201), count(409)]).toEqual([20, 40]);
    const { rows } = await sql.query<{ fence: string }>(
      "select fence from flash_sale.orders where sku = 'last-ticket' order by number",
    );
    const fences = rows.map(({ fence }) => Number(fence));
    expect(fences).toEqual([...new Set(fences)].sort((a, b) => a - b));
    expect(fences).toHaveLength(20);
    const { body: sale } = await request(server()).get('/flash-sale/last-ticket');
    expect(sale).toEqual({ sku: 'last-ticket', offered: 20, stock: 0, sold: 20, oversold: 0 });
  });

  it('a writer whose fence is older than that of the row changes nothing', async () => {
    const { rows } = await sql.query("select fence from flash_sale.items where sku = 'sneaker'");
    await sql.query("update flash_sale.items set fence = 9007199254740991 where sku = 'sneaker'");
    const { body } = await order('sneaker').expect(409);
    expect(body.message).toBe("A later order for 'sneaker' was written first.");
    await request(server()).post('/flash-sale/sneaker/restock').send({ quantity: 1 }).expect(409);
    await sql.query("update flash_sale.items set fence = $1 where sku = 'sneaker'", [rows[0].fence]);
    const { body: sale } = await request(server()).get('/flash-sale/sneaker');
    expect(sale).toMatchObject({ offered: 5, stock: 5, sold: 0 });
  });

  it('sells no piece twice when a holder stands still, and writes between the look and the write of the next one', async () => {
    const [early, late] = apps.map(stopBeforeWrite) as [
      ReturnType<typeof stopBeforeWrite>,
      ReturnType<typeof stopBeforeWrite>,
    ];
    const first = order('sneaker', { buyer: 'early' }, servers()[0]).then((answer) => answer);
    await early.reached;
    const locks = apps[1]!.get(LockService);
    await locks.revoke('flash-sale:sneaker', { reason: 'it stands still', force: true });
    const second = order('sneaker', { buyer: 'late' }, servers()[1]).then((answer) => answer);
    await late.reached;
    early.goOn();
    expect((await first).status).toBe(503);
    late.goOn();
    expect((await second).status).toBe(201);
    const { body: sale } = await request(server()).get('/flash-sale/sneaker');
    expect(sale).toMatchObject({ offered: 5, stock: 4, sold: 1 });
  });
});
