import {
  type BeforeApplicationShutdown,
  Controller,
  type DynamicModule,
  Get,
  Global,
  Inject,
  type INestApplication,
  Injectable,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
  type Type,
} from '@nestjs/common';
import { ModulesContainer, NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { once } from 'node:events';
import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  createLockService,
  DistributedLockModule,
  getLocksToken,
  Locked,
  type LockBusyError,
  LockService,
  withLocks,
} from '../../lib/index.js';
import { DistributedLockTestingModule } from '../../lib/testing/index.js';
import { type RunningRedis, startRedis } from '../../tools/redis/start-redis.js';
import { Child } from '../support/child.js';
import { until } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';
import { errorOf, sleep } from '../support/door.js';

const nothing = (): void => undefined;
const SILENT = { log: nothing, error: nothing, warn: nothing };

const PHASES = ['onModuleDestroy', 'beforeApplicationShutdown', 'onApplicationShutdown'] as const;
type Phase = (typeof PHASES)[number];

/** Takes jobs and locks for each, as the workers of a queue do, until its hook in one phase has stopped it. */
function workerThatStopsIn(phase: Phase, registration?: string) {
  @Injectable()
  class Worker implements OnApplicationBootstrap {
    readonly refused: unknown[] = [];
    jobs = 0;
    private stopped = false;
    private lines: Promise<void>[] = [];

    constructor(@Inject(getLocksToken(registration)) private readonly locks: LockService) {}

    onApplicationBootstrap(): void {
      this.lines = [this.line(), this.line()];
    }

    private async line(): Promise<void> {
      while (!this.stopped)
        await this.locks
          .using(`job:${this.jobs++}`, () => sleep(1))
          .catch((error: unknown) => this.refused.push(error));
    }

    async stop(): Promise<void> {
      await sleep(20);
      this.stopped = true;
      await Promise.all(this.lines);
    }
  }
  Object.defineProperty(Worker.prototype, phase, { value: Worker.prototype.stop });
  return Worker;
}

const locking = (options = {}): DynamicModule => DistributedLockTestingModule.forRoot(options);

const shutdownGrace = 200; // a hook that comes too early fails fast

/** How applications are put together, around a worker. */
const LAYOUTS: Record<string, (worker: Type) => Type> = {
  'one module beside the locks': (worker) => {
    @Module({ imports: [locking({ shutdownGrace })], providers: [worker] })
    class AppModule {}
    return AppModule;
  },
  'two registrations': (worker) => {
    @Module({
      imports: [
        locking({ name: 'first', shutdownGrace }),
        locking({ shutdownGrace }),
        locking({ name: 'last', shutdownGrace }),
      ],
      providers: [worker],
    })
    class AppModule {}
    return AppModule;
  },
  'a global module that imports the locks': (worker) => {
    @Global()
    @Module({ imports: [locking({ shutdownGrace })], providers: [worker], exports: [worker] })
    class CoreModule {}
    @Module({})
    class FeatureModule {}
    @Module({ imports: [FeatureModule, CoreModule] })
    class AppModule {}
    return AppModule;
  },
  'a global worker module that comes before the locks': (worker) => {
    @Global()
    @Module({ providers: [worker], exports: [worker] })
    class WorkerModule {}
    @Module({ imports: [WorkerModule, locking({ shutdownGrace })] })
    class AppModule {}
    return AppModule;
  },
  'locks that are not global': (worker) => {
    @Module({ imports: [locking({ isGlobal: false, shutdownGrace })], providers: [worker] })
    class WorkerModule {}
    @Module({ imports: [WorkerModule] })
    class AppModule {}
    return AppModule;
  },
};

describe.each(Object.keys(LAYOUTS))('the shutdown of %s', (layout) => {
  it.each(PHASES)(
    'refuses nothing to a worker that stops in %s, and ends with closed locks',
    async (phase) => {
      const Worker = workerThatStopsIn(phase);
      const app = await NestFactory.createApplicationContext(LAYOUTS[layout]!(Worker), { logger: false });
      const worker = app.get(Worker, { strict: false });
      await until('it works', () => worker.jobs > 5);
      await app.close();
      expect(worker.refused).toEqual([]);
      expect(await errorOf(app.get(LockService, { strict: false }).acquire('a'))).toMatchObject({
        reason: 'closed',
      });
    },
  );
});

