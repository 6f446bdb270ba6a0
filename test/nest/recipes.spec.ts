import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { BullModule, getQueueToken } from '@nestjs/bullmq';
import type { INestApplication } from '@nestjs/common';
import { GraphQLModule } from '@nestjs/graphql';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { Test } from '@nestjs/testing';
import type { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import {
  createLockService,
  DistributedLockModule,
  LockLostError,
  lockName,
  LockService,
  withLocks,
} from 'nestjs-distributed-lock';
import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { Pool } from 'pg';
import { io, type Socket } from 'socket.io-client';
import { TransferService } from '../../docs/recipes/account-transfer.js';
import { type Order, OrderProcessor, Orders } from '../../docs/recipes/customer-queue.js';
import { Broker, OutboxRelay } from '../../docs/recipes/outbox-leader.js';
import { PriceCache, Prices } from '../../docs/recipes/price-cache.js';
import { RoomGateway } from '../../docs/recipes/room-gateway.js';
import { MIGRATIONS, SchemaMigration } from '../../docs/recipes/schema-migration.js';
import { Cashier, SeatResolver } from '../../docs/recipes/seat-resolver.js';
import { type PaymentEvent, Receipts, WebhookController } from '../../docs/recipes/webhook.js';
import { type RunningDatabase, startDatabase } from '../../tools/database/start-database.js';
import { type RunningRedis, startRedis } from '../../tools/redis/start-redis.js';
import { Door } from '../support/door.js';
import { failureOf, until } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';

/** Brings the tables of all recipes, by the recipe for migrations. */
const SCHEMA = [
  'create table webhook_event (id text primary key)',
  'create table account (id text primary key, balance integer not null, fence bigint not null default 0)',
  'create table outbox (id bigint generated always as identity primary key, message text not null, sent_by bigint)',
  'create table outbox_leader (fence bigint not null); insert into outbox_leader values (0)',
  'create table booking (show text, seat text, buyer text not null, primary key (show, seat))',
  'create table move (room text, turn integer, player text not null, primary key (room, turn))',
];

/** What is outside of the applications: both of them reach the same. */
class World {
  readonly receipts: string[] = [];
  readonly receiptDoor = new Door();
  mailFails = false;
  computed = 0;
  readonly charged: string[] = [];
  readonly shipped: string[] = [];
  readonly customerDoors = new Map<string, Door>();
  readonly allCustomers = new Door();
  readonly published: string[] = [];
  /** Where the next message waits. */
  brokerDoor: Door | undefined;

  providers() {
    const values = [
      [Receipts, { send: (order: string) => this.send(order) }],
      [Prices, { compute: () => this.compute() }],
      [Cashier, { charge: async (buyer: string) => void this.charged.push(buyer) }],
      [Orders, { ship: (order: Order) => this.ship(order) }],
      [Broker, { publish: (_id: string, message: string) => this.publish(message) }],
    ] as const;
    return values.map(([provide, useValue]) => ({ provide, useValue }));
  }

  private async send(order: string): Promise<void> {
    await this.receiptDoor.pass(undefined);
    if (this.mailFails) throw new Error('the mail service is gone');
    this.receipts.push(order);
  }

  private async compute(): Promise<number> {
    this.computed += 1;
    return await new Door().pass(1_200);
  }

  private async ship({ id, customer }: Order): Promise<void> {
    const door = this.customerDoors.get(customer) ?? new Door();
    this.customerDoors.set(customer, door);
    await this.allCustomers.pass(door.pass(undefined));
    this.shipped.push(id);
  }

  private async publish(message: string): Promise<void> {
    const door = this.brokerDoor;
    this.brokerDoor = undefined;
    await door?.pass(undefined);
    this.published.push(message);
  }
}

// Two applications stand for two processes: each has locks of its own, and both are on one Redis and one PostgreSQL.
describeWithRealRedis('the recipes', () => {
  const world = new World();
  const namespace = `recipes-${randomUUID()}`;
  const schema = `recipes_${process.pid}_${Date.now()}`;
  let redis: RunningRedis;
  let database: RunningDatabase;
  let cache: Redis;
  let sql: Pool;
  let first: INestApplication;
  let second: INestApplication;
  const locks = () => first.get(LockService);
  const urlOf = (app: INestApplication): string =>
    `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;

  async function open(): Promise<INestApplication> {
    const { hostname: host, port } = new URL(redis.url);
    const connection = { host, port: Number(port) };
    const module = await Test.createTestingModule({
      imports: [
        DistributedLockModule.forRoot({ redis: redis.url, namespace, shutdownGrace: '1s' }),
        BullModule.forRoot({ connection, prefix: `${namespace}-bull` }),
        BullModule.registerQueue({ name: 'orders' }),
        GraphQLModule.forRoot<ApolloDriverConfig>({
          driver: ApolloDriver,
          autoSchemaFile: true,
          graphiql: false,
        }),
      ],
      controllers: [WebhookController],
      providers: [
        { provide: Pool, useValue: sql },
        { provide: Redis, useValue: cache },
        { provide: MIGRATIONS, useValue: SCHEMA },
        SchemaMigration,
        TransferService,
        PriceCache,
        OutboxRelay,
        OrderProcessor,
        SeatResolver,
        RoomGateway,
        ...world.providers(),
      ],
    }).compile();
    const app = module.createNestApplication({ logger: false, forceCloseConnections: true });
    app.useWebSocketAdapter(new IoAdapter(app));
    return await app.listen(0, '127.0.0.1').then(() => app);
  }

  beforeAll(async () => {
    [redis, database] = await Promise.all([startRedis({ emulated: false }), startDatabase()]);
    cache = new Redis(redis.url, { keyPrefix: `${namespace}-cache:` });
    sql = new Pool({ connectionString: database.url, max: 8 });
    sql.on('error', () => undefined);
    sql.on('connect', (client) => void client.query(`set search_path to ${schema}`));
    await sql.query(`create schema ${schema}`);
    // Each is known as soon as it is open, so that it is closed when the other one fails to start.
    await Promise.all([open().then((app) => (first = app)), open().then((app) => (second = app))]);
  }, 60_000);

  afterAll(async () => {
    await Promise.all([first?.close(), second?.close()]);
    await sql?.query(`drop schema ${schema} cascade`);
    await sql?.end();
    cache?.disconnect();
    await Promise.all([redis?.stop(), database?.stop()]);
  });

  it('migrate the schema once when both applications start', async () => {
    const { rows } = await sql.query<{ version: number }>(
      'select version from schema_version order by version',
    );
    expect(rows.map(({ version }) => version)).toEqual(SCHEMA.map((_, index) => index + 1));
  });

  describe('for a webhook', () => {
    const deliver = async (app: INestApplication, event: PaymentEvent): Promise<unknown> => {
      const answer = await fetch(`${urlOf(app)}/webhooks/payments`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(event),
      });
      return answer.ok ? ((await answer.json()) as { repeated: boolean }).repeated : answer.status;
    };

    it('send one receipt for deliveries at once, and none for a later one', async () => {
      const event = { id: 'evt_1', order: 'order-1' };
      const answers = await Promise.all([first, second, first, second].map((app) => deliver(app, event)));
      expect(answers.sort()).toEqual([false, true, true, true]);
      expect(await deliver(first, event)).toBe(true);
      expect(world.receipts).toEqual(['order-1']);
      expect(world.receiptDoor.most).toBe(1);
    });

    it('handle with the next delivery what failed', async () => {
      const event = { id: 'evt_2', order: 'order-2' };
      world.mailFails = true;
      expect(await deliver(first, event)).toBe(500);
      world.mailFails = false;
      expect(await deliver(second, event)).toBe(false);
      expect(world.receipts).toEqual(['order-1', 'order-2']);
    });
  });

  describe('for a payment', () => {
    const balances = async (): Promise<Record<string, number>> => {
      const { rows } = await sql.query<{ id: string; balance: number }>('select id, balance from account');
      return Object.fromEntries(rows.map(({ id, balance }) => [id, balance]));
    };
    beforeEach(async () => {
      await sql.query(`delete from account`);
      await sql.query(`insert into account (id, balance) values ('ann', 100), ('ben', 100)`);
    });

    it('keep the sum when transfers in both directions run at once', async () => {
      const transfers = Array.from({ length: 20 }, (_, n) => {
        const [from, to] = n % 4 < 2 ? ['ann', 'ben'] : ['ben', 'ann'];
        return (n % 2 ? first : second).get(TransferService).transfer(from, to, n);
      });
      await Promise.all(transfers);
      const moved = transfers.reduce((sum, _, n) => sum + (n % 4 < 2 ? n : -n), 0);
      expect(await balances()).toEqual({ ann: 100 - moved, ben: 100 + moved });
    });

    it('change nothing when there is not enough money', async () => {
      const refused = await failureOf<Error>(first.get(TransferService).transfer('ann', 'ben', 101));
      expect(refused.message).toBe('There is not enough money.');
      expect(await balances()).toEqual({ ann: 100, ben: 100 });
    });

    it('let a holder that comes too late write nothing', async () => {
      const door = new Door();
      door.closed = true;
      const connect = () => door.pass(undefined).then(() => sql.connect());
      const late = new TransferService(first.get(LockService), { connect } as Pool);
      const refused = failureOf<LockLostError>(late.transfer('ann', 'ben', 70));
      await door.entered();
      for (const id of ['ann', 'ben'])
        await locks().revoke(lockName('account', id), { reason: 'test', force: true });
      await second.get(TransferService).transfer('ann', 'ben', 50);
      door.open();
      const lost = await refused;
      expect(lost).toBeInstanceOf(LockLostError);
      expect((lost.cause as Error).message).toMatch(/a later holder of its lock has written it/);
      expect(await balances()).toEqual({ ann: 50, ben: 150 });
    });
  });

  describe('for a queue', () => {
    const queue = () => first.get<Queue<Order>>(getQueueToken('orders'));

    it('work on one job of a customer at a time, and on those of several at once', async () => {
      const orders = Array.from({ length: 12 }, (_, n) => ({ id: `${n}`, customer: `customer ${n % 3}` }));
      await queue().addBulk(orders.map((data) => ({ name: 'ship', data })));
      await until('all are shipped', () => world.shipped.length === orders.length);
      expect([...world.shipped].sort()).toEqual(orders.map(({ id }) => id).sort());
      expect([...world.customerDoors.values()].map(({ most }) => most)).toEqual([1, 1, 1]);
      expect(world.allCustomers.most).toBeGreaterThan(1);
    });

    it('give the slot back when the customer is busy for long, and count no attempt', async () => {
      const lease = await locks().acquire(lockName('customer', 'dora'));
      const job = await queue().add('ship', { id: 'late', customer: 'dora' });
      await until('it is delayed', () => job.isDelayed());
      await lease.release();
      await until('it is shipped', () => world.shipped.includes('late'));
      await until('it is completed', () => job.isCompleted());
      expect((await queue().getJob(job.id!))?.attemptsMade).toBe(1);
      expect(await queue().getFailedCount()).toBe(0);
    });
  });

  describe('for a cache', () => {
    it('compute a price once for all who miss it', async () => {
      const callers = Array.from({ length: 50 }, (_, n) => (n % 2 ? first : second).get(PriceCache));
      const prices = await Promise.all(callers.map((each) => each.price('book')));
      expect(new Set(prices)).toEqual(new Set([1_200]));
      expect(world.computed).toBe(1);
      expect(await cache.ttl('price:book')).toBeGreaterThan(50);
    });

    it('compute while the Redis of the locks is down', async () => {
      const down = createLockService({ redis: 'redis://127.0.0.1:1', log: { warn: () => undefined } });
      const prices = withLocks(new PriceCache(cache, first.get(Prices)), down);
      expect(await prices.price('pen')).toBe(1_200);
      await down.close();
    });
  });

  describe('for a leader', () => {
    const write = (message: string) => sql.query('insert into outbox (message) values ($1)', [message]);
    const relays = () => [first, second].map((app) => app.get(OutboxRelay));
    const leading = () => relays().filter(({ leader }) => leader!.leading);
    const sentBy = async (message: string) => {
      const { rows } = await sql.query<{ sent_by: string }>('select sent_by from outbox where message = $1', [
        message,
      ]);
      return Number(rows[0]!.sent_by);
    };
    const fence = async () => Number((await sql.query('select fence from outbox_leader')).rows[0].fence);

    it('relay by one application, in order', async () => {
      for (const message of ['a', 'b', 'c']) await write(message);
      await until('all are marked', async () => (await sentBy('c')) > 0);
      expect(world.published).toEqual(['a', 'b', 'c']);
      expect(leading()).toHaveLength(1);
    });

    it('let a leader that comes too late mark nothing', async () => {
      const late = (world.brokerDoor = new Door());
      late.closed = true;
      await write('d');
      await late.entered();
      const before = await fence();
      await locks().revoke('outbox', { reason: 'test', force: true });
      await until('the next leader marks it', async () => (await sentBy('d')) > before);
      late.open();
      await until('it is published again', () => world.published.filter((each) => each === 'd').length === 2);
      await write('after d');
      await until('the next message is marked', async () => (await sentBy('after d')) > 0);
      expect(await sentBy('d')).toBe(await fence());
    });

    it('let the other application go on when the leader stops', async () => {
      await leading()[0]!.leader!.stop();
      await write('e');
      await until('it is marked', async () => (await sentBy('e')) > 0);
      expect(world.published.filter((message) => message === 'e')).toHaveLength(1);
    });
  });

  describe('for GraphQL', () => {
    const book = async (app: INestApplication, seat: string, buyer: string) => {
      const answer = await fetch(`${urlOf(app)}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          query: `mutation { book(show: "opera", seat: "${seat}", buyer: "${buyer}") }`,
        }),
      });
      const { data, errors } = (await answer.json()) as {
        data?: { book: boolean };
        errors?: { message: string; extensions: Record<string, unknown> }[];
      };
      return data?.book ?? errors;
    };

    it('charge one buyer for a seat', async () => {
      const buyers = Array.from({ length: 10 }, (_, n) => book(n % 2 ? first : second, '1a', `buyer ${n}`));
      expect((await Promise.all(buyers)).filter((booked) => booked === true)).toHaveLength(1);
      expect(world.charged).toHaveLength(1);
    });

    it('refuse a seat that is busy, by code and without its name', async () => {
      await using _lease = await locks().acquire(lockName('seat', 'opera', '1b'));
      const errors = await book(second, '1b', 'cora');
      expect(errors).toEqual([
        expect.objectContaining({ extensions: expect.objectContaining({ code: 'LOCK_BUSY' }) }),
      ]);
      expect(JSON.stringify(errors)).not.toContain('opera:1b');
    });
  });

  describe('for rooms', () => {
    let sockets: Socket[];
    beforeAll(async () => {
      sockets = [first, second].map((app) => io(urlOf(app), { transports: ['websocket'], forceNew: true }));
      await Promise.all(sockets.map((socket) => socket.emitWithAck('join', 'chess')));
    });
    afterAll(() => sockets.forEach((socket) => socket.close()));

    it('number the moves of all players one after another', async () => {
      const announced: number[] = [];
      sockets[0]!.on('moved', ({ turn }: { turn: number }) => announced.push(turn));
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          sockets[n % 2]!.emitWithAck('move', { room: 'chess', player: `player ${n % 2}` }),
        ),
      );
      const turns = answers.flatMap(({ turn }) => (turn === undefined ? [] : [Number(turn)]));
      expect(turns.length).toBeGreaterThan(1);
      expect(turns.sort((a, b) => a - b)).toEqual(turns.map((_, index) => index + 1));
      expect(answers.filter((answer) => answer.refused ?? answer.turn)).toHaveLength(20);
      const { rows } = await sql.query<{ player: string }>('select player from move order by turn');
      expect(rows.some(({ player }, index) => player === rows[index + 1]?.player)).toBe(false);
      const here = answers.filter(({ turn }, n) => turn !== undefined && n % 2 === 0);
      await until('the moves of this application are announced', () => announced.length === here.length);
    });
  });
});
