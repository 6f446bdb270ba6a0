import {
  type CanActivate,
  Controller,
  Get,
  type INestApplication,
  type DynamicModule,
  type INestApplicationContext,
  Injectable,
  Scope,
  type Type,
  UseGuards,
  UseInterceptors,
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
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { defer, firstValueFrom, map, type Observable } from 'rxjs';
import { io, type Socket } from 'socket.io-client';
import { WebSocket } from 'ws';
import { Locked, LockInterceptor, LockService } from 'nestjs-distributed-lock';
import { freePort } from '../../tools/free-port.js';
import { Door } from './door.js';
import { LoggedLines } from './logged-lines.js';

/** The lock that all handlers take. */
export const NAME = 'account:7';

/** Every class that Nest makes for these tests shares the door of its application. */
@Injectable()
export class Shop {
  readonly door = new Door();
  readonly heard: string[] = [];
  guarded = 0;

  constructor(readonly locks: LockService) {}

  async turn(): Promise<string> {
    return await this.door.pass(this.locks.current()?.names.join() ?? 'not locked');
  }
}

@Injectable()
class CountingGuard implements CanActivate {
  constructor(readonly shop: Shop) {}

  canActivate(): boolean {
    return ++this.shop.guarded > 0;
  }
}

const SCOPES = { singleton: Scope.DEFAULT, request: Scope.REQUEST } as const;
export type ScopeName = keyof typeof SCOPES;
export const EACH_SCOPE = Object.keys(SCOPES) as ScopeName[];

/** What a client of a transport got: a value, or the whole answer that tells of an error. */
export type Answer = { readonly value: unknown } | { readonly refused: unknown };

/** An application that answers over one transport, and its client. */
export interface Opened {
  readonly app: INestApplicationContext;
  readonly logged: LoggedLines;
  /** Calls `turn`, which waits for the lock, or `once`, which does not; microservices and gateways also have `stream`. */
  call(scope: ScopeName, method: 'turn' | 'once' | 'stream'): Promise<Answer>;
  close(): Promise<void>;
}

const { version } = createRequire(join(process.cwd(), 'any.js'))('@nestjs/core/package.json') as {
  version: string;
};
/** Nest makes gateways for each request from version 12 on. */
export const GATEWAY_SCOPES = Number.parseInt(version) >= 12 ? EACH_SCOPE : EACH_SCOPE.slice(0, 1);

interface Handlers {
  /** The module of the locks: in memory, or over a Redis. */
  readonly locks: DynamicModule;
  readonly controllers?: Type[];
  readonly providers?: Type[];
  readonly imports?: unknown[];
}

async function build({ locks, controllers = [], providers = [], imports = [] }: Handlers) {
  const logged = new LoggedLines();
  const module = await Test.createTestingModule({
    imports: [locks, ...(imports as [])],
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

    @UseGuards(CountingGuard)
    @Get('turn')
    @Locked(NAME)
    async turn(): Promise<string> {
      return this.shop.turn();
    }

    @Locked(NAME, { wait: 0 })
    @UseGuards(CountingGuard)
    @Get('once')
    async once(): Promise<string> {
      return this.shop.turn();
    }
  }
  return HttpShop;
}

async function openHttp(locks: DynamicModule, adapter?: FastifyAdapter): Promise<Opened> {
  const { module, logged } = await build({ locks, controllers: EACH_SCOPE.map(httpShop) });
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

    @UseGuards(CountingGuard)
    @MessagePattern(`${scope}.turn`)
    @Locked(NAME)
    async turn(): Promise<string> {
      return this.shop.turn();
    }

    @Locked(NAME, { wait: 0 })
    @UseGuards(CountingGuard)
    @MessagePattern(`${scope}.once`)
    async once(): Promise<string> {
      return this.shop.turn();
    }

    @MessagePattern(`${scope}.stream`)
    @UseInterceptors(LockInterceptor(NAME))
    stream(): Observable<string> {
      return defer(() => this.shop.turn());
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

export type OpenedRpc = Opened & { client: ClientProxy };

async function openMicroservice(locks: DynamicModule, options: MicroserviceOptions): Promise<OpenedRpc> {
  const { module, logged } = await build({ locks, controllers: EACH_SCOPE.map(rpcShop) });
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

async function openHybrid(locks: DynamicModule, inheritAppConfig: boolean): Promise<OpenedRpc> {
  const { module, logged } = await build({ locks, controllers: EACH_SCOPE.map(rpcShop) });
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

    @UseGuards(CountingGuard)
    @SubscribeMessage(`${scope}.turn`)
    @Locked(NAME)
    async turn(): Promise<unknown> {
      return { event: 'answer', data: await this.shop.turn() };
    }

    @Locked(NAME, { wait: 0 })
    @UseGuards(CountingGuard)
    @SubscribeMessage(`${scope}.once`)
    async once(): Promise<unknown> {
      return { event: 'answer', data: await this.shop.turn() };
    }

    @SubscribeMessage(`${scope}.stream`)
    @UseInterceptors(LockInterceptor(NAME))
    stream(): Observable<unknown> {
      return defer(() => this.shop.turn()).pipe(map((data) => ({ event: 'answer', data })));
    }

    @SubscribeMessage(`${scope}.held`)
    @UseInterceptors(LockInterceptor(NAME))
    async held(): Promise<string> {
      return this.shop.turn();
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

export type OpenedIo = Opened & { socket: Socket };

export async function openSocketIo(locks: DynamicModule): Promise<OpenedIo> {
  const { module, logged } = await build({ locks, providers: GATEWAY_SCOPES.map(gateway) });
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

async function openWs(locks: DynamicModule): Promise<Opened> {
  const { module, logged } = await build({ locks, providers: GATEWAY_SCOPES.map(gateway) });
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

function resolver(scope: ScopeName): Type {
  @ObjectType(`${scope}Item`)
  class Item {
    @Field(() => ID)
    id!: string;
  }

  @Resolver(() => Item)
  @Injectable({ scope: SCOPES[scope] })
  class ShopResolver {
    constructor(readonly shop: Shop) {}

    @UseGuards(CountingGuard)
    @Query(() => String, { name: `${scope}Turn` })
    @Locked(NAME)
    async turn(): Promise<string> {
      return this.shop.turn();
    }

    @Locked(NAME, { wait: 0 })
    @UseGuards(CountingGuard)
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
export type OpenedGraphql = Opened & { ask(query: string): Promise<GraphqlAnswer> };

export async function openGraphql(
  locks: DynamicModule,
  options: Partial<ApolloDriverConfig> = {},
): Promise<OpenedGraphql> {
  const graphql = GraphQLModule.forRoot<ApolloDriverConfig>({
    driver: ApolloDriver,
    autoSchemaFile: true,
    graphiql: false,
    ...options,
  });
  const { module, logged } = await build({ locks, imports: [graphql], providers: EACH_SCOPE.map(resolver) });
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

export const openTcp = async (locks: DynamicModule): Promise<OpenedRpc> =>
  openMicroservice(locks, await tcp());

export function openRedis(locks: DynamicModule, url: string): Promise<OpenedRpc> {
  const { hostname: host, port } = new URL(url);
  return openMicroservice(locks, { transport: Transport.REDIS, options: { host, port: Number(port) } });
}

/** All transports whose handlers answer; `redis` is the URL of a server for the transport over it. */
export const TRANSPORTS = {
  'HTTP on Express': (locks) => openHttp(locks),
  'HTTP on Fastify': (locks) => openHttp(locks, new FastifyAdapter()),
  GraphQL: (locks) => openGraphql(locks),
  'a TCP microservice': openTcp,
  'a Redis microservice': openRedis,
  'a hybrid application with inheritAppConfig': (locks) => openHybrid(locks, true),
  'a hybrid application without inheritAppConfig': (locks) => openHybrid(locks, false),
  'a gateway on socket.io': openSocketIo,
  'a gateway on ws': openWs,
} as const satisfies Record<string, (locks: DynamicModule, redis: string) => Promise<Opened>>;

export type TransportName = keyof typeof TRANSPORTS;

/** The scopes that the handlers of a transport may have. */
export const scopesOf = (transport: TransportName): readonly ScopeName[] =>
  transport.startsWith('a gateway') ? GATEWAY_SCOPES : EACH_SCOPE;
