import { Injectable } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  DistributedLockModule,
  Locked,
  type LockedOptions,
  LockInterceptor,
  LockService,
} from '../../lib/index.js';
import { Door, errorOf } from '../support/door.js';

let door = new Door();
let module: TestingModule;
let catalog: Catalog;

@Injectable()
class Catalog {
  constructor(readonly locks: LockService) {}

  @Locked((sku: string) => `item:${sku}`, { mode: 'read' })
  async read(_sku: string): Promise<string> {
    return door.pass('read');
  }

  @Locked((sku: string) => `item:${sku}`)
  async write(sku: string): Promise<string> {
    return door.pass(`wrote ${sku}`);
  }

  @Locked((sku: string) => `item:${sku}`)
  async writeAfterReading(sku: string): Promise<string> {
    return this.readInside(sku);
  }

  @Locked((sku: string) => `item:${sku}`, { mode: 'read', reentrant: true })
  async readInside(_sku: string): Promise<string> {
    return door.pass('read');
  }

  @Locked((sku: string) => `item:${sku}`, { reentrant: true })
  async writeInside(sku: string): Promise<string> {
    return door.pass(`wrote ${sku}`);
  }

  @Locked((sku: string) => `item:${sku}`, { mode: 'read' })
  async readAndWrite(sku: string): Promise<string> {
    return this.writeInside(sku);
  }

  @Locked((skus: string[]) => skus.map((sku) => `item:${sku}`), { mode: 'read', wait: 0 })
  async compare(skus: string[]): Promise<readonly string[] | undefined> {
    await door.pass(skus);
    return this.locks.current()?.names;
  }

  @Locked('gateway', { permits: 3 })
  async call(): Promise<void> {
    await door.pass(undefined);
  }

  @Locked('gateway', { permits: 3, units: 3, wait: 0 })
  async callAlone(): Promise<void> {
    await door.pass(undefined);
  }

  @Locked(['gateway', 'printer'], { permits: 3, units: 2, wait: 0 })
  async callAndPrint(): Promise<number[]> {
    const { locks } = this;
    return Promise.all([
      locks.semaphore('gateway', 3).available(),
      locks.semaphore('printer', 3).available(),
    ]);
  }

  @Locked('export', { profile: 'narrow', units: 2 })
  async export(): Promise<number> {
    return this.locks.semaphore('export', 4).available();
  }

  @Locked('line', { maxWaiters: 2 })
  async popular(): Promise<void> {
    await door.pass(undefined);
  }

  @Locked('line', { maxWaiters: 1, onBusy: ({ reason }) => reason })
  async answered(): Promise<string> {
    return door.pass('ran');
  }

  @Locked('job', { minHold: 200, onBusy: 'skip' })
  async job(): Promise<string | undefined> {
    return 'ran';
  }
}

beforeAll(async () => {
  module = await Test.createTestingModule({
    imports: [DistributedLockModule.forRoot({ profiles: { narrow: { permits: 4, wait: 0 } } })],
    providers: [Catalog],
  })
    .setLogger(false as never)
    .compile();
  await module.init();
  catalog = module.get(Catalog);
});
beforeEach(() => (door = new Door()));
afterEach(() => door.open());
afterAll(() => module.close());

const times = <T>(count: number, work: () => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, work));

describe('@Locked with mode read', () => {
  it('lets readers in together, and a writer alone', async () => {
    door.closed = true;
    const readers = times(5, () => catalog.read('a'));
    await door.entered(5);
    const writer = catalog.write('a');
    door.open();
    expect(await readers).toEqual(Array(5).fill('read'));
    expect(await writer).toBe('wrote a');
    expect(await times(3, () => catalog.write('a'))).toEqual(Array(3).fill('wrote a'));
    expect(door.most).toBe(5);
  });

  it('is entered, with reentrant: true, by a method that writes; one that reads may not write', async () => {
    expect(await catalog.writeAfterReading('a')).toBe('read');
    expect(await errorOf(catalog.readAndWrite('a'))).toMatchObject({
      code: 'LOCK_USAGE',
      lockName: 'item:a',
    });
  });

  it('reads several names, all or none', async () => {
    door.closed = true;
    const both = times(2, () => catalog.compare(['b', 'a']));
    await door.entered(2);
    expect(await catalog.locks.tryAcquire('item:b')).toBeUndefined();
    door.open();
    expect(await both).toEqual(Array(2).fill(['item:a', 'item:b']));
    await using _lease = await catalog.locks.acquire('item:b');
    expect(await errorOf(catalog.compare(['a', 'b']))).toMatchObject({
      code: 'LOCK_BUSY',
      lockName: 'item:b',
    });
    expect((await catalog.locks.inspect('item:a')).inUse).toBe(0);
  });
});