/** An application of these providers, with locks in memory. */
async function start(providers: Type[], options: { shutdownGrace?: number; name?: string } = {}) {
  const module = await Test.createTestingModule({ imports: [locking(options)], providers })
    .setLogger(SILENT)
    .compile();
  await module.init();
  return { module, locks: module.get<LockService>(getLocksToken(options.name)) };
}

describe('the hooks of the locks', () => {
  it('are called before all others at the start, and after all others at the shutdown', async () => {
    const said: string[] = [];
    @Global()
    @Module({ imports: [locking()] })
    class CoreModule
      implements OnModuleInit, OnModuleDestroy, BeforeApplicationShutdown, OnApplicationShutdown
    {
      constructor(@Inject(LockService) private readonly locks: LockService) {}
      private async tell(phase: string): Promise<void> {
        said.push(`${phase}: ${await this.locks.using('a', () => 'granted')}`);
      }
      onModuleInit = () => this.tell('onModuleInit');
      onModuleDestroy = () => this.tell('onModuleDestroy');
      beforeApplicationShutdown = () => this.tell('beforeApplicationShutdown');
      onApplicationShutdown = () => this.tell('onApplicationShutdown');
    }
    const app = await NestFactory.createApplicationContext(CoreModule, { logger: false });
    await app.close();
    expect(said).toEqual(['onModuleInit', ...PHASES].map((phase) => `${phase}: granted`));
  });

  it('are plain hooks where Nest does not let us choose their place', async () => {
    @Injectable()
    class Fixed {
      constructor(modules: ModulesContainer) {
        for (const module of modules.values())
          Object.defineProperty(module, 'distance', { get: () => 1, configurable: true });
      }
    }
    @Global()
    @Module({ providers: [Fixed], exports: [Fixed] })
    class FixedModule {}
    const module = await Test.createTestingModule({ imports: [FixedModule, locking()] }).compile();
    await module.init();
    const locks = module.get(LockService);
    await locks.using('a', () => undefined);
    await module.close();
    expect(await errorOf(locks.acquire('a'))).toMatchObject({ reason: 'closed' });
  });

  it('end once, whether the application is closed twice at once or one time after the other', async () => {
    const Worker = workerThatStopsIn('onApplicationShutdown');
    const { module, locks } = await start([Worker]);
    const closed = [module.close(), module.close()];
    await sleep(5);
    await Promise.all([...closed, module.close()]);
    expect(module.get(Worker).refused).toEqual([]);
    await module.close();
    expect(await errorOf(locks.acquire('a'))).toMatchObject({ reason: 'closed' });
  });

  it.each(PHASES)('are called when the hook %s of somebody else throws', async (phase) => {
    @Injectable()
    class Broken {}
    Object.defineProperty(Broken.prototype, phase, { value: () => Promise.reject(new Error('broken')) });
    const { module, locks } = await start([Broken]);
    await module.close();
    expect(await errorOf(locks.acquire('a'))).toMatchObject({ reason: 'closed' });
    expect(process.listenerCount('beforeExit')).toBe(0);
  });

  it('close what a start had opened that failed later', async () => {
    @Injectable()
    class Broken implements OnModuleInit {
      onModuleInit = () => Promise.reject(new Error('broken'));
    }
    const module = await Test.createTestingModule({ imports: [locking()], providers: [Broken] })
      .setLogger(SILENT)
      .compile();
    expect(await errorOf(module.init())).toMatchObject({ message: 'broken' });
    const locks = module.get(LockService);
    expect(await locks.using('a', () => 'granted')).toBe('granted');
    await module.close();
    expect(await errorOf(locks.acquire('a'))).toMatchObject({ reason: 'closed' });
  });
});

describe('a start that fails at one of several registrations', () => {
  it('closes all of them, since not every application calls close()', async () => {
    @Injectable()
    class Orders {
      @Locked('order', { profile: 'missing' })
      async place(): Promise<void> {}
    }
    const names = ['first', undefined, 'last'];
    const module = await Test.createTestingModule({
      imports: names.map((name) => DistributedLockModule.forRoot({ name, redis: 'memory' })),
      providers: [Orders],
    })
      .setLogger(SILENT)
      .compile();
    expect(await errorOf(module.init())).toMatchObject({ code: 'LOCK_USAGE' });
    for (const name of names) {
      const locks = module.get<LockService>(getLocksToken(name), { strict: false });
      expect(await errorOf(locks.acquire('a'))).toMatchObject({ reason: 'closed' });
    }
    await module.close();
  });
});

