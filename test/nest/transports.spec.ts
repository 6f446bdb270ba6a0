import {
  Controller,
  Get,
  type INestApplication,
  type INestApplicationContext,
  Injectable,
  Scope,
  type Type,
} from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import {
  Field,
  GraphQLModule,
  ID,
  Mutation,
  ObjectType,
  Parent,
  Query,
  ResolveField,
  Resolver,
} from '@nestjs/graphql';
import {
  type ClientOptions,
  type ClientProxy,
  ClientProxyFactory,
  EventPattern,
  MessagePattern,
  type MicroserviceOptions,
  Transport,
} from '@nestjs/microservices';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { Test } from '@nestjs/testing';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { firstValueFrom } from 'rxjs';
import { io, type Socket } from 'socket.io-client';
import { WebSocket } from 'ws';
import { Locked, LockService } from '../../lib/index.js';
import { DistributedLockTestingModule } from '../../lib/testing/index.js';
import { freePort } from '../../tools/free-port.js';
import { type RunningRedis, startRedis } from '../../tools/redis/start-redis.js';
import { Door } from '../support/door.js';
import { until } from '../support/eventually.js';
import { LoggedLines } from '../support/logged-lines.js';
import { HAS_REAL_REDIS } from '../support/real-redis.js';

const NAME = 'account:7';
const BUSY = { code: 'LOCK_BUSY', message: 'The resource is locked, try again later' };
const BUSY_MESSAGE = { status: 'error', statusCode: 423, ...BUSY, retryAfter: 1 };

/** Every class that Nest makes for these tests shares the door of its application. */
@Injectable()
class Shop {
  readonly door = new Door();
  readonly heard: string[] = [];

  constructor(readonly locks: LockService) {}

  async turn(): Promise<string> {
    return await this.door.pass(this.locks.current()?.names.join() ?? 'not locked');
  }
}

const SCOPES = { singleton: Scope.DEFAULT, request: Scope.REQUEST } as const;
type ScopeName = keyof typeof SCOPES;
const EACH_SCOPE = Object.keys(SCOPES) as ScopeName[];

/** What a client of a transport got: a value, or the whole answer that tells of an error. */
type Answer = { readonly value: unknown } | { readonly refused: unknown };

/** An application that answers over one transport, and its client. */
interface Opened {
  readonly app: INestApplicationContext;
  readonly logged: LoggedLines;
  /** Calls `turn`, which waits for the lock, or `once`, which does not. */
  call(scope: ScopeName, method: 'turn' | 'once'): Promise<Answer>;
  close(): Promise<void>;
}

interface Handlers {
  readonly controllers?: Type[];
  readonly providers?: Type[];
  readonly imports?: unknown[];
}

async function build({ controllers = [], providers = [], imports = [] }: Handlers) {
  const logged = new LoggedLines();
  const module = await Test.createTestingModule({
    imports: [DistributedLockTestingModule.forRoot(), ...(imports as [])],
    controllers,
    providers: [Shop, ...providers],
  })
    .setLogger(logged)
    .compile();
  return { module, logged };
}

