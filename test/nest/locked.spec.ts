import { Controller, Get, HttpException, Inject, Injectable, Param, Scope } from '@nestjs/common';
import { ContextIdFactory, ModuleRef } from '@nestjs/core';
import { Test, type TestingModule } from '@nestjs/testing';
import { Locked, lockName, LockService, LockUsageError } from '../../lib/index.js';
import { DistributedLockTestingModule } from '../../lib/testing/index.js';
import { Door, errorOf, sleep } from '../support/door.js';

let door: Door;
let closing: TestingModule[] = [];

beforeEach(() => {
  door = new Door();
});
afterEach(async () => {
  door.open();
  for (const module of closing.splice(0)) await module.close();
});

async function moduleOf(
  ...providers: NonNullable<Parameters<typeof Test.createTestingModule>[0]['providers']>
) {
  const module = await Test.createTestingModule({
    imports: [DistributedLockTestingModule.forRoot()],
    providers,
  }).compile();
  await module.init();
  closing.push(module);
  return module;
}

const times = <T>(count: number, work: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => work(i));

@Injectable()
class StockService {
  readonly tenant = 'acme';

  constructor(readonly locks: LockService) {}

  @Locked((sku: string) => `stock:${sku}`)
  async reserve(sku: string, quantity: number): Promise<string> {
    return door.pass(`${quantity} of ${sku}`);
  }

  @Locked('stock:a')
  async restock(): Promise<void> {
    await door.pass(undefined);
  }

  @Locked(['stock:a', 'stock:b'])
  async audit(): Promise<readonly string[] | undefined> {
    await door.pass(undefined);
    return this.locks.current()?.names;
  }

  @Locked((skus: string[]) => skus.map((sku) => `stock:${sku}`))
  async move(_skus: string[]): Promise<readonly string[] | undefined> {
    return this.locks.current()?.names;
  }

  @Locked(function (this: StockService, sku: string) {
    return lockName(this.tenant, sku);
  })
  async named(_sku: string): Promise<readonly string[] | undefined> {
    return this.locks.current()?.names;
  }

  async outer(): Promise<string> {
    const results = await Promise.all(times(3, () => this.reserve('a', 1)));
    return results.join();
  }

  @Locked('stock:a')
  async nested(): Promise<string> {
    return this.refill('a', 7);
  }

  @Locked((sku: string) => `stock:${sku}`, { reentrant: true })
  async refill(sku: string, quantity: number): Promise<string> {
    return `${quantity} of ${sku}`;
  }

  @Locked('stock:a')
  async selfWaiting(): Promise<string> {
    return this.impatient('a');
  }

  @Locked((sku: string) => `stock:${sku}`, { wait: 20 })
  async impatient(sku: string): Promise<string> {
    return sku;
  }

  @Locked((sku: string | undefined) => `stock:${sku}`)
  async unnamed(_sku?: string): Promise<void> {
    await door.pass(undefined);
  }

  @Locked((() => undefined) as unknown as () => string)
  async nameless(): Promise<void> {
    await door.pass(undefined);
  }

  @Locked('fails')
  async fail(error: Error): Promise<void> {
    await sleep(1);
    throw error;
  }
}

