import { Controller, Get, Injectable, Module, UseInterceptors } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { LazyModuleLoader } from '@nestjs/core';
import { Test, type TestingModule } from '@nestjs/testing';
import { ClsModule, ClsService } from 'nestjs-cls';
import type { Server } from 'node:http';
import request from 'supertest';
import {
  DistributedLockModule,
  getLocksToken,
  LockDefaults,
  Locked,
  LockedStream,
  lockedMethods,
  LockInterceptor,
  lockName,
  LockService,
} from '../../lib/index.js';
import { DistributedLockTestingModule } from '../../lib/testing/index.js';
import { of, type Observable } from 'rxjs';
import { errorOf } from '../support/door.js';

type Metadata = Parameters<typeof Test.createTestingModule>[0];

const open: TestingModule[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});

async function start(metadata: Metadata): Promise<TestingModule> {
  const module = await Test.createTestingModule(metadata)
    .setLogger(false as never)
    .compile();
  open.push(module);
  return module.init();
}
const failed = async (metadata: Metadata): Promise<string> => (await errorOf(start(metadata))).message;

@Injectable()
class Quick {
  constructor(readonly locks: LockService) {}

  @Locked('quick', { profile: 'quick' })
  async run(): Promise<number> {
    return this.locks.current()!.remaining;
  }
}

@Module({
  imports: [DistributedLockModule.forFeature({ profiles: { quick: { ttl: '2s' } } })],
  providers: [Quick],
})
class QuickModule {}

