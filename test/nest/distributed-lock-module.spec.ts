import {
  Controller,
  Get,
  Inject,
  type INestApplication,
  Injectable,
  type LoggerService,
  Module,
  type OnModuleInit,
} from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import request from 'supertest';
import {
  DistributedLockModule,
  type DistributedLockOptionsFactory,
  getLocksToken,
  InjectLocks,
  Locked,
  LockService,
} from '../../lib/index.js';
import { DistributedLockTestingModule } from '../../lib/testing/index.js';
import { copiesOfLockService } from '../../lib/nest/locks-token.js';
import { lockSlot } from '../../lib/nest/lock-slot.js';
import { Door, errorOf, sleep } from '../support/door.js';

class Logs implements LoggerService {
  readonly lines: string[] = [];
  readonly log = (message: unknown, ...rest: unknown[]) =>
    void this.lines.push(`log ${String(message)} ${rest.join()}`);
  readonly warn = (message: unknown, ...rest: unknown[]) =>
    void this.lines.push(`warn ${String(message)} ${rest.join()}`);
  readonly error = (message: unknown) => void this.lines.push(`error ${String(message)}`);

  of(level: string): string[] {
    return this.lines.filter((line) => line.startsWith(`${level} `) && line.includes('DistributedLock'));
  }
}

type Imports = NonNullable<Parameters<typeof Test.createTestingModule>[0]['imports']>;
type Providers = NonNullable<Parameters<typeof Test.createTestingModule>[0]['providers']>;

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});

async function start(imports: Imports, providers: Providers = [], logs = new Logs()) {
  const module = await Test.createTestingModule({ imports, providers }).setLogger(logs).compile();
  open.push(module);
  return module.init();
}

@Injectable()
class Payments {
  constructor(
    readonly locks: LockService,
    @InjectLocks('payments') readonly others: LockService,
  ) {}

  @Locked('name')
  async here(): Promise<boolean[]> {
    return [this.locks, this.others].map((each) => each.current('name') !== undefined);
  }

  @Locked('name', { locks: 'payments' })
  async there(): Promise<boolean[]> {
    return [this.locks, this.others].map((each) => each.current('name') !== undefined);
  }
}

@Injectable()
class Worker {
  @Locked('work')
  async work(): Promise<string> {
    return 'done';
  }
}

@Injectable()
class Reports {
  @Locked('report', { locks: 'reports' })
  async run(): Promise<void> {}
}

@Module({ providers: [Worker] })
class FeatureModule {}

