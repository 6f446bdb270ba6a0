import {
  type CallHandler,
  Controller,
  type ExecutionContext,
  Get,
  type INestApplication,
  type NestInterceptor,
  Param,
  UseInterceptors,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { EventEmitter, once } from 'node:events';
import { request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EMPTY, from, lastValueFrom, type Observable, of, Subject, throwError, toArray } from 'rxjs';
import request from 'supertest';
import { Locked, LockInterceptor, lockName, LockService } from '../../lib/index.js';
import { DistributedLockTestingModule } from '../../lib/testing/index.js';
import { Door, errorOf, sleep } from '../support/door.js';

const door = new Door();
const ran: string[] = [];
const responses: EventEmitter[] = [];
const seen = (context: ExecutionContext): string => {
  responses.push(context.switchToHttp().getResponse<EventEmitter>());
  return key(context);
};
const entered = async (): Promise<EventEmitter> => {
  while (responses.length === 0) await sleep(1);
  return responses.shift()!;
};
const RPC = { getType: () => 'rpc' } as ExecutionContext;
const key = (context: ExecutionContext) =>
  lockName('cart', context.switchToHttp().getRequest<{ params: { id: string } }>().params.id);

@Controller('cart')
class CartController {
  constructor(readonly locks: LockService) {}

  @Get('promise/:id')
  @UseInterceptors(LockInterceptor(key))
  async promise(): Promise<unknown> {
    return door.pass(this.locks.current()?.names);
  }

  @Get('value/:id')
  @UseInterceptors(LockInterceptor(key))
  value(): unknown {
    return { names: this.locks.current()?.names };
  }

  @Get('nested/:id')
  @UseInterceptors(LockInterceptor(key))
  @Locked((id: string) => lockName('cart', id), { reentrant: true })
  async nested(@Param('id') _id: string): Promise<string> {
    return 'entered';
  }

  @Get('left/:id')
  @UseInterceptors(LockInterceptor(seen))
  left(): string {
    ran.push('left');
    return 'ran';
  }

  @Get('stays/:id')
  @UseInterceptors(LockInterceptor(seen, { leaveOnClose: false }))
  stays(): string {
    ran.push('stays');
    return 'ran';
  }

  @Get('skip/:id')
  @UseInterceptors(LockInterceptor(key, { onBusy: 'skip' }))
  skip(): string {
    return 'ran';
  }

  @Get('named/:id')
  @UseInterceptors(LockInterceptor(key, { locks: 'carts', wait: 0 }))
  async named(): Promise<string> {
    return door.pass('ran');
  }
}

let app: INestApplication;
let locks: LockService;
beforeAll(async () => {
  const module = await Test.createTestingModule({
    imports: [
      DistributedLockTestingModule.forRoot(),
      DistributedLockTestingModule.forRoot({ name: 'carts' }),
    ],
    controllers: [CartController],
  }).compile();
  app = module.createNestApplication({ logger: false });
  await app.init();
  locks = app.get(LockService);
});
afterAll(() => app.close());
afterEach(() => door.open());

const get = (path: string) => request(app.getHttpServer()).get(path);

describe('LockInterceptor', () => {
  it('lets one request at a time into a handler, which can read its lease', async () => {
    const answers = await Promise.all([1, 2, 3].map(() => get('/cart/promise/7').expect(200)));
    expect(answers.map(({ body }) => body)).toEqual([['cart:7'], ['cart:7'], ['cart:7']]);
    expect(door.most).toBe(1);
  });

  it('holds handlers that return a value', async () => {
    await get('/cart/value/7').expect(200, { names: ['cart:7'] });
  });

  it('is entered again by @Locked on the handler that asks for it', async () => {
    await get('/cart/nested/7').expect(200, 'entered');
  });

  it('skips with an empty answer when it says so', async () => {
    const lease = await locks.acquire('cart:7');
    await get('/cart/skip/7').expect(200, {});
    await lease.release();
    await get('/cart/skip/7').expect(200, 'ran');
  });

  it('locks with the registration that it names', async () => {
    const lease = await locks.acquire('cart:7');
    await get('/cart/named/7').expect(200, 'ran');
    await lease.release();
    door.closed = true;
    const first = get('/cart/named/7').then(({ text }) => text);
    await door.entered();
    await get('/cart/named/7').expect(423);
    door.open();
    expect(await first).toBe('ran');
  });
});

describe('a client that closes the connection', () => {
  it('takes its request out of the line, and its handler does not run', async () => {
    const server = (app.getHttpServer() as Server).listen(0);
    const { port } = server.address() as AddressInfo;
    const holder = await locks.acquire('cart:9');
    for (const path of ['left', 'stays']) {
      const client = httpRequest({ port, path: `/cart/${path}/9`, agent: false }).on(
        'error',
        () => undefined,
      );
      client.end();
      const response = await entered();
      const closed = once(response, 'close');
      client.destroy();
      await closed;
    }
    await holder.release();
    await (await locks.acquire('cart:9')).release(); // after whoever is still in line
    expect(ran).toEqual(['stays']);
    await new Promise((resolve) => server.close(resolve));
  });

  it.each([
    ['Express', (response: EventEmitter) => response],
    ['Fastify', (response: EventEmitter) => ({ raw: response })],
  ])('is noticed over %s, also before the interceptor, and leaves no listener behind', async (_, reply) => {
    const response = Object.assign(new EventEmitter(), { destroyed: false, writableEnded: false });
    const context = {
      getType: () => 'http',
      switchToHttp: () => ({ getResponse: () => reply(response) }),
    } as unknown as ExecutionContext;
    const ask = async () => {
      const interceptor = await app.get(ModuleRef).create<NestInterceptor>(LockInterceptor('asked'));
      return (await interceptor.intercept(context, { handle: () => of('ran') })) as Observable<unknown>;
    };
    expect(await lastValueFrom(await ask())).toBe('ran');
    expect(await locks.tryAcquire('asked')).toBeUndefined(); // its response was not sent yet
    response.emit('finish');
    expect([response.listenerCount('close'), response.listenerCount('finish')]).toEqual([0, 0]);

    const holder = await locks.acquire('asked');
    const refused = errorOf(lastValueFrom(await ask()));
    response.emit('close');
    expect(await refused).toMatchObject({
      reason: 'aborted',
      cause: expect.objectContaining({ message: expect.stringMatching(/client closed the connection/) }),
    });
    await holder.release();
    response.destroyed = true;
    expect(await errorOf(lastValueFrom(await ask()))).toMatchObject({ reason: 'aborted' });
    expect(response.listenerCount('close')).toBe(0);
  });

  it('is one reason to leave, the signal of the options is another', async () => {
    const leaving = new AbortController();
    const holder = await locks.acquire('asked');
    const interceptor = await app
      .get(ModuleRef)
      .create<NestInterceptor>(LockInterceptor('asked', { signal: () => leaving.signal }));
    const ask = async () =>
      errorOf(
        lastValueFrom((await interceptor.intercept(RPC, { handle: () => of('ran') })) as Observable<unknown>),
      );
    const refused = ask();
    leaving.abort();
    expect(await refused).toMatchObject({ reason: 'aborted' });
    expect(await ask()).toMatchObject({ reason: 'aborted' });
    await holder.release();
    expect(() => LockInterceptor('a', { leaveOnClose: 'no' as never })).toThrow(
      /leaveOnClose takes true or false; it was 'no'/,
    );
  });
});

describe('LockInterceptor over a stream', () => {
  async function intercept(stream: () => Observable<unknown>, names: string | string[] = 'stream') {
    const interceptor = await app
      .get(ModuleRef)
      .create<NestInterceptor>(LockInterceptor(names, { wait: '1s' }));
    const handler: CallHandler = { handle: stream };
    return (await interceptor.intercept(RPC, handler)) as Observable<unknown>;
  }
  const isFree = async (name: string): Promise<boolean> => {
    const lease = await locks.tryAcquire(name, { wait: 20 });
    await lease?.release();
    return lease !== undefined;
  };
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) await sleep(1);
  };

  it('passes values on as they come, and releases at its completion', async () => {
    const source = new Subject<number>();
    const seen: unknown[] = [];
    const done = lastValueFrom((await intercept(() => source)).pipe(toArray()));
    (await intercept(() => of(9), 'other')).subscribe((value) => seen.push(value));
    await until(() => source.observed && seen.length === 1);
    source.next(1);
    source.next(2);
    expect(await isFree('stream')).toBe(false);
    source.complete();
    expect(await done).toEqual([1, 2]);
    expect(await isFree('stream')).toBe(true);
  });

  it('locks nothing before somebody subscribes, and each subscription once', async () => {
    const stream = await intercept(() => of(1, 2));
    expect(await isFree('stream')).toBe(true);
    expect(await Promise.all([lastValueFrom(stream), lastValueFrom(stream)])).toEqual([2, 2]);
  });

  it('releases when the stream fails, and passes its error on', async () => {
    const error = new Error('broken');
    expect(await errorOf(lastValueFrom(await intercept(() => throwError(() => error))))).toBe(error);
    expect(await isFree('stream')).toBe(true);
  });

  it('ends the handler and then releases when the consumer unsubscribes', async () => {
    const source = new Subject<number>();
    const subscription = (await intercept(() => source)).subscribe();
    await until(() => source.observed);
    source.next(1);
    subscription.unsubscribe();
    expect(source.observed).toBe(false);
    await sleep(5);
    expect(await isFree('stream')).toBe(true);
  });

  it.each([
    ['resolves', () => undefined],
    ['rejects', () => Promise.reject(new Error('nobody hears it'))],
  ])('keeps the lock for a promise whose consumer has unsubscribed, until it %s', async (_, outcome) => {
    door.closed = true;
    const work = async () => (await door.pass(1), outcome());
    const subscription = (await intercept(() => from(work()))).subscribe();
    await door.entered();
    subscription.unsubscribe();
    expect(await isFree('stream')).toBe(false);
    door.open();
    await (await locks.acquire('stream', { wait: 1_000 })).release();
  });

  it('ends an Observable that was quiet when its consumer unsubscribed, at its first value', async () => {
    const source = new Subject<number>();
    const subscription = (await intercept(() => source)).subscribe();
    await until(() => source.observed);
    subscription.unsubscribe();
    await sleep(5);
    expect([source.observed, await isFree('stream')]).toEqual([true, false]);
    source.next(1);
    await sleep(5);
    expect([source.observed, await isFree('stream')]).toEqual([false, true]);
  });

  it('leaves the queue when the consumer unsubscribes while it waits', async () => {
    const lease = await locks.acquire('stream');
    let handled = 0;
    const subscription = (await intercept(() => (handled++, of(1)))).subscribe();
    await sleep(5);
    subscription.unsubscribe();
    await lease.release();
    await sleep(5);
    expect(handled).toBe(0);
    expect(await isFree('stream')).toBe(true);
  });

  it('aborts the wait of a consumer that unsubscribes', () => {
    let signal: AbortSignal | undefined;
    const using = (_name: string, _work: unknown, options: { signal: AbortSignal }): Promise<void> => {
      ({ signal } = options);
      return new Promise(() => undefined);
    };
    const interceptor = new (LockInterceptor('stream') as new (locks: unknown) => NestInterceptor)({ using });
    const stream = interceptor.intercept(RPC, {
      handle: () => of(1),
    }) as Observable<unknown>;
    const subscription = stream.subscribe();
    expect(signal?.aborted).toBe(false);
    subscription.unsubscribe();
    expect(signal?.aborted).toBe(true);
  });

  it('completes without a value when the stream has none', async () => {
    expect(await lastValueFrom((await intercept(() => EMPTY)).pipe(toArray()))).toEqual([]);
  });

  it('refuses names that cannot be locked, constant ones at once', async () => {
    expect(() => LockInterceptor([])).toThrow(/empty array/);
    expect(() => LockInterceptor('a', { ttl: 1 })).toThrow(/LockInterceptor: The option ttl/);
    const interceptor = await app
      .get(ModuleRef)
      .create<NestInterceptor>(LockInterceptor(() => 'a:undefined'));
    const stream = (await interceptor.intercept(RPC, {
      handle: () => of(1),
    })) as Observable<unknown>;
    expect(await errorOf(lastValueFrom(stream))).toMatchObject({ code: 'LOCK_USAGE' });
  });
});