describe('leaders', () => {
  it('step down before any other hook is called, and the others are granted locks meanwhile', async () => {
    const said: string[] = [];
    @Global()
    @Module({})
    class Other implements OnModuleDestroy {
      constructor(@Inject(LockService) private readonly locks: LockService) {}
      async onModuleDestroy(): Promise<void> {
        said.push(await this.locks.using('a', () => 'onModuleDestroy'));
      }
    }
    @Module({ imports: [Other, locking()] })
    class AppModule {}
    const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
    const locks = app.get(LockService, { strict: false });
    const leader = locks.lead('lead', {
      onElected: async () => void said.push('elected'),
      onRevoked: (reason) => void said.push(reason),
    });
    await until('it leads', () => leader.leading);
    await app.close();
    expect(said).toEqual(['elected', 'stopped', 'onModuleDestroy']);
  });

  it('may take until the end of another hook to step down', async () => {
    let hookEnded!: () => void;
    const hook = new Promise<void>((resolve) => (hookEnded = resolve));
    @Injectable()
    class Other implements OnApplicationShutdown {
      onApplicationShutdown = () => hookEnded();
    }
    const { module, locks } = await start([Other]);
    const leader = locks.lead('lead', { onElected: async () => undefined, onRevoked: () => hook });
    await until('it leads', () => leader.leading);
    await module.close();
    expect(leader.leading).toBe(false);
  });

  it('do not campaign any more once the shutdown has begun', async () => {
    let elected = false;
    @Injectable()
    class Late implements OnModuleDestroy {
      constructor(private readonly locks: LockService) {}
      onModuleDestroy(): void {
        this.locks.lead('late', { onElected: async () => void (elected = true) });
      }
    }
    const { module } = await start([Late]);
    await module.close();
    expect(elected).toBe(false);
  });
});

