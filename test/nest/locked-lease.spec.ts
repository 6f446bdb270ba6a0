import {
  type CanActivate,
  Controller,
  Get,
  type INestApplication,
  Injectable,
  Param,
  ParseIntPipe,
  type PipeTransform,
  Query,
  Sse,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { AsyncLocalStorage } from 'node:async_hooks';
import { ClsModule, ClsService } from 'nestjs-cls';
import { defer, lastValueFrom, map, Observable, of, timer, toArray } from 'rxjs';
import request from 'supertest';
import {
  type Lease,
  Locked,
  LockedLease,
  LockedStream,
  LockInterceptor,
  LockService,
} from '../../lib/index.js';
import { DistributedLockTestingModule } from '../../lib/testing/index.js';
import { errorOf, sleep } from '../support/door.js';

class Passing implements CanActivate {
  canActivate(): boolean {
    return true;
  }
}
class Shouting implements PipeTransform<unknown, unknown> {
  transform(value: unknown): unknown {
    return typeof value === 'string' ? value.toUpperCase() : value;
  }
}
const seenBy = (lease: Lease | undefined): unknown => lease && [lease.names.join(), lease.held];

@Injectable()
class Orders {
  readonly given: (Lease | undefined)[] = [];

  constructor(
    readonly locks: LockService,
    readonly cls: ClsService,
  ) {}

  @Locked((id: string) => `order:${id}`)
  async pay(id: string, @LockedLease() lease?: Lease): Promise<unknown> {
    this.given.push(lease);
    return [id, seenBy(lease), lease === this.locks.current()];
  }

  @Locked((_: Lease | undefined, id: string) => `order:${id}`)
  async first(@LockedLease() lease: Lease | undefined, id: string): Promise<unknown> {
    return [id, seenBy(lease)];
  }

  @Locked((id: string) => `order:${id}`, { minHold: 5 })
  async handOver(id: string, @LockedLease() lease?: Lease): Promise<unknown> {
    const text = await lease?.handOver();
    return [text, lease?.held, this.locks.current()];
  }

  @Locked('given')
  async *handsOver(@LockedLease() lease?: Lease): AsyncGenerator<unknown> {
    yield lease?.handOver();
    yield lease?.held;
  }

  @Locked('batch')
  async batch(): Promise<unknown> {
    const inner = await this.pay('inner');
    return [inner, this.locks.current()?.names];
  }

  @Locked('steps')
  async *steps(@LockedLease() lease?: Lease): AsyncGenerator<unknown> {
    yield seenBy(lease);
    yield lease?.held;
  }

  @LockedStream('feed')
  feed(@LockedLease() lease?: Lease): Observable<unknown> {
    return of(seenBy(lease));
  }

  @Locked('outer')
  @Locked('inner')
  async twice(@LockedLease() lease?: Lease): Promise<unknown> {
    return seenBy(lease);
  }

  @Locked('tenant')
  async tenant(): Promise<unknown> {
    await sleep(1);
    return [this.cls.get<string>('tenant'), this.locks.current()?.names];
  }
}

@Injectable()
class Special extends Orders {
  @Locked((id: string) => `order:${id}`)
  override async pay(id: string, lease?: Lease): Promise<unknown> {
    return [lease, await super.pay(id)];
  }
}

@Controller()
class OrderController {
  constructor(
    readonly orders: Orders,
    readonly cls: ClsService,
  ) {}

  @Get('orders/:id')
  @UseGuards(Passing)
  @UsePipes(Shouting)
  @Locked((id: string) => `order:${id}`)
  async one(
    @Param('id') id: string,
    @LockedLease() lease: Lease,
    @Query('page', ParseIntPipe) page: number,
  ): Promise<unknown> {
    return [id, seenBy(lease), page];
  }

  @Get('last/:id')
  @Locked((id: string) => `order:${id}`)
  async last(@Param('id') id: string, @LockedLease() lease: Lease): Promise<unknown> {
    return [id, seenBy(lease)];
  }

  @Sse('events')
  @LockedStream('events')
  events(@LockedLease() lease: Lease): Observable<{ data: string }> {
    return defer(() => timer(5)).pipe(map(() => ({ data: String(seenBy(lease)) })));
  }

  @Get('tenant/:name')
  @UseInterceptors(LockInterceptor('route'))
  async tenant(@Param('name') name: string): Promise<unknown> {
    const route = this.orders.locks.current()?.names;
    this.cls.set('tenant', name);
    return [route, await this.orders.tenant(), this.cls.get<string>('tenant')];
  }
}

async function start(): Promise<INestApplication> {
  const module = await Test.createTestingModule({
    imports: [
      DistributedLockTestingModule.forRoot(),
      ClsModule.forRoot({ global: true, middleware: { mount: true } }),
    ],
    controllers: [OrderController],
    providers: [Orders, Special],
  }).compile();
  const app = module.createNestApplication({ logger: false });
  await app.init();
  return app;
}

let app: INestApplication;
let orders: Orders;
beforeAll(async () => {
  app = await start();
  orders = app.get(Orders);
});
afterAll(() => app.close());

describe('the length of a method', () => {
  it('does not count its last parameter if that is the lease: queues call a longer handler with a callback', () => {
    const { pay, first, handsOver } = Orders.prototype;
    expect([pay.length, first.length, handsOver.length]).toEqual([1, 2, 0]);
    class Twice {
      @Locked('outer')
      @Locked('inner')
      async work(_id: string, @LockedLease() _lease?: Lease): Promise<void> {}
    }
    expect(Twice.prototype.work.length).toBe(1);
  });
});

describe('@LockedLease', () => {
  it('gives a method the lease of its call, whatever its place among the parameters', async () => {
    expect(await orders.pay('7')).toEqual(['7', ['order:7', true], true]);
    expect(await orders.first(undefined, '7')).toEqual(['7', ['order:7', true]]);
    expect(orders.given.at(-1)?.held).toBe(false);
  });

  it('gives the lease of this very call, also in the context of another holder, and not what a caller passes', async () => {
    expect(await orders.batch()).toEqual([['inner', ['order:inner', true], true], ['batch']]);
    await orders.locks.using('other', async (other) => {
      expect(await orders.pay('7', other)).toEqual(['7', ['order:7', true], true]);
    });
    // A queue that runs one caller's work in the context of another.
    const queue = await orders.locks.using('queue', async () => AsyncLocalStorage.snapshot());
    expect(await queue(() => orders.pay('8'))).toEqual(['8', ['order:8', true], true]);
  });

  it('can be handed over by the method: its end frees nothing, and is no loss', async () => {
    const { locks } = orders;
    const [text, held, current] = (await orders.handOver('given')) as [string, boolean, unknown];
    expect([held, current]).toEqual([false, undefined]);
    expect(await locks.tryAcquire('order:given')).toBeUndefined();
    await (await locks.resume(text)).release();
    await (await locks.acquire('order:given', { wait: 100 })).release();
    const steps: unknown[] = [];
    for await (const step of orders.handsOver()) steps.push(step);
    expect(steps).toEqual([expect.any(String), false]);
    await (await locks.resume(steps[0] as string)).release();
  });

  it('gives an async generator and an Observable theirs', async () => {
    const steps: unknown[] = [];
    for await (const step of orders.steps()) steps.push(step);
    expect(steps).toEqual([['steps', true], true]);
    expect(await lastValueFrom(orders.feed().pipe(toArray()))).toEqual([['feed', true]]);
  });

  it('gives the inner lease where a method is locked twice, and nothing to an override that does not ask', async () => {
    expect(await orders.twice()).toEqual(['inner', true]);
    expect(await app.get(Special).pay('7')).toEqual([undefined, ['7', ['order:7', true], true]]);
  });

  it('stands among the parameters of a handler, with guards and pipes', async () => {
    await request(app.getHttpServer())
      .get('/orders/a?page=3')
      .expect(200, ['A', ['order:A', true], 3]);
    await request(app.getHttpServer())
      .get('/last/a')
      .expect(200, ['a', ['order:a', true]]);
    expect((await request(app.getHttpServer()).get('/events')).text).toContain('data: events,true');
  });

  it('fails the start where nobody would fill it', async () => {
    @Controller()
    class Forgotten {
      @Get()
      @UseInterceptors(LockInterceptor('route'))
      async one(@LockedLease() lease: Lease): Promise<unknown> {
        return seenBy(lease);
      }
    }
    // Without nestjs-cls: a second application with it would break the first.
    const module = await Test.createTestingModule({
      imports: [DistributedLockTestingModule.forRoot()],
      controllers: [Forgotten],
    }).compile();
    expect(await errorOf(module.init())).toMatchObject({
      code: 'LOCK_USAGE',
      message: expect.stringMatching(
        /@LockedLease on Forgotten\.one would never get a lease.*locks\.current/,
      ),
    });
  });

  it('refuses a second parameter, a constructor and a static method', async () => {
    const decorator: ParameterDecorator = LockedLease();
    class Service {}
    decorator(Service.prototype, 'work', 0);
    expect((await errorOf(() => decorator(Service.prototype, 'work', 1))).message).toMatch(
      /Service\.work stands on two parameters/,
    );
    expect((await errorOf(() => decorator(Service, undefined, 0))).message).toMatch(
      /not stand on a parameter/,
    );
    expect((await errorOf(() => decorator(Service, 'make', 0))).message).toMatch(/not stand on a parameter/);
  });
});

describe('beside nestjs-cls', () => {
  it('a request keeps its context and its leases apart from those of others', async () => {
    const ask = async (name: string) =>
      (await request(app.getHttpServer()).get(`/tenant/${name}`).expect(200)).body as unknown;
    const answers = await Promise.all(['a', 'b', 'c'].map(ask));
    expect(answers).toEqual(['a', 'b', 'c'].map((name) => [['route'], [name, ['tenant']], name]));
  });
});
