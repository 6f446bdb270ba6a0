import { Injectable } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { Redis } from 'ioredis';
import { lastValueFrom, type Observable, of, toArray } from 'rxjs';
import {
  createLockService,
  DistributedLockModule,
  type Lease,
  Locked,
  LockedLease,
  LockedStream,
  LockService,
} from '../../lib/index.js';
import { LockSettings } from '../../lib/locks/lock-settings.js';
import { UnlockedRuns } from '../../lib/locks/unlocked-runs.js';
import { LockStoreError } from '../../lib/base/errors.js';
import { SystemClock } from '../../lib/base/clock.js';
import { MemoryServer } from '../../lib/store/memory/memory-server.js';
import { withLocks } from '../../lib/testing/index.js';
import { type RunningRedis, startRedis } from '../../tools/redis/start-redis.js';
import { Door, errorOf } from '../support/door.js';
import { until } from '../support/eventually.js';
import { FaultyStore } from '../support/faulty-store.js';
import { HandClock } from '../support/hand-clock.js';
import { describeWithRealRedis } from '../support/real-redis.js';

let door = new Door();

@Injectable()
class Orders {
  @Locked('order', { maxWaiters: 2 })
  async popular(): Promise<string> {
    return door.pass('ran');
  }

  @Locked('other', { maxWaiters: 2 })
  async other(): Promise<string> {
    return 'ran';
  }

  @Locked('order', { onBusy: 'throw', wait: 0 })
  async thrown(): Promise<string> {
    return door.pass('ran');
  }

  @Locked('order', { onBusy: 'skip' })
  async skipped(): Promise<string | undefined> {
    return door.pass('ran');
  }

  @Locked('order', { wait: 0, onBusy: ({ reason, lockName }) => `${reason}: ${lockName}` })
  async answered(): Promise<string> {
    return door.pass('ran');
  }

  @Locked('order', { maxWaiters: 2, onBusy: async ({ reason }) => reason })
  async answeredFull(): Promise<string> {
    return door.pass('ran');
  }

  @Locked('order', {
    wait: 0,
    onBusy: (error) => {
      throw new Error(`translated: ${error.reason}`);
    },
  })
  async translated(): Promise<string> {
    return door.pass('ran');
  }

  @Locked('order', { onBusy: 'skip' })
  async *steps(): AsyncGenerator<string> {
    yield 'ran';
  }

  @LockedStream('order', { onBusy: 'skip' })
  stream(): Observable<string> {
    return of('ran');
  }
}

/** A store each: how to open it, and its end. */
const redis = { server: undefined as RunningRedis | undefined };
const STORES: Record<string, { describe: typeof describe; options: () => { redis?: string } }> = {
  memory: { describe, options: () => ({}) },
  Redis: { describe: describeWithRealRedis, options: () => ({ redis: redis.server!.url }) },
};

for (const [name, { describe: group, options }] of Object.entries(STORES))
  group(`busy locks over ${name}`, () => {
    let module: TestingModule;
    let orders: Orders;
    let locks: LockService;

    beforeAll(async () => {
      if (name === 'Redis') redis.server = await startRedis();
      module = await Test.createTestingModule({
        imports: [DistributedLockModule.forRoot(options())],
        providers: [Orders],
      })
        .setLogger(false as never)
        .compile();
      await module.init();
      orders = module.get(Orders);
      locks = module.get(LockService);
    });
    afterAll(async () => {
      await module.close();
      if (name === 'Redis') await redis.server?.stop();
    });
    beforeEach(() => (door = new Door()));
    afterEach(() => door.open());

    it('maxWaiters refuses at once, per name, and lets in again when somebody has left', async () => {
      door.closed = true;
      const calls = [orders.popular()];
      await door.entered();
      calls.push(orders.popular(), orders.popular());
      const began = performance.now();
      expect(await errorOf(orders.popular())).toMatchObject({
        code: 'LOCK_BUSY',
        reason: 'full',
        lockName: 'order',
      });
      expect(await orders.answeredFull()).toBe('full');
      expect(performance.now() - began).toBeLessThan(1_000); // and not after the wait of 11.5 s
      expect(await orders.other()).toBe('ran');
      door.open();
      expect(await Promise.all(calls)).toEqual(['ran', 'ran', 'ran']);
      expect(await orders.popular()).toBe('ran');
    });

    it('maxWaiters counts the callers of one process', async () => {
      const another = createLockService({ ...options(), log: { warn: () => undefined } });
      const elsewhere = withLocks(new Orders(), name === 'Redis' ? another : locks);
      const lease = await locks.acquire('order');
      const calls = [orders.popular(), orders.popular()];
      const full = errorOf(orders.popular());
      const fromElsewhere = name === 'Redis' ? elsewhere.popular() : Promise.resolve('ran');
      expect(await full).toMatchObject({ reason: 'full' });
      await lease.release();
      expect(await Promise.all([...calls, fromElsewhere])).toEqual(['ran', 'ran', 'ran']);
      await another.close();
    });

    it('onBusy throws, skips, answers or translates', async () => {
      const lease = await locks.acquire('order');
      expect(await errorOf(orders.thrown())).toMatchObject({ code: 'LOCK_BUSY', reason: 'held' });
      expect(await orders.skipped()).toBeUndefined();
      expect(await orders.answered()).toBe('held: order');
      expect((await errorOf(orders.translated())).message).toBe('translated: held');
      expect(await orders.steps().next()).toEqual({ done: true, value: undefined });
      expect(await lastValueFrom(orders.stream().pipe(toArray()))).toEqual([]);
      expect(door.passed).toBe(0);
      await lease.release();
      for (const call of ['thrown', 'skipped', 'answered', 'translated'] as const)
        expect(await orders[call]()).toBe('ran');
      expect(await lastValueFrom(orders.stream().pipe(toArray()))).toEqual(['ran']);
    });
  });