describe('the grace', () => {
  it('begins when all other hooks have ended: callers that wait or work then are not disturbed', async () => {
    const { module, locks } = await start([workerThatStopsIn('onApplicationShutdown')]);
    const events = Array.from({ length: 10 }, (_, n) => locks.using('one', async () => (await sleep(5), n)));
    const closed = module.close();
    expect(await Promise.all(events)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    await closed;
  });

  it('lasts while work takes one lock after another', async () => {
    const { module, locks } = await start([]);
    const work = (async () => {
      for (let n = 0; n < 20; n++) {
        await locks.using(`step:${n}`, () => sleep(1));
        for (let layer = 0; layer < 20; layer++) await Promise.resolve(); // the functions of the user in between
      }
      return 'done';
    })();
    const closed = module.close();
    expect(await work).toBe('done');
    await closed;
  });

  it('is one grace for all registrations: work under one waits for the lock of another', async () => {
    const imports = [locking({ name: 'first' }), locking({ name: 'last' })];
    const module = await Test.createTestingModule({ imports }).compile();
    await module.init();
    const [first, last] = ['first', 'last'].map((name) => module.get<LockService>(getLocksToken(name)));
    const works = [first!, last!].map((outer, index, all) =>
      outer.using('outer', async () => {
        await sleep(20);
        return all[1 - index]!.using('inner', () => 'done');
      }),
    );
    const closed = module.close();
    expect(await Promise.all(works)).toEqual(['done', 'done']);
    await closed;
  });

  it('is not over for a registration that others still need', async () => {
    const imports = [locking({ name: 'first' }), locking({ name: 'last' })];
    const module = await Test.createTestingModule({ imports }).compile();
    await module.init();
    const [first, last] = ['first', 'last'].map((name) => module.get<LockService>(getLocksToken(name)));
    let inner: Promise<string> | undefined;
    const outer = last!.using('outer', async () => {
      await sleep(30);
      inner = first!.using('inner', async () => (await sleep(30), 'done'));
    });
    await module.close();
    await outer;
    expect(await inner).toBe('done');
  });

  it('ends after shutdownGrace: waiting callers are refused, and working ones lose their lease', async () => {
    const { module, locks } = await start([], { shutdownGrace: 50 });
    const lease = await locks.acquire('a');
    const waiting = errorOf(locks.acquire('a', { wait: '1h' }));
    const begun = performance.now();
    await module.close();
    expect(performance.now() - begun).toBeLessThan(1_000);
    expect(await waiting).toMatchObject({ code: 'LOCK_BUSY', reason: 'closed' });
    expect(await errorOf(() => lease.assertHeld())).toMatchObject({ code: 'LOCK_LOST', reason: 'closed' });
  });

  it('is not waited for by close(), which refuses waiting callers at once', async () => {
    const { module, locks } = await start([]);
    const lease = await locks.acquire('a');
    const waiting = errorOf(locks.acquire('a', { wait: '1h' }));
    const closed = locks.close();
    expect(await waiting).toMatchObject({ reason: 'closed' });
    expect(lease.held).toBe(true);
    await lease.release();
    await closed;
    await module.close();
  });
});

describe('requests', () => {
  let asked: string[] = [];
  beforeEach(() => (asked = []));
  const asking = (name: string): string => {
    asked.push(name);
    return name;
  };

  @Injectable()
  class Stock {
    @Locked(() => asking('stock'))
    async take(): Promise<string> {
      return 'taken';
    }
  }

  @Controller()
  class ShopController {
    constructor(private readonly stock: Stock) {}

    @Get('stock')
    take(): Promise<string> {
      return this.stock.take();
    }

    @Get('cart')
    @Locked(() => asking('cart'))
    async cart(): Promise<string> {
      return 'yours';
    }
  }

  async function listen(others: Type[] = []): Promise<INestApplication> {
    const module = await Test.createTestingModule({
      imports: [DistributedLockModule.forRoot()],
      controllers: [ShopController],
      providers: [Stock, ...others],
    })
      .setLogger(SILENT)
      .compile();
    const app = module.createNestApplication();
    await app.listen(0, '127.0.0.1');
    return app;
  }

  async function get(app: INestApplication, path: string): Promise<string> {
    const { port } = (app.getHttpServer() as { address(): AddressInfo }).address();
    const sent = request({ port, path, agent: false }).end();
    const [answer] = (await once(sent, 'response')) as [AsyncIterable<Buffer> & { statusCode: number }];
    let body = '';
    for await (const chunk of answer) body += String(chunk);
    return `${answer.statusCode} ${body}`;
  }

  it('that wait under @Locked on their handler are answered when the server closes, and do not hold it up', async () => {
    const app = await listen();
    const locks = app.get(LockService);
    const lease = await locks.acquire('cart');
    const waiting = get(app, '/cart');
    await until('it waits', () => asked.length > 0);
    const worker = locks.using('cart', () => 'worked', { wait: '1h' });
    const closed = app.close();
    expect(await waiting).toMatch(/^503 .*"LOCK_BUSY"/);
    await sleep(20);
    await lease.release();
    expect(await worker).toBe('worked'); // nobody knows what else may wait for it
    await closed;
  });

  it('that come while a server closes are granted what is free, and refused what is busy', async () => {
    let during: Promise<string[]> | undefined;
    @Injectable()
    class Slow implements BeforeApplicationShutdown {
      constructor(private readonly modules: ModulesContainer) {}
      beforeApplicationShutdown(): void {
        const shop = [...this.modules.values()].find(({ controllers }) => controllers.has(ShopController));
        const { instance } = shop!.controllers.get(ShopController)!;
        // After the last hook of this phase.
        const call = () => (instance as ShopController).cart().catch(({ reason }: LockBusyError) => reason);
        during = sleep(10).then(() => Promise.all([call(), call()]));
      }
      onApplicationShutdown = (): unknown => during;
    }
    const app = await listen([Slow]);
    await app.close();
    expect(await during).toEqual(['yours', 'closed']);
  });

  it('that wait in a service are granted before the server has closed', async () => {
    const app = await listen();
    const locks = app.get(LockService);
    const lease = await locks.acquire('stock');
    const waiting = get(app, '/stock');
    await until('it waits', () => asked.length > 0);
    const closed = app.close();
    await sleep(20);
    await lease.release();
    expect(await waiting).toBe('200 taken');
    await closed;
  });
});

describe('a job of BullMQ', () => {
  class Orders {
    constructor(private readonly within?: LockService) {}

    @Locked('order')
    async process(_job: unknown, _token?: string): Promise<unknown> {
      return this.within?.acquire('within');
    }

    @Locked('payment')
    async pay(_job: unknown, _currency?: string): Promise<void> {}
  }
  const moved: unknown[][] = [];
  const job = (fails = false) => ({
    token: 'token',
    moveToDelayed: async (...args: unknown[]) => {
      if (fails) throw new Error('no Redis');
      moved.push(args);
    },
    moveToWaitingChildren: async () => false,
  });
  afterEach(() => moved.splice(0));

  async function refusing(orders: Orders): Promise<Orders> {
    @Injectable()
    class Dummy {}
    const module = await Test.createTestingModule({
      imports: [locking()],
      providers: [Dummy, { provide: Orders, useValue: orders }],
    }).compile();
    await module.init();
    await module.close();
    return orders;
  }

  it('that is refused by the shutdown goes back to its queue, and BullMQ leaves it alone', async () => {
    const orders = await refusing(new Orders());
    const before = Date.now();
    const error = await errorOf(orders.process(job(), 'token'));
    expect(error).toMatchObject({ code: 'LOCK_BUSY', reason: 'closed', name: 'DelayedError' });
    expect(moved).toEqual([[expect.any(Number), 'token']]);
    expect(Number(moved[0]![0]) - before).toBeGreaterThanOrEqual(1_000);
  });

  it('goes back to its queue when the refusal comes from another copy of this package', async () => {
    const foreign = Object.assign(new Error('closed'), { code: 'LOCK_BUSY', reason: 'closed' });
    const locks = { using: () => Promise.reject(foreign) };
    const orders = withLocks(new Orders(), locks as unknown as LockService);
    const error = await errorOf(orders.process(job(), 'token'));
    expect(error).toBe(foreign);
    expect(error.name).toBe('DelayedError');
    expect(moved).toHaveLength(1);
  });

  it('that its processor passes on to a service has begun: the refusal of the service does not move it', async () => {
    const orders = await refusing(new Orders());
    for (const args of [[], ['EUR']])
      expect(await errorOf(orders.pay(job(), ...args))).toMatchObject({
        name: 'LockBusyError',
        reason: 'closed',
      });
    expect(moved).toEqual([]);
  });

  it('that cannot be moved fails with the refusal', async () => {
    const orders = await refusing(new Orders());
    expect(await errorOf(orders.process(job(true), 'token'))).toMatchObject({ name: 'LockBusyError' });
  });

  it.each<[string, unknown[]]>([
    ['alone', []],
    ['beside a text', ['token']],
  ])('is not what refuses to be asked, %s: the method is called with it', async (_, others) => {
    const ask = (_target: object, key: string | symbol): never => {
      throw new ReferenceError(`there is no ${String(key)}`);
    };
    const config = new Proxy({ port: 1 }, { get: ask, has: ask });
    const { module, locks } = await start([]);
    const orders = withLocks(new Orders(), locks);
    const done = orders.process(config, ...(others as string[]));
    expect(await done).toBeUndefined();
    await module.close();
  });

  it('that is refused for another reason, or was begun, fails as ever', async () => {
    const { module, locks } = await start([]);
    const closed = await start([]);
    await closed.module.close();
    const orders = withLocks(new Orders(closed.locks), locks);
    expect(await errorOf(orders.process(job(), 'token'))).toMatchObject<Partial<LockBusyError>>({
      name: 'LockBusyError',
      reason: 'closed',
    });
    expect(moved).toEqual([]);
    await module.close();
  });
});

describeWithRealRedis('a shutdown over connections to Redis', () => {
  let redis: RunningRedis;
  beforeEach(async () => {
    redis = await startRedis({ given: false, emulated: false });
  });
  afterEach(() => redis.stop());

  it('waits for what hooks await of the locks, though nothing else keeps the process alive', async () => {
    const other = createLockService({ redis: redis.url });
    const lease = await other.acquire('busy');
    const child = new Child('test/support/shutdown-process.ts', redis.url, 'busy');
    expect(await child.exited).toBe(0);
    expect(child.said.trim().split('\n')).toEqual([
      'flushed first',
      'timeout',
      'inspected 1',
      'flushed last',
      'closed',
    ]);
    await lease.release();
    await other.close();
  }, 20_000);

  it('ends when Redis is gone: what was held is lost, and nobody waits for longer than the grace', async () => {
    const module = await Test.createTestingModule({
      imports: [DistributedLockModule.forRoot({ redis: redis.url, shutdownGrace: 100 })],
    }).compile();
    await module.init();
    const locks = module.get(LockService);
    const lease = await locks.acquire('a');
    const waiting = errorOf(locks.acquire('a', { wait: '1h' }));
    const leader = locks.lead('lead', { onElected: async () => undefined });
    await until('it leads', () => leader.leading);
    await redis.stop();
    const begun = performance.now();
    await module.close();
    expect(performance.now() - begun).toBeLessThan(3_000); // the grace, a second for the releases, and slack
    expect(await waiting).toMatchObject({ reason: 'closed' });
    expect(lease.held).toBe(false);
    expect(leader.leading).toBe(false);
  });
});