describe('DistributedLockModule.forRoot', () => {
  it('gives every module of the application its locks', async () => {
    const module = await start([DistributedLockModule.forRoot(), FeatureModule]);
    expect(module.get(LockService)).toBeInstanceOf(LockService);
    expect(await module.get(Worker, { strict: false }).work()).toBe('done');
  });

  it('gives them to those that import it only, when it is not global', async () => {
    const error = await errorOf(start([DistributedLockModule.forRoot({ isGlobal: false }), FeatureModule]));
    expect(error.message).toContain('needed by @Locked');
    const module = await start([DistributedLockModule.forRoot({ isGlobal: false })], [Worker]);
    expect(await module.get(Worker).work()).toBe('done');
  });

  it('accepts undefined for every option', async () => {
    const nothing = {
      redis: undefined,
      name: undefined,
      isGlobal: undefined,
      filter: undefined,
      profiles: undefined,
    };
    const module = await start([
      DistributedLockModule.forRoot({ ...nothing, ttl: undefined }),
      FeatureModule,
    ]);
    expect(await module.get(Worker, { strict: false }).work()).toBe('done');
  });

  it('warns once that locks in memory serialise this process only', async () => {
    const logs = new Logs();
    const module = await start([DistributedLockModule.forRoot()], [Worker], logs);
    await module.get(Worker).work();
    expect(logs.of('warn')).toEqual([expect.stringMatching(/memory.*process only/)]);
  });

  it('fails the start for options out of range', async () => {
    const error = await errorOf(start([DistributedLockModule.forRoot({ ttl: 7 })]));
    expect(error).toMatchObject({
      code: 'LOCK_USAGE',
      message: expect.stringMatching(/ttl.*100ms to 24h.*7/),
    });
    expect(await errorOf(() => DistributedLockModule.forRoot({ name: '' }))).toMatchObject({
      code: 'LOCK_USAGE',
    });
    expect(
      (await errorOf(start([DistributedLockModule.forRoot({ filter: { busyStatus: 200 } })]))).message,
    ).toMatch(/busyStatus takes 400 to 599; it was 200/);
  });

  it('refuses options that do not exist, by name, also those that a factory returns', async () => {
    const typo = { ttll: 5 } as never;
    expect((await errorOf(() => DistributedLockModule.forRoot(typo))).message).toMatch(
      /no option 'ttll'; its options are redis, .*reentrant.*name, isGlobal/,
    );
    expect((await errorOf(() => DistributedLockTestingModule.forRoot(typo))).message).toMatch(
      /no option 'ttll'/,
    );
    const made = (options: object) =>
      start([DistributedLockModule.forRootAsync({ useFactory: () => options })]);
    expect((await errorOf(made({ ttll: 5 }))).message).toMatch(/no option 'ttll'/);
    expect((await errorOf(made({ name: 'payments' }))).message).toMatch(
      /factory cannot choose .*'name'.*beside/,
    );
  });

  it('fails the start when the store does not answer, and closes what it opened', async () => {
    const module = await Test.createTestingModule({ imports: [DistributedLockModule.forRoot()] })
      .setLogger(new Logs())
      .compile();
    const locks = module.get(LockService);
    const down = new Error('nobody there');
    locks.ready = () => Promise.reject(down);
    expect(await errorOf(module.init())).toBe(down);
    expect(await errorOf(locks.acquire('a'))).toMatchObject({ code: 'LOCK_BUSY', reason: 'closed' });
  });

  it('is ready, and has filled instances made by factories, before other modules are initialised', async () => {
    let result: string | undefined;
    @Module({ providers: [{ provide: 'worker', useFactory: () => new Worker() }], exports: ['worker'] })
    class FactoryModule {}
    @Injectable()
    class Migration implements OnModuleInit {
      constructor(@Inject('worker') readonly worker: Worker) {}
      async onModuleInit(): Promise<void> {
        result = await this.worker.work();
      }
    }
    @Module({ imports: [FactoryModule], providers: [Migration] })
    class MigrationModule {}
    await start([MigrationModule, DistributedLockModule.forRoot()]);
    expect(result).toBe('done');
  });
});

describe('the module left out', () => {
  it('fails the start of an application with @Locked methods, and says what to import', async () => {
    const error = await errorOf(start([], [Worker]));
    expect(error.message).toContain('LockService, needed by @Locked: import DistributedLockModule.forRoot()');
  });

  it('names the registration that is missing', async () => {
    const error = await errorOf(start([DistributedLockModule.forRoot()], [Reports]));
    expect(error.message).toContain("import DistributedLockModule.forRoot({ name: 'reports' })");
  });
});

describe('several registrations', () => {
  it('have locks of their own, injected by name', async () => {
    const module = await start(
      [DistributedLockModule.forRoot(), DistributedLockModule.forRoot({ name: 'payments' })],
      [Payments],
    );
    const payments = module.get(Payments);
    expect(payments.locks).not.toBe(payments.others);
    expect(module.get(getLocksToken('payments'))).toBe(payments.others);
    expect(module.get(getLocksToken())).toBe(payments.locks);
    expect(await payments.here()).toEqual([true, false]);
    expect(await payments.there()).toEqual([false, true]);
  });

  it('fill what factories made, each its own slot', async () => {
    const module = await start(
      [DistributedLockModule.forRoot(), DistributedLockModule.forRoot({ name: 'payments' })],
      [
        {
          provide: 'made',
          inject: [LockService, getLocksToken('payments')],
          useFactory: (locks: LockService, others: LockService) => new Payments(locks, others),
        },
      ],
    );
    const made = module.get<Payments>('made');
    expect(await made.here()).toEqual([true, false]);
    expect(await made.there()).toEqual([false, true]);
  });
});