describe('@Locked', () => {
  it('lets one call at a time in, and returns what the method returns', async () => {
    const stock = (await moduleOf(StockService)).get(StockService);
    const results = await Promise.all(times(5, (i) => stock.reserve('a', i)));
    expect(results).toEqual(['0 of a', '1 of a', '2 of a', '3 of a', '4 of a']);
    expect(door.most).toBe(1);
  });

  it('lets calls with different names in at the same time', async () => {
    const stock = (await moduleOf(StockService)).get(StockService);
    await Promise.all(times(5, (i) => stock.reserve(`sku${i}`, 1)));
    expect(door.most).toBe(5);
  });

  it('makes two methods with one name exclude each other', async () => {
    const stock = (await moduleOf(StockService)).get(StockService);
    await Promise.all([stock.restock(), stock.reserve('a', 1), stock.restock()]);
    expect(door.most).toBe(1);
  });

  it('locks all names of an array, and each of them excludes others', async () => {
    const stock = (await moduleOf(StockService)).get(StockService);
    door.closed = true;
    const audit = stock.audit();
    await door.entered();
    const others = [stock.reserve('a', 1), stock.reserve('b', 1)];
    await sleep(10);
    expect(door.most).toBe(1);
    door.open();
    expect([...(await audit)!].sort()).toEqual(['stock:a', 'stock:b']);
    await Promise.all(others);
    expect([...(await stock.move(['x', 'y']))!].sort()).toEqual(['stock:x', 'stock:y']);
  });

  it('gives the key function the instance as this', async () => {
    const stock = (await moduleOf(StockService)).get(StockService);
    expect(await stock.named('x')).toEqual(['acme:x']);
  });

  it('locks self-calls', async () => {
    const stock = (await moduleOf(StockService)).get(StockService);
    await stock.outer();
    expect(door).toMatchObject({ most: 1, passed: 3 });
  });

  it('enters a name again that the running call holds with reentrant: true, and else waits in line', async () => {
    const stock = (await moduleOf(StockService)).get(StockService);
    expect(await stock.nested()).toBe('7 of a');
    const refusal = await errorOf(stock.selfWaiting());
    expect(refusal).toMatchObject({ code: 'LOCK_BUSY', reason: 'timeout' });
    expect(refusal.message).toContain("Its own context holds 'stock:a', so it may be waiting for itself");
  });

  it('refuses keys with the trace of a missing value, and runs nothing', async () => {
    const stock = (await moduleOf(StockService)).get(StockService);
    expect(await errorOf(stock.unnamed())).toMatchObject({ code: 'LOCK_USAGE' });
    expect(await errorOf(stock.nameless())).toMatchObject({ code: 'LOCK_USAGE' });
    expect(door.passed).toBe(0);
  });

  it('passes the own error of a method on untouched', async () => {
    const stock = (await moduleOf(StockService)).get(StockService);
    const own = new HttpException('teapot', 418);
    expect(await errorOf(stock.fail(own))).toBe(own);
  });

  it('locks an override and the inherited method that it calls once', async () => {
    @Injectable()
    class Special extends StockService {
      @Locked((sku: string) => `stock:${sku}`)
      override async reserve(sku: string, quantity: number): Promise<string> {
        return `special ${await super.reserve(sku, quantity)}`;
      }
    }
    const special = (await moduleOf(Special)).get(Special);
    expect(await Promise.all([special.reserve('a', 1), special.reserve('a', 2)])).toEqual([
      'special 1 of a',
      'special 2 of a',
    ]);
    expect(door.most).toBe(1);
  });

  it('locks inherited methods of a class that declares none, beside its own injected properties', async () => {
    @Injectable()
    class Heir extends StockService {
      @Inject('greeting') readonly greeting!: string;
    }
    const heir = (await moduleOf(Heir, { provide: 'greeting', useValue: 'hello' })).get(Heir);
    await Promise.all(times(3, () => heir.restock()));
    expect(door).toMatchObject({ most: 1, passed: 3 });
    expect(heir.greeting).toBe('hello');
  });

  it('locks over the instances of a request-scoped provider', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest {
      @Locked('shared')
      async work(): Promise<void> {
        await door.pass(undefined);
      }
    }
    const module = await moduleOf(PerRequest);
    const instances = await Promise.all(
      times(3, () => module.resolve(PerRequest, ContextIdFactory.create())),
    );
    expect(new Set(instances).size).toBe(3);
    await Promise.all(instances.map((each) => each.work()));
    expect(door).toMatchObject({ most: 1, passed: 3 });
  });

  it('locks what useFactory, useValue and ModuleRef.create made', async () => {
    class Plain {
      @Locked('shared')
      async work(): Promise<void> {
        await door.pass(undefined);
      }
    }
    const frozen = Object.freeze(new Plain());
    const module = await moduleOf(
      { provide: 'factory', useFactory: async () => new Plain() },
      { provide: 'value', useValue: frozen },
      { provide: 'alias', useExisting: 'value' },
      { provide: 'nothing', useValue: undefined },
    );
    const made = [
      module.get<Plain>('factory'),
      module.get<Plain>('value'),
      await module.get(ModuleRef).create(Plain),
    ];
    await Promise.all(made.map((each) => each.work()));
    expect(door).toMatchObject({ most: 1, passed: 3 });
  });

  it('locks in controllers, whose guards and parameters it leaves in place', async () => {
    @Controller('stock')
    class StockController {
      @Get(':sku')
      @Locked((sku: string) => `stock:${sku}`)
      async find(@Param('sku') sku: string): Promise<string> {
        return door.pass(sku);
      }
    }
    const module = await Test.createTestingModule({
      imports: [DistributedLockTestingModule.forRoot()],
      controllers: [StockController],
    }).compile();
    closing.push(module);
    const controller = module.get(StockController);
    await Promise.all(times(3, () => controller.find('a')));
    expect(door).toMatchObject({ most: 1, passed: 3 });
  });

  it('keeps two applications of one process apart', async () => {
    const [one, two] = [await moduleOf(StockService), await moduleOf(StockService)];
    await Promise.all([one, two].flatMap((each) => times(3, () => each.get(StockService).restock())));
    expect(door).toMatchObject({ most: 2, passed: 6 });
    await one.close();
    closing = [two];
    await two.get(StockService).restock();
    expect(await errorOf(one.get(StockService).restock())).toMatchObject({
      code: 'LOCK_BUSY',
      reason: 'closed',
    });
  });

  it('leaves nothing on the instance that can be enumerated, copied or compared', async () => {
    const stock = (await moduleOf(StockService)).get(StockService);
    expect(Object.getOwnPropertyNames(stock)).toEqual(['locks', 'tenant']);
    expect(Reflect.ownKeys({ ...stock })).toEqual(['locks', 'tenant']);
    expect(stock).toStrictEqual(new StockService(stock.locks));
    expect(Object.keys(StockService.prototype)).toEqual([]);
  });

  it('never runs unlocked on an instance that Nest did not make', async () => {
    const stranger = new StockService(undefined as never);
    const error = await errorOf(stranger.restock());
    expect(error).toBeInstanceOf(LockUsageError);
    expect(error.message).toMatch(
      /StockService\.restock .*DistributedLockModule\.forRoot\(\).*withLocks\(new StockService/,
    );
    const stock = (await moduleOf(StockService)).get(StockService);
    const { restock } = stock;
    expect((await errorOf(restock.call(undefined as never))).message).toMatch(/without its instance/);
    expect(door.passed).toBe(0);
  });

  it('nests when it stands on a method twice', async () => {
    class Twice {
      @Inject(LockService) readonly locks!: LockService;

      @Locked('outer')
      @Locked('inner')
      async work(): Promise<boolean[]> {
        return ['outer', 'inner', 'other'].map((name) => this.locks.current(name) !== undefined);
      }
    }
    expect(await (await moduleOf(Twice)).get(Twice).work()).toEqual([true, true, false]);
  });
});
