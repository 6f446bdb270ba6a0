import { Controller, UseInterceptors } from '@nestjs/common';
import { type ClientGrpc, ClientProxyFactory, GrpcMethod, Transport } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { join } from 'node:path';
import { firstValueFrom, type Observable, of } from 'rxjs';
import {
  DistributedLockModule,
  LockBusyError,
  Locked,
  LockInterceptor,
  LockLostError,
  LockService,
  LockStoreError,
  LockUsageError,
} from '../../lib/index.js';
import { freePort } from '../../tools/free-port.js';
import { failureOf } from '../support/eventually.js';

const SECRET = "The lock 'secret' is held by db-host-9:1234.";
const FAILURES: Record<string, Error> = {
  closed: new LockBusyError(SECRET, 'secret', { reason: 'closed', waited: 0 }),
  lost: new LockLostError(SECRET, 'secret', { reason: 'expired', fence: 1, heldFor: 2 }),
  store: new LockStoreError(SECRET, 'secret'),
  usage: new LockUsageError(SECRET, 'secret'),
};

interface Item {
  readonly failure?: string;
}
interface StockClient {
  reserve(item: Item): Observable<unknown>;
  watch(item: Item): Observable<unknown>;
}

@Controller()
class Stock {
  @GrpcMethod('Stock', 'Reserve')
  @Locked('secret', { wait: 0 })
  async reserve({ failure = '' }: Item): Promise<unknown> {
    if (failure !== '') throw FAILURES[failure]!;
    return { by: 'us' };
  }

  @GrpcMethod('Stock', 'Watch')
  @UseInterceptors(LockInterceptor('secret', { wait: 0 }))
  watch(): Observable<unknown> {
    return of({ by: 'us' });
  }
}

async function open() {
  const options = {
    package: 'stock',
    protoPath: join(import.meta.dirname, '../support/stock.proto'),
    url: `127.0.0.1:${await freePort()}`,
  };
  const module = await Test.createTestingModule({
    imports: [DistributedLockModule.forRoot({ redis: 'memory', shutdownGrace: 0 })],
    controllers: [Stock],
  })
    .setLogger({ log: () => undefined, warn: () => undefined, error: () => undefined })
    .compile();
  const app = module.createNestMicroservice({ transport: Transport.GRPC, options });
  await app.listen();
  const client = ClientProxyFactory.create({
    transport: Transport.GRPC,
    options,
  }) as unknown as ClientGrpc & {
    close(): void;
  };
  return {
    locks: app.get(LockService),
    stock: client.getService<StockClient>('Stock'),
    async [Symbol.asyncDispose]() {
      client.close();
      await app.close();
    },
  };
}

const ABORTED = 10;
const INTERNAL = 13;
const UNAVAILABLE = 14;

describe('a gRPC client', () => {
  it.each(['reserve', 'watch'] as const)('is told ABORTED of a busy lock: %s', async (method) => {
    await using grpc = await open();
    expect(await firstValueFrom(grpc.stock[method]({}))).toEqual({ by: 'us' });
    await using _lease = await grpc.locks.acquire('secret');
    const error = await failureOf<Error>(firstValueFrom(grpc.stock[method]({})));
    expect(error).toMatchObject({ code: ABORTED, details: 'The resource is locked, try again later' });
    expect(error.message).not.toContain('secret');
  });

  it('is told by the code what other failures mean for it, and no names', async () => {
    await using grpc = await open();
    const told = async (failure: string): Promise<unknown[]> => {
      const error = await failureOf<Error & { code: number; details: string }>(
        firstValueFrom(grpc.stock.reserve({ failure })),
      );
      return [failure, error.code, error.details];
    };
    expect([await told('closed'), await told('lost'), await told('store'), await told('usage')]).toEqual([
      ['closed', UNAVAILABLE, 'The service is shutting down'],
      ['lost', ABORTED, 'The lock was lost while the request was processed'],
      ['store', UNAVAILABLE, 'The lock service is unavailable'],
      ['usage', INTERNAL, 'Internal server error'],
    ]);
  });
});