describe('two registrations of one name', () => {
  const started = async (imports: () => Imports) => {
    const logs = new Logs();
    await start(imports(), [], logs);
    return logs.of('warn').filter((line) => line.includes('LockServices'));
  };

  it.each([true, false])(
    'are told of at the start, once, with the modules that import them (global: %s)',
    async (isGlobal) => {
      @Module({ imports: [DistributedLockModule.forRoot({ isGlobal })] })
      class LedgerModule {}
      @Module({ imports: [DistributedLockModule.forRoot({ isGlobal }), LedgerModule] })
      class ShopModule {}
      expect(await started(() => [ShopModule])).toEqual([
        expect.stringMatching(
          /2 LockServices for the default registration, imported by ShopModule and LedgerModule\./,
        ),
      ]);
    },
  );

  it('are one when Nest identifies modules by their content', async () => {
    @Module({ imports: [DistributedLockModule.forRoot()] })
    class OneModule {}
    const count = async (options: object) => {
      const metadata = { imports: [OneModule, DistributedLockModule.forRoot()] };
      const module = await Test.createTestingModule(metadata, options).setLogger(new Logs()).compile();
      const { length } = [...module.get(ModulesContainer).values()].filter(({ providers }) =>
        providers.has(LockService),
      );
      await module.close();
      return length;
    };
    expect(await count({ moduleIdGeneratorAlgorithm: 'reference' })).toBe(2);
    expect(await count({ moduleIdGeneratorAlgorithm: 'deep-hash' })).toBe(1);
  });

  it('are told of by their name, and not when the names differ or the module object is the same', async () => {
    const once = DistributedLockModule.forRoot();
    @Module({ imports: [once] })
    class OneModule {}
    @Module({ imports: [once, DistributedLockModule.forRoot({ name: 'payments' })] })
    class OtherModule {}
    expect(await started(() => [OneModule, OtherModule])).toEqual([]);
    expect(await started(() => [OtherModule, DistributedLockModule.forRoot({ name: 'payments' })])).toEqual([
      expect.stringMatching(/2 LockServices for the registration 'payments', imported by \w+ and \w+/),
    ]);
  });
});

describe('a second copy of this package', () => {
  const COPIES = Symbol.for('nestjs-distributed-lock:copies');
  class OtherLockService {}
  const own = copiesOfLockService();
  afterEach(() => Reflect.defineMetadata(COPIES, own, ModulesContainer));

  it.each([
    ['after', [...own, OtherLockService]],
    ['before', [OtherLockService, ...own]],
  ])('that was loaded %s this one shares the LockService of the application', async (_, copies) => {
    Reflect.defineMetadata(COPIES, copies, ModulesContainer);
    @Injectable()
    class Foreign {
      constructor(@Inject(OtherLockService) readonly locks: LockService) {}

      @Locked('foreign')
      async work(): Promise<boolean> {
        return this.locks.current('foreign') !== undefined;
      }
    }
    Inject(copies[0] as typeof LockService)(Foreign.prototype, lockSlot()); // what the other copy would write
    const module = await start(
      [DistributedLockModule.forRoot(), DistributedLockModule.forRoot({ name: 'payments' })],
      [Foreign, Payments],
    );
    expect(module.get(Foreign).locks).toBe(module.get(LockService));
    expect(await module.get(Foreign).work()).toBe(true);
    expect(await module.get(Payments).here()).toEqual([true, false]);
  });
});

