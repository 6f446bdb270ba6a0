import { hostname } from 'node:os';
import { firstValueFrom } from 'rxjs';
import { LockService } from 'nestjs-distributed-lock';
import { DistributedLockTestingModule } from 'nestjs-distributed-lock/testing';
import { until } from '../support/eventually.js';
import {
  EACH_SCOPE,
  GATEWAY_SCOPES,
  NAME,
  openGraphql,
  type Opened,
  type OpenedGraphql,
  openSocketIo,
  openTcp,
  type ScopeName,
  scopesOf,
  Shop,
  type TransportName,
  TRANSPORTS,
} from '../support/transport-applications.js';

const locks = () => DistributedLockTestingModule.forRoot();

const BUSY = { code: 'LOCK_BUSY', message: 'The resource is locked, try again later' };
const BUSY_MESSAGE = { status: 'error', statusCode: 423, ...BUSY, retryAfter: 1 };
const GRAPHQL = { message: BUSY.message, extensions: { code: 'LOCK_BUSY', retryAfter: 1 } };
const http = () => ({ statusCode: 423, ...BUSY, retryAfter: 1, retryHeader: '1' });
const message = () => BUSY_MESSAGE;
const event = (scope: ScopeName) => ({
  ...BUSY_MESSAGE,
  cause: { pattern: `${scope}.once`, data: { sku: 'book' } },
});

/** What the client of each transport reads of a busy lock. */
const BUSY_ANSWERS: Record<TransportName, (scope: ScopeName) => object> = {
  'HTTP on Express': http,
  'HTTP on Fastify': http,
  GraphQL: () => GRAPHQL,
  'a TCP microservice': message,
  'a Redis microservice': message,
  'a hybrid application with inheritAppConfig': message,
  'a hybrid application without inheritAppConfig': () => ({
    status: 'error',
    message: 'Internal server error',
  }),
  'a gateway on socket.io': event,
  'a gateway on ws': event,
};

/** What a locked handler does over one transport; `redis` is the URL of a server, for the transport over it. */
export function transportCases(transport: TransportName, redis: () => string): void {
  const scopes = scopesOf(transport);
  let opened: Opened;
  beforeAll(async () => {
    opened = await TRANSPORTS[transport](locks(), redis());
  });
  afterAll(() => opened.close());

  it.each(scopes)('a promise holds its lock until it resolves, in the scope %s', async (scope) => {
    const { door } = opened.app.get(Shop);
    door.most = 0;
    const answers = await Promise.all([1, 2, 3].map(() => opened.call(scope, 'turn')));
    expect(answers).toEqual(Array(3).fill({ value: NAME }));
    expect(door.most).toBe(1);
  });

  if (!/^(HTTP|GraphQL)/.test(transport))
    // they have tests of their own for what else a handler may return
    it.each(scopes)('an Observable holds its lock until it completes, in the scope %s', async (scope) => {
      const { door } = opened.app.get(Shop);
      door.most = 0;
      const answers = await Promise.all([1, 2, 3].map(() => opened.call(scope, 'stream')));
      expect(answers).toEqual(Array(3).fill({ value: NAME }));
      expect(door.most).toBe(1);
    });

  it.each(scopes)('guards run, above and below @Locked, in the scope %s', async (scope) => {
    const shop = opened.app.get(Shop);
    const before = shop.guarded;
    for (const method of ['turn', 'once'] as const)
      expect(await opened.call(scope, method)).toEqual({ value: NAME });
    expect(shop.guarded).toBe(before + 2);
  });

  it('the details of a busy lock are told to the log only', async () => {
    await using _lease = await opened.app.get(LockService).acquire(NAME);
    opened.logged.lines.length = 0;
    const told = JSON.stringify(await opened.call('singleton', 'once'));
    for (const secret of [NAME, hostname(), String(process.pid)]) expect(told).not.toContain(secret);
    expect(opened.logged.about(NAME)).toEqual([
      expect.stringMatching(new RegExp(`The lock '${NAME}' is busy.*${process.pid}`)),
    ]);
  });

  it.each(scopes)('a busy lock is answered as the transport does it, in the scope %s', async (scope) => {
    await using lease = await opened.app.get(LockService).acquire(NAME);
    const answer = await opened.call(scope, 'once');
    expect(answer).toEqual({ refused: expect.objectContaining(BUSY_ANSWERS[transport](scope)) });
    await lease.release();
    expect(await opened.call(scope, 'once')).toEqual({ value: NAME });
  });
}