describe('@Locked with permits', () => {
  it('lets so many calls in at a time', async () => {
    await times(20, () => catalog.call());
    expect([door.most, door.passed]).toEqual([3, 20]);
  });

  it('takes the units that the method says', async () => {
    door.closed = true;
    const one = catalog.call();
    await door.entered();
    expect(await errorOf(catalog.callAlone())).toMatchObject({ code: 'LOCK_BUSY', reason: 'held' });
    expect(await catalog.callAndPrint()).toEqual([0, 1]);
    door.open();
    await one;
  });

  it('may come from a profile', async () => {
    expect(await catalog.export()).toBe(2);
  });

  it('is refused as a lock of another kind while it is in use', async () => {
    door.closed = true;
    const one = catalog.call();
    await door.entered();
    const error = await errorOf(catalog.locks.acquire('gateway'));
    expect(error).toMatchObject({ code: 'LOCK_USAGE' });
    expect(error.message).toMatch(/a semaphore of 3 permits.*a mutex/);
    door.open();
    await one;
  });
});

describe('maxWaiters', () => {
  it('refuses a call that finds so many in line, with reason full', async () => {
    door.closed = true;
    const calls = [catalog.popular()];
    await door.entered();
    calls.push(catalog.popular(), catalog.popular());
    const error = await errorOf(catalog.popular());
    expect(error).toMatchObject({ code: 'LOCK_BUSY', reason: 'full', lockName: 'line' });
    expect(error.message).toContain('maxWaiters allows: 2');
    expect(await catalog.answered()).toBe('full');
    door.open();
    await Promise.all(calls);
    expect(await catalog.answered()).toBe('ran');
  });
});

describe('minHold', () => {
  it('keeps the name taken after the method has returned', async () => {
    const start = performance.now();
    expect([await catalog.job(), await catalog.job()]).toEqual(['ran', undefined]);
    await (await catalog.locks.acquire('job')).release();
    expect(performance.now() - start).toBeGreaterThan(195);
    expect(await catalog.job()).toBe('ran');
  });
});

describe('@Locked refuses', () => {
  it.each<[LockedOptions, RegExp]>([
    [{ mode: 'shared' as 'read' }, /mode takes 'read' or 'write'; it was 'shared'/],
    [{ permits: 0 }, /permits takes a whole number from 1 to 1073741823; it was 0/],
    [{ permits: 2 ** 30 }, /permits takes a whole number from 1 to 1073741823; it was 1073741824/],
    [{ permits: 2 ** 30, units: 2 }, /permits takes a whole number from 1 to 1073741823/],
    [{ permits: 3, units: 4 }, /units takes a whole number from 1 to 3; it was 4/],
    [{ units: 2 }, /units needs the option permits/],
    [{ permits: 3, mode: 'read' }, /mode: 'read' and permits: 3 exclude each other/],
    [{ maxWaiters: 0 }, /maxWaiters takes a whole number from 1 to 1073741824; it was 0/],
    [{ minHold: -1 }, /minHold takes 0ms to 24h/],
    [{ minHold: '5m', maxHold: '1m' }, /maxHold \(1m\) is shorter than minHold \(5m\)/],
  ])('%p when the class is defined', async (options, message) => {
    expect(
      (await errorOf(() => Locked('name', options)({}, 'work', { value: async () => 1 }))).message,
    ).toMatch(message);
    expect((await errorOf(() => LockInterceptor('name', options))).message).toMatch(message);
  });

  it('options of a profile and of the method that exclude each other, at the start', async () => {
    @Injectable()
    class Mixed {
      @Locked('mixed', { profile: 'narrow', mode: 'read' })
      async work(): Promise<number> {
        return 1;
      }
    }

    @Injectable()
    class Heavy {
      @Locked('mixed', { profile: 'narrow', units: 5 })
      async heavy(): Promise<number> {
        return 1;
      }
    }
    @Injectable()
    class Brief {
      @Locked('brief', { profile: 'long', maxHold: '1m' })
      async brief(): Promise<number> {
        return 1;
      }
    }
    const failureOf = async (provider: typeof Mixed | typeof Heavy | typeof Brief): Promise<string> => {
      const other = await Test.createTestingModule({
        imports: [
          DistributedLockModule.forRoot({ profiles: { narrow: { permits: 4 }, long: { minHold: '5m' } } }),
        ],
        providers: [provider],
      })
        .setLogger(false as never)
        .compile();
      return (await errorOf(other.init())).message;
    };
    expect(await failureOf(Mixed)).toMatch(
      /@Locked on Mixed\.work uses the profile 'narrow': .*exclude each other/,
    );
    expect(await failureOf(Heavy)).toMatch(
      /@Locked on Heavy\.heavy uses the profile 'narrow': .*from 1 to 4; it was 5/,
    );
    expect(await failureOf(Brief)).toMatch(
      /@Locked on Brief\.brief uses the profile 'long': .*maxHold \(1m\) is shorter than minHold \(5m\)/,
    );
  });
});