describe('DistributedLockModule.forRootAsync', () => {
  @Injectable()
  class Config {
    readonly wait = 0;
  }
  @Module({ providers: [Config], exports: [Config] })
  class ConfigModule {}
  @Injectable()
  class LockConfig implements DistributedLockOptionsFactory {
    createLockOptions() {
      return { wait: 0, profiles: { any: {} } };
    }
  }
  @Module({ providers: [LockConfig], exports: [LockConfig] })
  class LockConfigModule {}

  const refusesToWait = async (locks: LockService): Promise<void> => {
    const lease = await locks.acquire('a');
    expect(await errorOf(locks.acquire('a'))).toMatchObject({ code: 'LOCK_BUSY', reason: 'held' });
    await lease.release();
  };

  it('takes options from a factory with what it injects', async () => {
    const module = await start([
      DistributedLockModule.forRootAsync({
        imports: [ConfigModule],
        inject: [Config],
        useFactory: async ({ wait }: Config) => ({ wait }),
      }),
    ]);
    await refusesToWait(module.get(LockService));
  });

  it('takes options from a class, made or existing, under a name', async () => {
    const made = await start([DistributedLockModule.forRootAsync({ name: 'a', useClass: LockConfig })]);
    await refusesToWait(made.get(getLocksToken('a')));
    const existing = await start([
      DistributedLockModule.forRootAsync({ imports: [LockConfigModule], useExisting: LockConfig }),
    ]);
    await refusesToWait(existing.get(LockService));
  });
});

describe('the shutdown', () => {
  const door = new Door();
  // As @UseCls of nestjs-cls does it.
  const Wrapped = (): MethodDecorator => (_target, _property, descriptor: PropertyDescriptor) => {
    const inner = descriptor.value as (this: unknown, ...args: unknown[]) => unknown;
    descriptor.value = function (this: unknown, ...args: unknown[]): unknown {
      return Reflect.apply(inner, this, args);
    };
    for (const key of Reflect.getMetadataKeys(inner) as unknown[])
      Reflect.defineMetadata(key, Reflect.getMetadata(key, inner), descriptor.value as object);
  };

  @Controller()
  class SlowController {
    constructor(readonly locks: LockService) {}

    @Get()
    @Locked('slow')
    async slow(): Promise<string> {
      await door.pass(undefined);
      return `held: ${this.locks.current('slow')?.held}`;
    }

    @Get('wrapped')
    @Wrapped()
    @Locked('slow')
    async wrapped(): Promise<string> {
      return 'never';
    }
  }

  async function listen(): Promise<INestApplication> {
    const module = await Test.createTestingModule({
      imports: [DistributedLockModule.forRoot()],
      controllers: [SlowController],
    }).compile();
    const app = module.createNestApplication({ logger: false });
    await app.listen(0);
    return app;
  }

  function get(app: INestApplication, path = '/'): Promise<string> {
    const { port } = (app.getHttpServer() as { address(): AddressInfo }).address();
    return new Promise((resolve, reject) => {
      httpRequest({ port, path, agent: false }, (answer) => {
        let body = '';
        answer.on('data', (chunk) => (body += String(chunk)));
        answer.on('end', () => resolve(`${answer.statusCode} ${body}`));
      })
        .on('error', reject)
        .end();
    });
  }

  it('lets a running handler keep its lease, and answers at once those that wait', async () => {
    const app = await listen();
    door.closed = true;
    const running = get(app);
    await door.entered();
    const waiting = [get(app), get(app, '/wrapped')];
    await sleep(20);
    const closed = app.close();
    for (const answer of await Promise.all(waiting)) expect(answer).toMatch(/^503 .*"LOCK_BUSY"/);
    door.open();
    expect(await running).toBe('200 held: true');
    await closed;
    expect(await errorOf(app.get(LockService).acquire('slow'))).toMatchObject({ reason: 'closed' });
  });

  it('still grants in the hooks of the application that come before its servers close', async () => {
    const results: string[] = [];
    @Injectable()
    class Flush {
      constructor(readonly worker: Worker) {}
      async onModuleDestroy(): Promise<void> {
        results.push(await this.worker.work());
      }
      async beforeApplicationShutdown(): Promise<void> {
        results.push(await this.worker.work());
      }
    }
    const module = await start([DistributedLockModule.forRoot()], [Worker, Flush]);
    await module.close();
    expect(results).toEqual(['done', 'done']);
  });

  it('ends without a request ever made', async () => {
    const app = await listen();
    await request(app.getHttpServer()).get('/nowhere').expect(404);
    await app.close();
  });
});