/** What only one of the transports has. */
export function particularCases(): void {
  const toClose: Opened[] = [];
  const opened = async <T extends Opened>(opening: Promise<T>): Promise<T> => {
    toClose.push(await opening);
    return opening;
  };
  afterEach(() => Promise.all(toClose.splice(0).map((each) => each.close())));

  describe('an event of a microservice', () => {
    it.each(EACH_SCOPE)(
      'that finds its lock busy is logged and not handled, in the scope %s',
      async (scope) => {
        const { app, logged, client } = await opened(openTcp(locks()));
        const { heard } = app.get(Shop);
        await using lease = await app.get(LockService).acquire(NAME);
        await firstValueFrom(client.emit(`${scope}.event`, 'lost'), { defaultValue: undefined });
        await until('the refusal is logged', () => logged.about(NAME).length > 0);
        expect(logged.about(NAME)).toEqual([expect.stringMatching(/^log .*account:7/)]);
        await lease.release();
        await firstValueFrom(client.emit(`${scope}.event`, 'heard'), { defaultValue: undefined });
        await until('an event is handled', () => heard.length > 0);
        expect(heard).toEqual([`heard: ${NAME}`]);
      },
    );
  });

  describe('a message with an acknowledgement', () => {
    it.each(GATEWAY_SCOPES)('gets it, be the lock free or busy, in the scope %s', async (scope) => {
      const { app, socket } = await opened(openSocketIo(locks()));
      const ask = (): Promise<unknown> => socket.timeout(4_000).emitWithAck(`${scope}.acknowledged`, {});
      await using lease = await app.get(LockService).acquire(NAME);
      const events: unknown[] = [];
      socket.on('exception', (payload) => events.push(payload));
      expect(await ask()).toEqual(BUSY_MESSAGE);
      expect(events).toEqual([{ ...BUSY_MESSAGE, cause: { pattern: `${scope}.acknowledged`, data: {} } }]);
      await lease.release();
      expect(await ask()).toBe(NAME);
    });
  });

  describe('a gateway whose client disconnects', () => {
    it.each(GATEWAY_SCOPES)('keeps the lock until the promise is settled, in the scope %s', async (scope) => {
      const { app, socket } = await opened(openSocketIo(locks()));
      const { door } = app.get(Shop);
      door.closed = true;
      socket.emit(`${scope}.held`, {});
      await door.entered();
      socket.close();
      const taken = await app.get(LockService).tryAcquire(NAME, { wait: 200 });
      door.open();
      expect(taken?.names).toBeUndefined();
      await (await app.get(LockService).acquire(NAME, { wait: 1_000 })).release();
      expect(door.passed).toBe(1);
    });
  });

  describe('field resolvers of GraphQL', () => {
    let graphql: OpenedGraphql;
    beforeAll(async () => {
      graphql = await openGraphql(locks());
    });
    afterAll(() => graphql.close());

    it.each(EACH_SCOPE)('that run in parallel take turns, in the scope %s', async (scope) => {
      const { door } = graphql.app.get(Shop);
      door.most = 0;
      const { data } = await graphql.ask(`{ ${scope}Items { ${scope}Stock } }`);
      expect(data).toEqual({
        [`${scope}Items`]: ['a', 'b', 'c'].map((id) => ({ [`${scope}Stock`]: `${id} ${NAME}` })),
      });
      expect(door.most).toBe(1);
    });

    it('that find a lock busy are logged once', async () => {
      await using _lease = await graphql.app.get(LockService).acquire('stock:b');
      await graphql.ask('{ singletonItems { singletonLeft } }');
      expect(graphql.logged.about('stock:b')).toHaveLength(1);
    });

    it.each(EACH_SCOPE)(
      'that find a lock busy fail alone and tell no name, in the scope %s',
      async (scope) => {
        await using _lease = await graphql.app.get(LockService).acquire('stock:b');
        const { data, errors } = await graphql.ask(`{ ${scope}Items { ${scope}Left } }`);
        expect(data).toEqual({
          [`${scope}Items`]: ['a', null, 'c'].map((left) => ({ [`${scope}Left`]: left })),
        });
        expect(errors).toEqual([
          { ...GRAPHQL, path: [`${scope}Items`, 1, `${scope}Left`], locations: expect.anything() },
        ]);
      },
    );
  });
}
