import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import {
  Field,
  GraphQLModule,
  Int,
  ObjectType,
  Query,
  ResolveField,
  Resolver,
  Subscription,
} from '@nestjs/graphql';
import { Test } from '@nestjs/testing';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { DistributedLockModule, Locked, LockService } from '../../lib/index.js';

@ObjectType()
class Price {
  @Field(() => Int)
  amount!: number;
}

const itself = (price: Price): Price => price;

@Resolver(() => Price)
class Prices {
  constructor(readonly locks: LockService) {}

  @Query(() => Price)
  price(): Price {
    return { amount: 1 };
  }

  @Subscription(() => Price, { resolve: itself })
  async *open(): AsyncGenerator<Price> {
    yield { amount: 1 };
    yield { amount: 2 };
  }

  @Subscription(() => Price, { resolve: itself })
  @Locked('secret', { wait: 0 })
  async *locked(): AsyncGenerator<Price> {
    yield { amount: 1 };
  }

  @Subscription(() => Price, { resolve: itself })
  @Locked('secret', { wait: 0 })
  async *endless(): AsyncGenerator<Price> {
    for (let amount = 1; ; amount += 1) {
      yield { amount };
      await setTimeout(5);
    }
  }

  @Subscription(() => Price, { resolve: itself })
  async *later(): AsyncGenerator<Price> {
    yield { amount: 1 };
    await this.note();
  }

  @Subscription(() => Price, { resolve: itself })
  @Locked('secret', { wait: 0 })
  async refused(): Promise<never> {
    throw new Error('runs without its lock');
  }

  @ResolveField(() => String, { nullable: true })
  @Locked('secret', { wait: 0 })
  async note(): Promise<string> {
    return 'noted';
  }

  @ResolveField(() => [String], { nullable: 'itemsAndList' })
  notes(): (Promise<string> | string)[] {
    return ['free', this.note()];
  }

  @ResolveField(() => String, { nullable: true })
  returned(): Promise<unknown> {
    return this.note().catch((error: unknown) => error);
  }

  @ResolveField(() => String, { nullable: true })
  broken(): string {
    throw new Error('its own error');
  }
}

interface Message {
  readonly type: string;
  readonly payload?: unknown;
}

async function open() {
  const graphql = GraphQLModule.forRoot<ApolloDriverConfig>({
    driver: ApolloDriver,
    autoSchemaFile: true,
    graphiql: false,
    subscriptions: { 'graphql-ws': true },
  });
  const module = await Test.createTestingModule({
    imports: [graphql, DistributedLockModule.forRoot({ redis: 'memory', shutdownGrace: 0 })],
    providers: [Prices],
  }).compile();
  const app = module.createNestApplication({ logger: false });
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  const path = `127.0.0.1:${port}/graphql`;
  return {
    locks: app.get(LockService),
    /** What a client gets over graphql-ws until its subscription ends, or until it leaves after so many events. */
    async heard(query: string, most = Infinity): Promise<Message[]> {
      const socket = new WebSocket(`ws://${path}`, 'graphql-transport-ws');
      const messages: Message[] = [];
      socket.on('open', () => socket.send('{"type":"connection_init"}'));
      socket.on('message', (data: Buffer) => {
        const { type, payload } = JSON.parse(data.toString()) as Message;
        if (type === 'connection_ack')
          socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }));
        else messages.push({ type, payload });
        if (type === 'complete' || type === 'error' || messages.length >= most) socket.close();
      });
      const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
      if (code !== 1005) messages.push({ type: `closed ${code}`, payload: reason.toString() });
      return messages;
    },
    async asked(query: string): Promise<unknown> {
      const answer = await fetch(`http://${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', connection: 'close' },
        body: JSON.stringify({ query }),
      });
      return answer.json();
    },
    [Symbol.asyncDispose]: () => app.close(),
  };
}

const REFUSED = expect.objectContaining({
  message: 'The resource is locked, try again later',
  extensions: expect.objectContaining({ code: 'LOCK_BUSY', retryAfter: 1 }),
});

describe('a GraphQL subscription tells a busy lock by the fixed message and its code', () => {
  const held = async (query: string): Promise<Message[]> => {
    await using graphql = await open();
    await using _lease = await graphql.locks.acquire('secret');
    const messages = await graphql.heard(query);
    expect(JSON.stringify(messages)).not.toMatch(new RegExp(`secret|${process.pid}`));
    return messages;
  };

  it('from the first step of its generator', async () => {
    expect(await held('subscription { locked { amount } }')).toEqual([{ type: 'error', payload: [REFUSED] }]);
  });

  it('from a later step of its generator', async () => {
    expect(await held('subscription { later { amount } }')).toEqual([
      { type: 'next', payload: { data: { later: { amount: 1 } } } },
      { type: 'error', payload: [REFUSED] },
    ]);
  });

  it('from the method that should return the generator', async () => {
    const [message] = await held('subscription { refused { amount } }');
    expect(JSON.stringify(message)).toContain('LOCK_BUSY');
  });

  it.each(['note', 'returned', 'notes'])('from a field resolver below it: %s', async (field) => {
    const [message] = await held(`subscription { open { amount ${field} } }`);
    expect(message).toMatchObject({ type: 'next', payload: { errors: [REFUSED] } });
  });
});

describe('a GraphQL subscription', () => {
  it('gets what its generator and its fields give when the lock is free', async () => {
    await using graphql = await open();
    expect(await graphql.heard('subscription { locked { amount } }')).toEqual([
      { type: 'next', payload: { data: { locked: { amount: 1 } } } },
      { type: 'complete' },
    ]);
    expect((await graphql.heard('subscription { open { notes } }'))[1]).toEqual({
      type: 'next',
      payload: { data: { open: { notes: ['free', 'noted'] } } },
    });
  });

  it('gets errors of the application as they are, and so does a query', async () => {
    await using graphql = await open();
    const own = [expect.objectContaining({ message: 'its own error' })];
    const [message] = await graphql.heard('subscription { open { broken } }');
    expect(message).toMatchObject({ payload: { errors: own } });
    expect(await graphql.asked('{ price { broken } }')).toMatchObject({ errors: own });
  });

  it('releases its lock when the client leaves', async () => {
    await using graphql = await open();
    expect(await graphql.heard('subscription { endless { amount } }', 2)).toHaveLength(2);
    await using lease = await graphql.locks.acquire('secret', { wait: '2s' });
    expect(lease.held).toBe(true);
  });
});

describe('a query', () => {
  it.each(['note', 'returned', 'notes'])('is told the same of a field resolver: %s', async (field) => {
    await using graphql = await open();
    await using _lease = await graphql.locks.acquire('secret');
    const answer = await graphql.asked(`{ price { amount ${field} } }`);
    expect(answer).toMatchObject({ data: { price: { amount: 1 } }, errors: [REFUSED] });
    expect(JSON.stringify(answer)).not.toMatch(new RegExp(`secret|${process.pid}`));
  });
});