class Reports {
  @Locked('report', { wait: 200, onStoreError: 'run' })
  async run(@LockedLease() lease?: Lease): Promise<boolean | undefined> {
    return lease?.held;
  }

  @Locked('report', { wait: 200 })
  async safe(): Promise<string> {
    return 'ran';
  }
}

describe("onStoreError: 'run' over a store in memory", () => {
  it('runs without the lock, and each run is logged', async () => {
    const lines: string[] = [];
    const clock = new SystemClock();
    const store = new FaultyStore(new MemoryServer(clock), 'session', clock);
    const locks = LockService.over(store, new LockSettings({ shutdownGrace: 0 }), clock, {
      warn: (line) => void lines.push(line),
    });
    const reports = withLocks(new Reports(), locks);
    expect([await reports.run(), lines]).toEqual([true, []]);
    store.fault = () =>
      Promise.reject(new LockStoreError('The store is broken.', 'report', { refused: true }));
    expect([await reports.run(), await reports.run()]).toEqual([false, false]);
    expect(lines).toEqual(
      Array(2).fill(
        expect.stringMatching(
          /^@Locked on Reports\.run runs without the lock 'report' \(onStoreError: 'run'\): The store is broken\./,
        ),
      ),
    );
    expect(await errorOf(reports.safe())).toMatchObject({ code: 'LOCK_STORE' });
    store.fault = () => undefined;
    expect(await reports.run()).toBe(true);
    await locks.close();
  });

  it('counts the runs of a second that are too many for the log, whatever the log does', () => {
    const clock = new HandClock();
    const lines: string[] = [];
    const runs = new UnlockedRuns(clock, {
      warn: (line) => {
        lines.push(line);
        throw new Error('the log is full');
      },
    });
    const error = new LockStoreError('The store is broken.');
    for (let n = 0; n < 15; n += 1) runs.run(['a', 'b'], error);
    expect(lines).toHaveLength(10);
    expect(lines[0]).toBe(
      "A call runs without the lock 'a', 'b' (onStoreError: 'run'): The store is broken.",
    );
    clock.pass(1_000);
    expect(lines.slice(10)).toEqual([expect.stringMatching(/^5 more calls ran without their locks/)]);
    runs.run(['a'], error);
    expect(lines).toHaveLength(12);
    for (let n = 0; n < 11; n += 1) runs.run(['a'], error);
    runs.close();
    runs.close();
    expect(lines.at(-1)).toMatch(/^2 more calls/);
    expect(clock.timers.size).toBe(0);
  });
});

describeWithRealRedis("onStoreError: 'run' over Redis", () => {
  it('runs without the lock while a foreign value is in its way, and each run is logged', async () => {
    const server = await startRedis();
    const lines: string[] = [];
    const locks = createLockService({ redis: server.url, log: { warn: (line) => void lines.push(line) } });
    await locks.ready();
    const told = () => lines.filter((line) => line.includes("(onStoreError: 'run')"));
    const reports = withLocks(new Reports(), locks);
    const client = new Redis(server.url);
    try {
      expect([await reports.run(), told()]).toEqual([true, []]);
      await client.del('lock:report'); // what it remembers of the last lease
      await client.hset('lock:report', 'a value', 'of somebody else');
      expect([await reports.run(), told().length]).toEqual([false, 1]);
      expect(await errorOf(reports.safe())).toMatchObject({ code: 'LOCK_STORE', foreign: true });
      await client.del('lock:report');
      await until('it locks again', async () => (await reports.run()) === true);
    } finally {
      client.disconnect();
      await locks.close();
      await server.stop();
    }
  });
});
