import { type ArgumentsHost, Catch, type ExceptionFilter, Injectable, UseFilters } from '@nestjs/common';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { GraphQLModule, Query, Resolver } from '@nestjs/graphql';
import { Ack, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { Test } from '@nestjs/testing';
import type { AddressInfo } from 'node:net';
import { GraphQLError } from 'graphql';
import { io } from 'socket.io-client';
import {
  DistributedLockModule,
  type DistributedLockOptions,
  LockError,
  LockExceptionFilter,
  lockErrorBody,
  LockService,
} from '../../lib/index.js';

@Catch()
class Everything implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    const body = LockError.is(error) ? lockErrorBody(error) : undefined;
    host.getArgByIndex<(answer: unknown) => void>(2)({ own: body?.code });
  }
}

@WebSocketGateway()
class Plain {
  constructor(readonly locks: LockService) {}

  @SubscribeMessage('plain')
  async plain(): Promise<void> {
    await this.locks.acquire('busy', { wait: 0 });
  }

  @SubscribeMessage('method')
  @UseFilters(Everything)
  async method(): Promise<void> {
    await this.locks.acquire('busy', { wait: 0 });
  }

  /** Acknowledges itself before it fails. */
  @SubscribeMessage('early')
  async early(@Ack() acknowledge: (answer: unknown) => void): Promise<void> {
    acknowledge('early');
    await this.locks.acquire('busy', { wait: 0 });
  }
}

@WebSocketGateway()
@UseFilters(Everything)
class Own {
  constructor(readonly locks: LockService) {}

  @SubscribeMessage('class')
  async work(): Promise<void> {
    await this.locks.acquire('busy', { wait: 0 });
  }
}

@WebSocketGateway()
@UseFilters(LockExceptionFilter)
class Bound {
  constructor(readonly locks: LockService) {}

  @SubscribeMessage('bound')
  async work(): Promise<void> {
    await this.locks.acquire('busy', { wait: 0 });
  }
}

async function openGateways(options: DistributedLockOptions) {
  const module = await Test.createTestingModule({
    imports: [DistributedLockModule.forRoot({ redis: 'memory', ...options })],
    providers: [Plain, Own, Bound],
  }).compile();
  const app = module.createNestApplication({ logger: false });
  app.useWebSocketAdapter(new IoAdapter(app));
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  const socket = io(`http://127.0.0.1:${port}`, { transports: ['websocket'], forceNew: true });
  const lease = await app.get(LockService).acquire('busy');
  return {
    ask: (event: string, timeout = 2_000): Promise<unknown> => socket.timeout(timeout).emitWithAck(event, {}),
    async [Symbol.asyncDispose]() {
      socket.close();
      await lease.release();
      await app.close();
    },
  };
}

describe('a gateway', () => {
  it('answers a busy lock by its own filters if it has any, and otherwise by ours', async () => {
    await using gateways = await openGateways({});
    expect(await gateways.ask('plain')).toMatchObject({ status: 'error', code: 'LOCK_BUSY' });
    expect(await gateways.ask('method')).toEqual({ own: 'LOCK_BUSY' });
    expect(await gateways.ask('class')).toEqual({ own: 'LOCK_BUSY' });
    expect(await gateways.ask('bound')).toMatchObject({ status: 'error', code: 'LOCK_BUSY' });
    expect(await gateways.ask('early')).toBe('early');
  });

  it('has our filter with the status of the options, in each of several applications', async () => {
    await using first = await openGateways({ filter: { busyStatus: 429 } });
    await using second = await openGateways({ filter: { busyStatus: 409 } });
    expect(await first.ask('plain')).toMatchObject({ statusCode: 429 });
    expect(await second.ask('plain')).toMatchObject({ statusCode: 409 });
    expect(await second.ask('bound')).toMatchObject({ statusCode: 409 });
  });

  it('has no filter of ours with filter: false, whatever other applications of the process have', async () => {
    await using on = await openGateways({ filter: { busyStatus: 429 } });
    await using off = await openGateways({ filter: false });
    await using again = await openGateways({});
    expect(await on.ask('plain')).toMatchObject({ statusCode: 429 });
    await expect(off.ask('plain', 200)).rejects.toThrow('timed out'); // as NestJS leaves it
    expect(await off.ask('method')).toEqual({ own: 'LOCK_BUSY' });
    expect(await off.ask('bound')).toMatchObject({ code: 'LOCK_BUSY' });
    expect(await again.ask('plain')).toMatchObject({ statusCode: 423 });
  });
});

@Resolver()
@Injectable()
class Books {
  constructor(readonly locks: LockService) {}

  @Query(() => String)
  async book(): Promise<string> {
    await this.locks.acquire('secret', { wait: 0 });
    return 'book';
  }
}

describe('GraphQL', () => {
  const told: string[] = [];
  const originals: unknown[] = [];
  const formatError: NonNullable<ApolloDriverConfig['formatError']> = (formatted, error) => {
    told.push(JSON.stringify(formatted));
    originals.push((error as GraphQLError).originalError);
    return { ...formatted, message: `formatted: ${formatted.message}` };
  };

  it.each([true, false])('tells no name to clients or formatError, with filter: %s', async (filter) => {
    const graphql = GraphQLModule.forRoot<ApolloDriverConfig>({
      driver: ApolloDriver,
      autoSchemaFile: true,
      graphiql: false,
      includeStacktraceInErrorResponses: true,
      formatError,
    });
    const module = await Test.createTestingModule({
      imports: [graphql, DistributedLockModule.forRoot({ redis: 'memory', filter })],
      providers: [Books],
    }).compile();
    const app = module.createNestApplication({ logger: false });
    await app.listen(0, '127.0.0.1');
    const { port } = app.getHttpServer().address() as AddressInfo;
    const lease = await app.get(LockService).acquire('secret');
    const answer = await fetch(`http://127.0.0.1:${port}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', connection: 'close' },
      body: JSON.stringify({ query: '{ book }' }),
    });
    const { errors } = (await answer.json()) as { errors: { message: string; extensions: object }[] };
    expect(errors).toEqual([
      expect.objectContaining({
        message: 'formatted: The resource is locked, try again later',
        extensions: expect.objectContaining({ code: 'LOCK_BUSY', retryAfter: 1 }),
      }),
    ]);
    // Some servers, such as GraphQL Yoga, show errors of this class only.
    const [original] = originals.splice(0) as GraphQLError[];
    expect(original).toBeInstanceOf(GraphQLError);
    expect(original?.originalError).toBeUndefined();
    expect(original?.cause).toMatchObject({ code: 'LOCK_BUSY', lockName: 'secret' });
    expect([JSON.stringify(errors), ...told].join()).not.toMatch(new RegExp(`secret|${process.pid}`));
    await lease.release(); // otherwise the shutdown waits for it
    await app.close();
  });
});
