import { Global, Inject, Injectable, Module, type OnModuleInit, Scope } from '@nestjs/common';
import { ContextIdFactory, LazyModuleLoader, NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import {
  createLockService,
  DistributedLockModule,
  InjectLocks,
  Locked,
  lockedMethods,
  LockService,
} from '../../lib/index.js';
import { DistributedLockTestingModule } from '../../lib/testing/index.js';
import { errorOf } from '../support/door.js';

@Injectable()
class Stock {
  /** A function that is bound while the instance is made knows nothing of what is put around it later. */
  readonly bound = () => this.reserve();

  @Locked('stock')
  async reserve(): Promise<string> {
    return 'reserved';
  }
}

@Injectable({ scope: Scope.REQUEST })
class PerRequest extends Stock {}

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});

const isStock = (it: unknown): it is Stock => it instanceof Stock;
const callsTheTarget = (instance: Stock): Stock =>
  new Proxy(instance, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function'
        ? (...args: unknown[]) => Reflect.apply(value, target, args) as unknown
        : value;
    },
  });

describe('an instance', () => {
  it.each<[string, (instance: Stock) => Stock]>([
    ['behind a proxy that calls methods on itself', (instance) => new Proxy(instance, {})],
    ['behind a proxy that calls methods on the instance', callsTheTarget],
    ['behind two proxies', (instance) => callsTheTarget(new Proxy(instance, {}))],
    [
      'behind a proxy that cannot be changed',
      (instance) => new Proxy(instance, { defineProperty: () => false }),
    ],
    ['frozen', (instance) => Object.freeze(instance)],
    ['that an object is made from', (instance) => Object.create(instance) as Stock],
    ['that an object is made from, frozen', (instance) => Object.create(Object.freeze(instance)) as Stock],
  ])('%s has its locks, whoever made it', async (_, wrap) => {
    const bare: Stock[] = [];
    const app = await NestFactory.createApplicationContext(
      {
        module: class AppModule {},
        imports: [DistributedLockTestingModule.forRoot()],
        providers: [
          Stock,
          { provide: 'made', useFactory: async () => new Stock() },
          { provide: 'value', useValue: new Stock() },
        ],
      },
      {
        logger: false,
        instrument: {
          instanceDecorator: (it: unknown) => {
            if (isStock(it)) bare.push(it);
            return isStock(it) ? wrap(it) : it;
          },
        },
      },
    );
    open.push(app);
    for (const token of [Stock, 'made', 'value'])
      expect(await app.get<Stock>(token).reserve()).toBe('reserved');
    expect(bare).toHaveLength(3);
    // Behind a proxy that refuses every change, only the proxy is known.
    if (_ !== 'behind a proxy that cannot be changed')
      for (const each of bare) expect(await each.bound()).toBe('reserved');
  });

  it('keeps the locks of its own application when another one makes an object from it', async () => {
    const shared = new Stock();
    const start = async (value: Stock) => {
      const module = await Test.createTestingModule({
        imports: [DistributedLockTestingModule.forRoot()],
        providers: [{ provide: 'stock', useValue: value }],
      }).compile();
      open.push(module);
      return module;
    };
    const one = await start(shared);
    const derived = Object.create(shared) as Stock;
    const two = await start(derived);
    const [first, second] = [one, two].map((module) => module.get(LockService));
    const lease = await first!.acquire('stock');
    expect(await derived.reserve()).toBe('reserved');
    await lease.release();
    const other = await second!.acquire('stock');
    expect(await shared.reserve()).toBe('reserved');
    await other.release();
  });

  it.each([
    ['DistributedLockTestingModule', () => DistributedLockTestingModule.forRoot()],
    ['DistributedLockModule', () => DistributedLockModule.forRoot()],
  ])('of a test that only compiles its module has its locks, with %s', async (_, imported) => {
    const module = await Test.createTestingModule({
      imports: [imported()],
      providers: [
        Stock,
        { provide: 'made', useFactory: () => new Stock() },
        { provide: 'value', useValue: new Stock() },
        { provide: 'promised', useValue: Promise.resolve(new Stock()) },
        { provide: 'transient', scope: Scope.TRANSIENT, useFactory: () => new Stock() },
      ],
    })
      .setLogger({ log: () => undefined, warn: () => undefined, error: () => undefined })
      .compile();
    open.push(module);
    for (const token of [Stock, 'made', 'value', 'promised'])
      expect(await (await module.get<Stock | Promise<Stock>>(token)).reserve()).toBe('reserved');
    expect(await (await module.resolve<Stock>('transient')).reserve()).toBe('reserved');
  });

  it('of a class without types, as esbuild leaves it, has its locks', async () => {
    @Injectable()
    class Untyped {
      constructor(@InjectLocks() readonly locks: LockService) {}

      @Locked('stock')
      async names(): Promise<readonly string[] | undefined> {
        return this.locks.current()?.names;
      }
    }
    for (const key of ['design:paramtypes', 'design:type', 'design:returntype'])
      for (const property of [undefined, 'names'])
        if (property) Reflect.deleteMetadata(key, Untyped.prototype, property);
        else Reflect.deleteMetadata(key, Untyped);
    const module = await Test.createTestingModule({
      imports: [DistributedLockTestingModule.forRoot()],
      providers: [Untyped],
    }).compile();
    open.push(module);
    expect(await module.get(Untyped).names()).toEqual(['stock']);
  });

  it('that a factory makes for each request has its locks', async () => {
    const module = await Test.createTestingModule({
      imports: [DistributedLockTestingModule.forRoot()],
      providers: [
        PerRequest,
        { provide: 'made', scope: Scope.REQUEST, useFactory: () => new Stock() },
        { provide: 'made of it', inject: [PerRequest], useFactory: () => new Stock() },
      ],
    }).compile();
    open.push(module);
    for (const token of ['made', 'made of it']) {
      const [one, two] = [
        await module.resolve<Stock>(token, ContextIdFactory.create()),
        await module.resolve<Stock>(token, ContextIdFactory.create()),
      ];
      expect(one).not.toBe(two);
      expect(await Promise.all([one.reserve(), two.reserve()])).toEqual(['reserved', 'reserved']);
    }
  });

  it('of a module that is loaded later has its locks, and the module object gives the same locks', async () => {
    const locks = DistributedLockTestingModule.forRoot();
    @Module({ imports: [locks] })
    class AppModule {}
    @Module({
      imports: [locks],
      providers: [
        Stock,
        { provide: 'made', useFactory: () => new Stock() },
        { provide: 'value', useValue: new Stock() },
      ],
    })
    class LaterModule {}
    const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
    open.push(app);
    const later = await app.get(LazyModuleLoader).load(() => LaterModule);
    for (const token of [Stock, 'made', 'value'])
      expect(await later.get<Stock>(token).reserve()).toBe('reserved');
    expect(later.get(LockService, { strict: false })).toBe(app.get(LockService));
  });

  it('has its locks before the hooks of a global module that imports ours', async () => {
    const results: string[] = [];
    @Injectable()
    class Core implements OnModuleInit {
      constructor(@Inject('made') readonly stock: Stock) {}
      async onModuleInit(): Promise<void> {
        results.push(await this.stock.reserve());
      }
    }
    @Global()
    @Module({
      imports: [DistributedLockTestingModule.forRoot()],
      providers: [Core, { provide: 'made', useFactory: () => new Stock() }],
    })
    class CoreModule {}
    @Module({})
    class FeatureModule {}
    @Module({ imports: [FeatureModule, CoreModule] })
    class AppModule {}
    open.push(await NestFactory.createApplicationContext(AppModule, { logger: false }));
    expect(results).toEqual(['reserved']);
  });

  it('may be a large buffer or array: the start looks at classes only', async () => {
    let asked = 0;
    const counting: ProxyHandler<object> = {
      ownKeys: (target) => {
        asked += 1;
        return Reflect.ownKeys(target);
      },
    };
    const values = [Buffer.alloc(1_000), [1, 2, 3], { plain: true }, new Stock()];
    const module = await Test.createTestingModule({
      imports: [DistributedLockTestingModule.forRoot()],
      providers: values.map((value, index) => ({
        provide: `value ${index}`,
        useValue: new Proxy<object>(value, counting),
      })),
    }).compile();
    asked = 0;
    open.push(await module.init());
    expect(lockedMethods(module)).toMatchObject([{ className: 'Stock', method: 'reserve' }]);
    expect(asked).toBe(0);
    expect(await module.get<Stock>('value 3').reserve()).toBe('reserved');
  });

  it('without locks is refused with all that may be the cause', async () => {
    const { message } = await errorOf(new Stock().reserve());
    for (const cause of [/made with new/, /withLocks/, /withLocks\(new Stock/, /a factory/, /npm ls/])
      expect(message).toMatch(cause);
  });
});

describe('in a test, the locks of an application', () => {
  @Injectable()
  class Till {
    constructor(readonly locks: LockService) {}

    @Locked('till')
    async open(): Promise<boolean> {
      return this.locks.current('till') !== undefined;
    }
  }
  const LOCKS = DistributedLockModule.forRoot({ redis: 'redis://127.0.0.1:1', ttl: '5s' });
  @Module({ imports: [LOCKS], providers: [Till] })
  class AppModule {}

  it('are replaced by overrideProvider(LockService), and Redis is not asked for', async () => {
    const locks = createLockService({ log: { warn: () => undefined } });
    const module = await Test.createTestingModule({ imports: [AppModule] })
      .overrideProvider(LockService)
      .useValue(locks)
      .compile();
    open.push(await module.init());
    expect(module.get(LockService)).toBe(locks);
    expect(await module.get(Till, { strict: false }).open()).toBe(true);
  });

  it.each<[string, object]>([
    ['with the method that is called', { using: () => Promise.resolve(true) }],
    [
      'that answers every property with a function',
      new Proxy({}, { get: (_, key) => (key === 'then' ? undefined : () => Promise.resolve(true)) }),
    ],
  ])('are replaced by a mock %s, which an application starts and closes with', async (_, mock) => {
    const module = await Test.createTestingModule({ imports: [AppModule] })
      .overrideProvider(LockService)
      .useValue(mock)
      .compile();
    await module.init();
    expect(await module.get(Till, { strict: false }).open()).toBe(true);
    await module.close();
    expect(process.listenerCount('beforeExit')).toBe(0);
  });

  it('are replaced by a mock, and the error of a failed start is not that of the mock', async () => {
    @Injectable()
    class Missing {
      @Locked('a', { profile: 'missing' })
      async work(): Promise<void> {}
    }
    const close = (): never => {
      throw new Error('the mock is closed');
    };
    const module = await Test.createTestingModule({ imports: [AppModule], providers: [Missing] })
      .overrideProvider(LockService)
      .useValue({ close })
      .compile();
    expect((await errorOf(module.init())).message).toContain("no lock profile 'missing'");
  });

  it('are replaced by overrideModule with the very module object', async () => {
    const module = await Test.createTestingModule({ imports: [AppModule] })
      .overrideModule(LOCKS)
      .useModule(DistributedLockTestingModule.forRoot())
      .compile();
    open.push(await module.init());
    expect(await module.get(Till, { strict: false }).open()).toBe(true);
  });
});