async function listen(app: INestApplication): Promise<string> {
  await app.listen(0, '127.0.0.1');
  return `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;
}

function httpShop(scope: ScopeName): Type {
  @Controller({ path: scope, scope: SCOPES[scope] })
  class HttpShop {
    constructor(readonly shop: Shop) {}

    @Get('turn')
    @Locked(NAME)
    async turn(): Promise<string> {
      return this.shop.turn();
    }

    @Locked(NAME, { wait: 0 })
    @Get('once')
    async once(): Promise<string> {
      return this.shop.turn();
    }
  }
  return HttpShop;
}

async function openHttp(adapter?: FastifyAdapter): Promise<Opened> {
  const { module, logged } = await build({ controllers: EACH_SCOPE.map(httpShop) });
  const app = adapter ? module.createNestApplication(adapter) : module.createNestApplication();
  const url = await listen(app);
  const call: Opened['call'] = async (scope, method) => {
    const response = await fetch(`${url}/${scope}/${method}`, { headers: { connection: 'close' } });
    const text = await response.text();
    if (response.ok) return { value: text };
    return { refused: { ...JSON.parse(text), retryHeader: response.headers.get('retry-after') } };
  };
  return { app, logged, call, close: () => app.close() };
}

function rpcShop(scope: ScopeName): Type {
  @Controller({ scope: SCOPES[scope] })
  class RpcShop {
    constructor(readonly shop: Shop) {}

    @MessagePattern(`${scope}.turn`)
    @Locked(NAME)
    async turn(): Promise<string> {
      return this.shop.turn();
    }

    @Locked(NAME, { wait: 0 })
    @MessagePattern(`${scope}.once`)
    async once(): Promise<string> {
      return this.shop.turn();
    }

    @EventPattern(`${scope}.event`)
    @Locked(NAME, { wait: 0 })
    async event(text: unknown): Promise<void> {
      this.shop.heard.push(`${String(text)}: ${await this.shop.turn()}`);
    }
  }
  return RpcShop;
}

const askedBy =
  (client: ClientProxy): Opened['call'] =>
  (scope, method) =>
    firstValueFrom(client.send<unknown>(`${scope}.${method}`, {})).then(
      (value) => ({ value }),
      (refused: unknown) => ({ refused }),
    );

type OpenedRpc = Opened & { client: ClientProxy };

async function openMicroservice(options: MicroserviceOptions): Promise<OpenedRpc> {
  const { module, logged } = await build({ controllers: EACH_SCOPE.map(rpcShop) });
  const app = module.createNestMicroservice<MicroserviceOptions>(options);
  await app.listen();
  const client = ClientProxyFactory.create(options as ClientOptions);
  const close = async (): Promise<void> => {
    await client.close();
    await app.close();
  };
  return { app, logged, client, call: askedBy(client), close };
}

const tcp = async (): Promise<MicroserviceOptions> => ({
  transport: Transport.TCP,
  options: { host: '127.0.0.1', port: await freePort() },
});

async function openHybrid(inheritAppConfig: boolean): Promise<OpenedRpc> {
  const { module, logged } = await build({ controllers: EACH_SCOPE.map(rpcShop) });
  const app = module.createNestApplication();
  const options = await tcp();
  app.connectMicroservice(options, { inheritAppConfig });
  await app.startAllMicroservices();
  await app.init();
  const client = ClientProxyFactory.create(options as ClientOptions);
  const close = async (): Promise<void> => {
    await client.close();
    await app.close();
  };
  return { app, logged, client, call: askedBy(client), close };
}

function gateway(scope: ScopeName): Type {
  @WebSocketGateway()
  @Injectable({ scope: SCOPES[scope] })
  class ShopGateway {
    constructor(readonly shop: Shop) {}

    @SubscribeMessage(`${scope}.turn`)
    @Locked(NAME)
    async turn(): Promise<unknown> {
      return { event: 'answer', data: await this.shop.turn() };
    }

    @Locked(NAME, { wait: 0 })
    @SubscribeMessage(`${scope}.once`)
    async once(): Promise<unknown> {
      return { event: 'answer', data: await this.shop.turn() };
    }

    @SubscribeMessage(`${scope}.acknowledged`)
    @Locked(NAME, { wait: 0 })
    async acknowledged(): Promise<string> {
      return this.shop.turn();
    }
  }
  return ShopGateway;
}

/** What arrives at a client that is told no more than the order of events. */
class Answers {
  private readonly waiting: ((answer: Answer) => void)[] = [];

  next(): Promise<Answer> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  take(answer: Answer): void {
    this.waiting.shift()?.(answer);
  }
}

type OpenedIo = Opened & { socket: Socket };

async function openSocketIo(): Promise<OpenedIo> {
  const { module, logged } = await build({ providers: EACH_SCOPE.map(gateway) });
  const app = module.createNestApplication();
  app.useWebSocketAdapter(new IoAdapter(app));
  const url = await listen(app);
  const socket = io(url, { transports: ['websocket'], forceNew: true });
  await new Promise<void>((resolve) => socket.on('connect', resolve));
  const answers = new Answers();
  socket.on('answer', (value: unknown) => answers.take({ value }));
  socket.on('exception', (refused: unknown) => answers.take({ refused }));
  const call: Opened['call'] = (scope, method) => {
    socket.emit(`${scope}.${method}`, { sku: 'book' });
    return answers.next();
  };
  const close = async (): Promise<void> => {
    socket.close();
    await app.close();
  };
  return { app, logged, socket, call, close };
}

async function openWs(): Promise<Opened> {
  const { module, logged } = await build({ providers: EACH_SCOPE.map(gateway) });
  const app = module.createNestApplication();
  app.useWebSocketAdapter(new WsAdapter(app));
  const url = await listen(app);
  const socket = new WebSocket(url.replace('http', 'ws'));
  await once(socket, 'open');
  const answers = new Answers();
  socket.on('message', (text: Buffer) => {
    const { event, data } = JSON.parse(String(text)) as { event: string; data: unknown };
    answers.take(event === 'answer' ? { value: data } : { refused: data });
  });
  const call: Opened['call'] = (scope, method) => {
    socket.send(JSON.stringify({ event: `${scope}.${method}`, data: { sku: 'book' } }));
    return answers.next();
  };
  const close = async (): Promise<void> => {
    socket.close();
    await app.close();
  };
  return { app, logged, call, close };
}

@ObjectType()
class Item {
  @Field(() => ID)
  id!: string;
}

function resolver(scope: ScopeName): Type {
  @Resolver(() => Item)
  @Injectable({ scope: SCOPES[scope] })
  class ShopResolver {
    constructor(readonly shop: Shop) {}

    @Query(() => String, { name: `${scope}Turn` })
    @Locked(NAME)
    async turn(): Promise<string> {
      return this.shop.turn();
    }

    @Locked(NAME, { wait: 0 })
    @Mutation(() => String, { name: `${scope}Once` })
    async once(): Promise<string> {
      return this.shop.turn();
    }

    @Query(() => [Item], { name: `${scope}Items` })
    items(): Item[] {
      return ['a', 'b', 'c'].map((id) => ({ id }));
    }

    @ResolveField(() => String, { name: `${scope}Stock`, nullable: true })
    @Locked(NAME)
    async stock(@Parent() { id }: Item): Promise<string> {
      return `${id} ${await this.shop.turn()}`;
    }

    @Locked((item: Item) => `stock:${item.id}`, { wait: 0 })
    @ResolveField(() => String, { name: `${scope}Left`, nullable: true })
    async left(@Parent() { id }: Item): Promise<string> {
      return id;
    }
  }
  return ShopResolver;
}

interface GraphqlAnswer {
  readonly data?: Record<string, unknown> | null;
  readonly errors?: { message: string; path: unknown[]; extensions: Record<string, unknown> }[];
}
type OpenedGraphql = Opened & { ask(query: string): Promise<GraphqlAnswer> };

async function openGraphql(options: Partial<ApolloDriverConfig> = {}): Promise<OpenedGraphql> {
  const graphql = GraphQLModule.forRoot<ApolloDriverConfig>({
    driver: ApolloDriver,
    autoSchemaFile: true,
    graphiql: false,
    ...options,
  });
  const { module, logged } = await build({ imports: [graphql], providers: EACH_SCOPE.map(resolver) });
  const app = module.createNestApplication();
  const url = await listen(app);
  const ask = async (query: string): Promise<GraphqlAnswer> => {
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', connection: 'close' },
      body: JSON.stringify({ query }),
    });
    return (await response.json()) as GraphqlAnswer;
  };
  const call: Opened['call'] = async (scope, method) => {
    const field = `${scope}${method === 'turn' ? 'Turn' : 'Once'}`;
    const { data, errors } = await ask(method === 'turn' ? `{ ${field} }` : `mutation { ${field} }`);
    return errors ? { refused: errors[0] } : { value: data?.[field] };
  };
  return { app, logged, call, ask, close: () => app.close() };
}

let redis: RunningRedis;
const openRedis = (): Promise<OpenedRpc> => {
  const { hostname: host, port } = new URL(redis.url);
  return openMicroservice({ transport: Transport.REDIS, options: { host, port: Number(port) } });
};

const HTTP = { statusCode: 423, ...BUSY, retryAfter: 1, retryHeader: '1' };
const GRAPHQL = { message: BUSY.message, extensions: { code: 'LOCK_BUSY', retryAfter: 1 } };
const caused = (scope: ScopeName) => ({
  ...BUSY_MESSAGE,
  cause: { pattern: `${scope}.once`, data: { sku: 'book' } },
});

/** Each transport, and what its client reads of a busy lock. */
const TRANSPORTS: [string, () => Promise<Opened>, (scope: ScopeName) => object][] = [
  ['HTTP on Express', () => openHttp(), () => HTTP],
  ['HTTP on Fastify', () => openHttp(new FastifyAdapter()), () => HTTP],
  ['GraphQL', () => openGraphql(), () => GRAPHQL],
  ['a TCP microservice', async () => openMicroservice(await tcp()), () => BUSY_MESSAGE],
  ['a hybrid application with inheritAppConfig', () => openHybrid(true), () => BUSY_MESSAGE],
  [
    'a hybrid application without inheritAppConfig',
    () => openHybrid(false),
    () => ({ status: 'error', message: 'Internal server error' }),
  ],
  ['a gateway on socket.io', openSocketIo, caused],
  ['a gateway on ws', openWs, caused],
  ...(HAS_REAL_REDIS
    ? [
        ['a Redis microservice', openRedis, () => BUSY_MESSAGE] as [
          string,
          () => Promise<Opened>,
          () => object,
        ],
      ]
    : []),
];

beforeAll(async () => {
  if (HAS_REAL_REDIS) redis = await startRedis({ emulated: false });
});
afterAll(() => redis?.stop());

describe.each(TRANSPORTS)('over %s', (_transport, open, busy) => {
  let opened: Opened;
  beforeAll(async () => {
    opened = await open();
  });
  afterAll(() => opened.close());

  it.each(EACH_SCOPE)('a promise holds its lock until it resolves, in the scope %s', async (scope) => {
    const { door } = opened.app.get(Shop);
    door.most = 0;
    const answers = await Promise.all([1, 2, 3].map(() => opened.call(scope, 'turn')));
    expect(answers).toEqual(Array(3).fill({ value: NAME }));
    expect(door.most).toBe(1);
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

  it.each(EACH_SCOPE)('a busy lock is answered as the transport does it, in the scope %s', async (scope) => {
    await using lease = await opened.app.get(LockService).acquire(NAME);
    const answer = await opened.call(scope, 'once');
    expect(answer).toEqual({ refused: expect.objectContaining(busy(scope)) });
    await lease.release();
    expect(await opened.call(scope, 'once')).toEqual({ value: NAME });
  });
});

describe('an event of a microservice', () => {
  it.each(EACH_SCOPE)(
    'that finds its lock busy is logged and not handled, in the scope %s',
    async (scope) => {
      const { app, logged, client, close } = await openMicroservice(await tcp());
      const { heard } = app.get(Shop);
      await using lease = await app.get(LockService).acquire(NAME);
      await firstValueFrom(client.emit(`${scope}.event`, 'lost'), { defaultValue: undefined });
      await until('the refusal is logged', () => logged.about(NAME).length > 0);
      expect(logged.about(NAME)).toEqual([expect.stringMatching(/^log .*account:7/)]);
      await lease.release();
      await firstValueFrom(client.emit(`${scope}.event`, 'heard'), { defaultValue: undefined });
      await until('an event is handled', () => heard.length > 0);
      expect(heard).toEqual([`heard: ${NAME}`]);
      await close();
    },
  );
});

describe('a message with an acknowledgement', () => {
  it.each(EACH_SCOPE)('gets it, be the lock free or busy, in the scope %s', async (scope) => {
    const { app, socket, close } = await openSocketIo();
    const ask = (): Promise<unknown> => socket.timeout(4_000).emitWithAck(`${scope}.acknowledged`, {});
    await using lease = await app.get(LockService).acquire(NAME);
    const events: unknown[] = [];
    socket.on('exception', (payload) => events.push(payload));
    expect(await ask()).toEqual(BUSY_MESSAGE);
    expect(events).toEqual([{ ...BUSY_MESSAGE, cause: { pattern: `${scope}.acknowledged`, data: {} } }]);
    await lease.release();
    expect(await ask()).toBe(NAME);
    await close();
  });
});

describe('field resolvers of GraphQL', () => {
  let opened: OpenedGraphql;
  beforeAll(async () => {
    opened = await openGraphql();
  });
  afterAll(() => opened.close());

  it.each(EACH_SCOPE)('that run in parallel take turns, in the scope %s', async (scope) => {
    const { door } = opened.app.get(Shop);
    door.most = 0;
    const { data } = await opened.ask(`{ ${scope}Items { ${scope}Stock } }`);
    expect(data).toEqual({
      [`${scope}Items`]: ['a', 'b', 'c'].map((id) => ({ [`${scope}Stock`]: `${id} ${NAME}` })),
    });
    expect(door.most).toBe(1);
  });

  it('that find a lock busy are logged once', async () => {
    await using _lease = await opened.app.get(LockService).acquire('stock:b');
    await opened.ask('{ singletonItems { singletonLeft } }');
    expect(opened.logged.about('stock:b')).toHaveLength(1);
  });

  it.each(EACH_SCOPE)('that find a lock busy fail alone and tell no name, in the scope %s', async (scope) => {
    await using _lease = await opened.app.get(LockService).acquire('stock:b');
    const { data, errors } = await opened.ask(`{ ${scope}Items { ${scope}Left } }`);
    expect(data).toEqual({
      [`${scope}Items`]: ['a', null, 'c'].map((left) => ({ [`${scope}Left`]: left })),
    });
    expect(errors).toEqual([
      { ...GRAPHQL, path: [`${scope}Items`, 1, `${scope}Left`], locations: expect.anything() },
    ]);
  });
});