describe('DistributedLockModule.forFeature', () => {
  it.each([
    ['before', (root: object) => [QuickModule, root]],
    ['after', (root: object) => [root, QuickModule]],
  ])('gives a module profiles of its own, imported %s the registration', async (_, imports) => {
    const module = await start({ imports: imports(DistributedLockModule.forRoot()) as never });
    expect(Math.ceil((await module.get(Quick, { strict: false }).run()) / 1_000)).toBe(2);
  });

  it('is known to tests, whose own profiles yield to it', async () => {
    const module = await start({ imports: [DistributedLockTestingModule.forRoot(), QuickModule] });
    expect(Math.ceil((await module.get(Quick, { strict: false }).run()) / 1_000)).toBe(2);
  });

  it('belongs to a registration by its name, also when that is not global', async () => {
    @Injectable()
    class Named {
      @Locked('quick', { profile: 'slow', locks: 'named' })
      async run(): Promise<string> {
        return 'ran';
      }
    }
    const root = DistributedLockModule.forRoot({ name: 'named', isGlobal: false });
    @Module({
      imports: [
        root,
        DistributedLockModule.forFeature({ name: 'named', profiles: { slow: { wait: '1m' } } }),
      ],
      providers: [Named],
    })
    class NamedModule {}
    const module = await start({ imports: [NamedModule, DistributedLockModule.forRoot()] });
    expect(await module.get(Named, { strict: false }).run()).toBe('ran');
    expect(await failed({ imports: [root, QuickModule] })).toMatch(/can't resolve dependencies of the Quick/);
  });

  it('comes with a module that is loaded later', async () => {
    const module = await start({ imports: [DistributedLockModule.forRoot()] });
    const loaded = await module.get(LazyModuleLoader).load(() => QuickModule);
    expect(Math.ceil((await loaded.get(Quick, { strict: false }).run()) / 1_000)).toBe(2);
  });

  it('fails the start when two give one profile in different ways; the same one may come twice', async () => {
    const feature = (ttl: '2s' | '3s') => DistributedLockModule.forFeature({ profiles: { quick: { ttl } } });
    const root = (ttl: '2s' | '3s') => DistributedLockModule.forRoot({ profiles: { quick: { ttl } } });
    await start({ imports: [root('2s'), feature('2s'), QuickModule] });
    const twice = /The lock profile 'quick' is given twice for one registration, with different options/;
    expect(await failed({ imports: [root('3s'), QuickModule] })).toMatch(twice);
    expect(await failed({ imports: [QuickModule, root('3s')] })).toMatch(twice);
    expect(await failed({ imports: [DistributedLockModule.forRoot(), feature('3s'), QuickModule] })).toMatch(
      twice,
    );
  });

  it('fails the start for a registration that does not exist, and for bad profiles', async () => {
    const feature = (options: object) =>
      DistributedLockModule.forFeature(options as { profiles: object } as never);
    expect(
      await failed({ imports: [DistributedLockModule.forRoot(), feature({ name: 'x', profiles: {} })] }),
    ).toMatch(/has profiles for the registration 'x', which .* not have.*forRoot\(\{ name: 'x' \}\)/);
    expect(await failed({ imports: [feature({ profiles: {} })] })).toMatch(/default registration, which/);
    const root = DistributedLockModule.forRoot();
    expect(await failed({ imports: [root, feature({ profiles: { a: { ttl: 1 } } })] })).toMatch(
      /The profile 'a': The option ttl/,
    );
    expect(await failed({ imports: [root, feature({ profiles: { a: { label: () => 'x' } } })] })).toMatch(
      /The profile 'a' takes a text as label/,
    );
    expect(() => feature({})).toThrow(/option profiles takes an object of profiles; it was undefined/);
    expect(() => feature({ profiles: {}, profile: 1 })).toThrow(/no option 'profile'/);
    expect(() => DistributedLockModule.forFeature(undefined as never)).toThrow(/forFeature takes an object/);
  });
});

describe('the start of an application', () => {
  const root = (): ReturnType<typeof DistributedLockModule.forRoot> =>
    DistributedLockModule.forRoot({ profiles: { shared: { permits: 3 } } });

  it('fails for a profile that does not exist, wherever it is named', async () => {
    @LockDefaults({ profile: 'missing' })
    class ByDefault {
      @Locked('a')
      async run(): Promise<void> {}
    }
    class OnStream {
      @LockedStream('a', { profile: 'missing' })
      run(): Observable<number> {
        return of(1);
      }
    }
    const run = Symbol('run');
    class BySymbol {
      @Locked('a', { profile: 'missing' })
      async [run](): Promise<void> {}
    }
    @Controller()
    class Intercepted {
      @Get()
      @UseInterceptors(LockInterceptor('a', { profile: 'missing' }))
      run(): void {}
    }
    const missing = /no lock profile 'missing'; the profiles are 'shared'/;
    expect(await failed({ imports: [root()], providers: [ByDefault] })).toMatch(missing);
    expect(await failed({ imports: [root()], providers: [OnStream] })).toMatch(missing);
    expect(await failed({ imports: [root()], providers: [BySymbol] })).toMatch(missing);
    expect(await failed({ imports: [root()], controllers: [Intercepted] })).toMatch(missing);
    const made = { provide: 'made', useFactory: () => new ByDefault() };
    expect(await failed({ imports: [root()], providers: [made] })).toMatch(missing);
  });

  it('fails for a profile that does not fit the options of its method', async () => {
    class Reader {
      @Locked('a', { profile: 'shared', mode: 'read' })
      async run(): Promise<void> {}
    }
    expect(await failed({ imports: [root()], providers: [Reader] })).toMatch(
      /@Locked on Reader\.run uses the profile 'shared': The options mode: 'read' and permits: 3 exclude each other/,
    );
  });

  it('fails for a registration that does not exist, also when a factory makes the instance', async () => {
    class Elsewhere {
      @Locked('a', { locks: 'elsewhere' })
      async run(): Promise<void> {}
    }
    const reason =
      /@Locked on Elsewhere\.run locks with the registration 'elsewhere', which this application does not have/;
    for (const provider of [
      { provide: 'made', useFactory: () => new Elsewhere() },
      { provide: 'given', useValue: new Elsewhere() },
    ])
      expect(await failed({ imports: [root()], providers: [provider] })).toMatch(reason);
    expect(await failed({ imports: [root()], providers: [Elsewhere] })).toMatch(/\{ name: 'elsewhere' \}/);
    @Controller()
    class Intercepted {
      @Get()
      @UseInterceptors(LockInterceptor('a', { locks: 'elsewhere' }))
      run(): void {}
    }
    expect(await failed({ imports: [root()], controllers: [Intercepted] })).toMatch(
      /LockService\(elsewhere\)/,
    );
  });
});

describe('the options of ConfigService', () => {
  const environment = (values: object) => ConfigModule.forRoot({ ignoreEnvFile: true, load: [() => values] });
  const async = (values: object) =>
    DistributedLockModule.forRootAsync({
      imports: [environment(values)],
      inject: [ConfigService],
      useFactory: (config: ConfigService) => ({
        redis: config.get<string>('REDIS_URL'),
        ttl: config.get('LOCK_TTL'),
        profiles: { quick: { ttl: config.get('QUICK_TTL') } },
      }),
    });

  it('reach a registration through forRootAsync, and are checked at the start', async () => {
    const values = { REDIS_URL: 'memory', LOCK_TTL: '4s', QUICK_TTL: '3s' };
    const module = await start({ imports: [async(values)], providers: [Quick] });
    const lease = await module.get(LockService).acquire('a');
    expect(Math.ceil(lease.remaining / 1_000)).toBe(4);
    await lease.release();
    expect(Math.ceil((await module.get(Quick).run()) / 1_000)).toBe(3);
    expect(await failed({ imports: [async({ ...values, LOCK_TTL: '4' })] })).toMatch(
      /option ttl .* it was '4'/,
    );
    expect(await failed({ imports: [async({ ...values, QUICK_TTL: '1ms' })] })).toMatch(
      /The profile 'quick': The option ttl/,
    );
  });
});

describe('names of tenants', () => {
  @Injectable()
  class Orders {
    constructor(readonly locks: LockService) {}

    @Locked('order:{0}')
    async pay(_id: string): Promise<readonly string[]> {
      return this.locks.current()!.names;
    }

    @LockedStream('orders')
    all(): Observable<readonly string[]> {
      return of(this.locks.current()!.names);
    }
  }

  @Controller()
  class OrderController {
    constructor(
      readonly orders: Orders,
      readonly locks: LockService,
    ) {}

    @Get('decorated')
    decorated(): Promise<readonly string[]> {
      return this.orders.pay('7');
    }

    @Get('streamed')
    streamed(): Observable<readonly string[]> {
      return this.orders.all();
    }

    @Get('intercepted')
    @UseInterceptors(LockInterceptor(() => 'cart'))
    intercepted(): readonly string[] {
      return this.locks.current()!.names;
    }

    @Get('called')
    called(): Promise<readonly string[]> {
      return this.locks.using('report', ({ names }) => names);
    }
  }

  it('are made in the context of the request, for the decorators, the interceptor and the service', async () => {
    const module = await Test.createTestingModule({
      imports: [
        ClsModule.forRoot({
          global: true,
          middleware: {
            mount: true,
            setup: (cls, incoming: { headers: Record<string, string> }) =>
              cls.set('tenant', incoming.headers['tenant']),
          },
        }),
        DistributedLockModule.forRootAsync({
          inject: [ClsService],
          useFactory: (cls: ClsService) => ({
            redis: 'memory',
            nameOf: (name) => `${lockName('tenant', cls.get<string>('tenant'))}:${name}`,
          }),
        }),
      ],
      providers: [Orders],
      controllers: [OrderController],
    }).compile();
    const app = module.createNestApplication({ logger: false });
    await app.init();
    const server = app.getHttpServer() as Server;
    const get = async (path: string, tenant: string): Promise<unknown> =>
      (await request(server).get(`/${path}`).set('tenant', tenant).expect(200)).body as unknown;
    for (const [path, name] of [
      ['decorated', 'order:7'],
      ['streamed', 'orders'],
      ['intercepted', 'cart'],
      ['called', 'report'],
    ] as const)
      expect(await Promise.all([get(path, 'a'), get(path, 'b:c')])).toEqual([
        [`tenant:a:${name}`],
        [`tenant:b%3Ac:${name}`],
      ]);
    await request(server).get('/decorated').expect(500); // no tenant, no lock, no work
    await app.close();
  });
});

describe('lockedMethods', () => {
  @LockDefaults({ ttl: '7s', profile: 'calm' })
  class Base {
    @Locked('order:{0}:pay', { wait: '1s' })
    async pay(_id: string): Promise<void> {}

    @Locked('hidden')
    async overridden(): Promise<void> {}
  }

  @Injectable()
  class Orders extends Base {
    override async overridden(): Promise<void> {}

    @Locked((id: string) => id, { locks: 'other', label: 'outer', permits: 3 })
    @Locked(['a', 'b'], { label: () => 'x' })
    async both(_id: string): Promise<void> {}
  }

  @Controller('carts')
  @UseInterceptors(LockInterceptor('carts', { label: 'carts' }))
  class Carts {
    @Get()
    @UseInterceptors(LockInterceptor(() => 'cart', { mode: 'read' }))
    list(): void {}

    @LockedStream('feed')
    feed(): Observable<number> {
      return of(1);
    }
  }

  it('lists what an application locks, with the options of class, profile and decorator', async () => {
    @Module({ providers: [Orders] })
    class AgainModule {}
    const module = await start({
      imports: [
        DistributedLockModule.forRoot({ profiles: { calm: { wait: '9s', maxHold: '1m' } } }),
        DistributedLockModule.forRoot({ name: 'other', profiles: { calm: { renew: false } } }),
        AgainModule,
      ],
      providers: [Orders, { provide: 'made', useFactory: () => new Base() }],
      controllers: [Carts],
    });
    const none = { registration: undefined, profile: undefined, label: undefined };
    const pay = {
      ...none,
      method: 'pay',
      by: '@Locked',
      names: ['order:{0}:pay'],
      label: 'order:pay',
      profile: 'calm',
      options: { wait: '1s', ttl: '7s', maxHold: '1m' },
    };
    const listed = lockedMethods(module).sort((a, b) => (a.className < b.className ? -1 : 1));
    expect(listed).toEqual([
      { ...pay, className: 'Base' },
      expect.objectContaining({ className: 'Base', method: 'overridden' }),
      {
        ...none,
        className: 'Carts',
        method: undefined,
        by: 'LockInterceptor',
        names: ['carts'],
        label: 'carts',
        options: {},
      },
      {
        ...none,
        className: 'Carts',
        method: 'list',
        by: 'LockInterceptor',
        names: undefined,
        options: { mode: 'read' },
      },
      { ...none, className: 'Carts', method: 'feed', by: '@LockedStream', names: ['feed'], options: {} },
      {
        ...none,
        className: 'Orders',
        method: 'both',
        by: '@Locked',
        names: undefined,
        label: 'outer',
        registration: 'other',
        profile: 'calm',
        options: { permits: 3, ttl: '7s', renew: false },
      },
      {
        ...none,
        className: 'Orders',
        method: 'both',
        by: '@Locked',
        names: ['a', 'b'],
        profile: 'calm',
        options: { wait: '9s', ttl: '7s', maxHold: '1m' },
      },
      { ...pay, className: 'Orders' },
    ]);
    expect(module.get(getLocksToken('other'))).toBeInstanceOf(LockService);
  });
});
