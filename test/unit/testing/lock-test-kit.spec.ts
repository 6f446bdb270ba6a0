import { Injectable } from '@nestjs/common';
import { channel } from 'node:diagnostics_channel';
import { Test } from '@nestjs/testing';
import {
  DistributedLockModule,
  type Lease,
  Locked,
  LockedLease,
  type LockLostError,
  LockService,
  LockUsageError,
} from '../../../lib/index.js';
import {
  DistributedLockTestingModule,
  getLockTestKitToken,
  LockTestKit,
  type LockTestKitOptions,
  withLocks,
} from '../../../lib/testing/index.js';
import { abortOf, failureOf, until } from '../../support/eventually.js';

@Injectable()
class Orders {
  paid = 0;
  /** Ends the work of `slow`. */
  done: (() => void)[] = [];
  lease: Lease | undefined;

  @Locked((id: string) => `order:${id}`)
  async pay(_id: string): Promise<string> {
    this.paid += 1;
    return 'paid';
  }

  @Locked((id: string) => `order:${id}`, { wait: 0 })
  async payNow(id: string): Promise<string> {
    return `paid ${id}`;
  }

  @Locked((id: string) => `order:${id}`, { onStoreError: 'run' })
  async payAnyway(_id: string): Promise<string> {
    return 'paid without a lock';
  }

  @Locked((id: string) => `order:${id}`)
  async slow(_id: string, @LockedLease() lease?: Lease): Promise<string> {
    this.lease = lease;
    await new Promise<void>((resolve) => this.done.push(resolve));
    return 'slowly';
  }

  finish(): void {
    for (const done of this.done.splice(0)) done();
  }
}

const kits: LockTestKit[] = [];
afterEach(() => Promise.all(kits.splice(0).map((kit) => kit.close())));

function open(options: LockTestKitOptions = {}): { kit: LockTestKit; orders: Orders } {
  const kit = new LockTestKit(options);
  kits.push(kit);
  return { kit, orders: withLocks(new Orders(), kit.locks) };
}
const manual = () => open({ clock: 'manual' });

describe.each(['system', 'manual'] as const)('a kit with the clock %s', (clock) => {
  it('makes a lock busy, as another process would', async () => {
    const { kit, orders } = open({ clock });
    const lease = await kit.hold('order:7', { label: 'nightly' });
    expect(await failureOf(orders.payNow('7'))).toMatchObject({
      reason: 'held',
      holder: { host: 'another-host', pid: 4711, label: 'nightly' },
    });
    expect(await orders.payNow('8')).toBe('paid 8');
    const waiting = orders.pay('7');
    await until('it waits', async () => (await kit.locks.inspect('order:7')).queue.length === 1);
    expect(orders.paid).toBe(0);
    await lease.release();
    expect(await waiting).toBe('paid');
  });

  it('holds as a reader, or permits of a semaphore', async () => {
    const { kit } = open({ clock });
    await kit.hold('book', { mode: 'read' });
    await kit.hold('book', { mode: 'read' });
    expect(await kit.locks.tryAcquire('book')).toBeUndefined();
    await kit.locks.readWrite('book').read.using(() => undefined, { wait: 0 });
    await kit.hold('permits', { permits: 3, units: 2 });
    expect(await kit.locks.semaphore('permits', 3).available()).toBe(1);
  });

  it('ends the lease of a process that died, too', async () => {
    const { kit } = open();
    for (const end of ['expire', 'lose'] as const) {
      const lease = await kit.hold('z', { ttl: '10s' });
      expect(lease.held).toBe(true);
      await kit[end]('z');
      expect(lease.held).toBe(false);
      expect(lease.signal.reason).toMatchObject({ reason: end === 'expire' ? 'expired' : 'taken' });
      expect(kit.held()).toEqual([]);
    }
  });

  it('leaves no listener of a process that died', async () => {
    const listeners = () => [
      process.listenerCount('SIGUSR2'),
      channel('nestjs-distributed-lock:granted').hasSubscribers,
    ];
    const before = listeners();
    for (const clock of ['system', 'manual'] as const) {
      const { kit } = open({ clock, recorder: { signal: 'SIGUSR2' }, leakDetectionThreshold: '1s' });
      for (const name of ['a', 'b']) await kit.hold(name, { ttl: '10s' });
      await failureOf(kit.hold('a', { ttl: '10s' }));
      expect(listeners()).toEqual([1, true]); // those of its own process
      const lease = await kit.hold('c', { ttl: '10s' });
      await kit.close();
      expect(listeners()).toEqual(before);
      expect(lease.held).toBe(false);
    }
  });

  it('means the lock of the caller with every name that it is given', async () => {
    const { kit } = open({ nameOf: (name) => `tenant:acme:${name}` });
    const lease = await kit.hold('z');
    expect([kit.held('z'), kit.held()]).toEqual([true, ['tenant:acme:z']]);
    await kit.expire('z');
    expect([kit.held('z'), lease.held]).toEqual([false, false]);
    const own = await kit.locks.acquire('z');
    await kit.lose('z');
    expect(own.held).toBe(false);
    expect(await failureOf(kit.lose('z'))).toMatchObject({
      message: expect.stringContaining("Nobody holds 'tenant:acme:z'"),
    });
  });

  it('cannot hold what somebody holds, and refuses a mode that does not exist', async () => {
    const { kit } = open({ clock });
    await using _lease = await kit.locks.acquire('book');
    expect(await failureOf(kit.hold('book'))).toMatchObject({ code: 'LOCK_BUSY', reason: 'held' });
    expect(await failureOf(kit.hold('x', { mode: 'none' as never }))).toMatchObject({
      code: 'LOCK_USAGE',
      message: "The option mode takes 'write' or 'read'; it was 'none'.",
    });
  });

  it.each([
    ['expire', 'expired'],
    ['lose', 'taken'],
  ] as const)(
    'lets a lease end by %s: the work learns it, and the next caller is served',
    async (how, reason) => {
      const { kit, orders } = open({ clock });
      const work = orders.slow('7');
      await until('it works', () => orders.lease !== undefined);
      const { signal, fence } = orders.lease!;
      const next = kit.locks.acquire('order:7');
      await kit[how]('order:7');
      expect(await abortOf<LockLostError>(signal)).toMatchObject({ reason, fence });
      const lease = await next;
      expect(lease.fence).toBeGreaterThan(fence);
      orders.finish();
      expect(await failureOf(work)).toMatchObject({ code: 'LOCK_LOST', reason, result: 'slowly', fence });
      await lease.release();
      expect(kit.held()).toEqual([]);
    },
  );

  it.each(['expire', 'lose'] as const)('ends by %s what another process holds, too', async (how) => {
    const { kit, orders } = open({ clock });
    const theirs = await kit.hold('order:7');
    const waiting = orders.pay('7');
    await until('it waits', async () => (await kit.locks.inspect('order:7')).queue.length === 1);
    await kit[how]('order:7');
    expect(await waiting).toBe('paid');
    expect([theirs.held, await theirs.release()]).toEqual([false, 'expired']);
  });

  it.each(['expire', 'lose'] as const)(
    'refuses to %s what nobody holds, and says what is held',
    async (how) => {
      const { kit } = open({ clock });
      expect(await failureOf(kit[how]('order:7'))).toMatchObject({
        code: 'LOCK_USAGE',
        message: "Nobody holds 'order:7', so no lease can end; no name is held.",
      });
      await kit.hold('order:8');
      expect(await failureOf<Error>(kit[how]('order:7'))).toMatchObject({
        message: expect.stringContaining("held are 'order:8'"),
      });
    },
  );

  it('fails at once while the store refuses: no body runs, unless the method says so', async () => {
    const { kit, orders } = open({ clock });
    kit.fail();
    expect(await failureOf(orders.pay('7'))).toMatchObject({ code: 'LOCK_STORE', refused: true });
    expect(orders.paid).toBe(0);
    expect(await orders.payAnyway('7')).toBe('paid without a lock');
    expect(await failureOf(kit.locks.inspect('order:7'))).toMatchObject({ code: 'LOCK_STORE' });
    expect(await failureOf(kit.locks.latch('gate').count())).toMatchObject({ code: 'LOCK_STORE' });
    expect(await failureOf(kit.locks.list()[Symbol.asyncIterator]().next())).toMatchObject({
      code: 'LOCK_STORE',
    });
    expect(await failureOf(kit.locks.ready())).toMatchObject({ code: 'LOCK_STORE' });
    kit.recover();
    expect(await orders.pay('7')).toBe('paid');
  });

  it('serves a caller who waited through a failure of the store', async () => {
    const { kit, orders } = open({ clock });
    const theirs = await kit.hold('order:7');
    const waiting = orders.pay('7');
    await until('it waits', async () => (await kit.locks.inspect('order:7')).queue.length === 1);
    kit.fail('silent');
    await theirs.release(); // nobody hears of it
    kit.recover();
    expect(await waiting).toBe('paid');
  });

  it('says what is held, by whomever', async () => {
    const { kit, orders } = open({ clock });
    const work = orders.slow('7');
    await until('it works', () => orders.lease !== undefined);
    await kit.hold('book', { mode: 'read' });
    expect([...kit.held()].sort()).toEqual(['book', 'order:7']);
    expect([kit.held('book'), kit.held('order:7'), kit.held('order:8')]).toEqual([true, true, false]);
    expect(() => kit.held('')).toThrow(LockUsageError);
    orders.finish();
    await work;
    expect(kit.held()).toEqual(['book']);
  });

  it('closes what it opened, also while the store fails', async () => {
    const { kit, orders } = open({ clock, shutdownGrace: clock === 'manual' ? undefined : 0 });
    const lease = await kit.locks.acquire('order:8');
    await kit.hold('order:7');
    kit.fail();
    const released = lease.release();
    await kit.close();
    await released;
    expect(kit.held()).toEqual([]);
    expect(await failureOf(orders.pay('7'))).toMatchObject({ code: 'LOCK_BUSY', reason: 'closed' });
  });

  it('is disposed of at the end of its scope', async () => {
    const outside = open({ clock });
    {
      await using kit = outside.kit;
      await kit.hold('order:7');
    }
    expect(outside.kit.held()).toEqual([]);
  });
});

describe('a manual clock', () => {
  it('ends a wait when it is over, and not before', async () => {
    const { kit, orders } = manual();
    await kit.hold('order:7');
    const outcomes: unknown[] = [];
    void orders.pay('7').catch((error: unknown) => outcomes.push(error));
    await kit.advance(9_999);
    expect(outcomes).toEqual([]);
    await kit.advance('1ms');
    expect(outcomes).toMatchObject([{ code: 'LOCK_BUSY', reason: 'timeout', waited: 10_000 }]);
  });

  it('keeps a lease for as long as it is renewed, and stands still in between', async () => {
    const { kit, orders } = manual();
    const work = orders.slow('7');
    await kit.advance('1h');
    const { remaining } = orders.lease!;
    expect(remaining).toBeGreaterThan(6_000);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(orders.lease!.remaining).toBe(remaining);
    orders.finish();
    expect(await work).toBe('slowly');
  });

  it.each(['refusing', 'silent'] as const)(
    'takes a lease at its deadline when the store is %s until then, and no earlier',
    async (how) => {
      const { kit, orders } = manual();
      const work = orders.slow('7');
      await kit.advance(0);
      const { signal } = orders.lease!;
      kit.fail(how);
      await kit.advance('9s');
      expect([signal.aborted, orders.lease!.held]).toEqual([false, true]);
      await kit.advance('1s');
      expect([signal.aborted, orders.lease!.held]).toEqual([true, false]);
      orders.finish();
      expect(await failureOf(work)).toMatchObject({ code: 'LOCK_LOST', reason: 'expired' });
      kit.recover();
      await kit.advance('1s'); // its release is sent again
      expect(await orders.payNow('7')).toBe('paid 7');
    },
  );

  it('keeps a lease whose store recovers in time', async () => {
    const { kit, orders } = manual();
    const work = orders.slow('7');
    await kit.advance(0);
    kit.fail();
    await kit.advance('8s');
    kit.recover();
    await kit.advance('1m');
    orders.finish();
    expect(await work).toBe('slowly');
  });

  it('lets a caller of a silent store fail at the end of its command, or of its wait', async () => {
    const { kit, orders } = manual();
    kit.fail('silent');
    const outcomes: string[] = [];
    void orders.payNow('7').catch(({ code }) => outcomes.push(`once ${code}`));
    void orders.pay('8').catch(({ code }) => outcomes.push(`waiting ${code}`));
    await kit.advance(999);
    expect(outcomes).toEqual([]);
    await kit.advance(1);
    expect(outcomes).toEqual(['once LOCK_STORE']);
    await kit.advance('9s');
    expect(outcomes).toEqual(['once LOCK_STORE', 'waiting LOCK_STORE']);
  });

  it('frees the name of a process that died after its ttl and the guard', async () => {
    const { kit, orders } = manual();
    await kit.hold('order:7', { ttl: '5s' });
    await kit.advance(5_499);
    expect(await failureOf(orders.payNow('7'))).toMatchObject({ reason: 'held' });
    await kit.advance(2);
    expect(await orders.payNow('7')).toBe('paid 7');
  });

  it('serves those who wait for a process that died', async () => {
    const { kit, orders } = manual();
    await kit.hold('order:7', { ttl: '5s' });
    const waiting = orders.pay('7');
    await kit.advance('6s');
    expect(await waiting).toBe('paid');
  });

  it('moves everything that takes time: maxHold, minHold, done marks, and leaders', async () => {
    const { kit } = manual();
    const { locks } = kit;
    const lease = await locks.acquire('bounded', { maxHold: '1m' });
    await kit.advance('59s');
    expect(lease.held).toBe(true);
    await kit.advance('1s');
    expect(lease.held).toBe(false);
    await locks.using('shortly', () => undefined, { minHold: '30s' });
    expect(await locks.tryAcquire('shortly')).toBeUndefined();
    await kit.advance('31s');
    await (await locks.tryAcquire('shortly'))!.release();
    const once = () => locks.once('report', () => 'value', { doneTtl: '1h' });
    expect([await once(), await once()]).toEqual([{ ran: true, value: 'value' }, { ran: false }]);
    await kit.advance('1h');
    expect(await once()).toEqual({ ran: true, value: 'value' });
  });

  it('advances in the order of the calls', async () => {
    const { kit, orders } = manual();
    await kit.hold('order:7');
    const told: string[] = [];
    void orders.pay('7').catch(() => told.push('over'));
    await Promise.all([
      kit.advance('5s').then(() => told.push('five')),
      kit.advance('5s').then(() => told.push('ten')),
    ]);
    expect(told).toEqual(['five', 'over', 'ten']);
  });

  it.each([-1, '2 s' as never, NaN, 1e12])('is not advanced by %p', async (by) => {
    expect(await failureOf(manual().kit.advance(by))).toMatchObject({
      code: 'LOCK_USAGE',
      message: expect.stringMatching(/^The option advance takes 0ms to 8784h, /),
    });
  });

  it('is needed to advance', async () => {
    const { kit } = open();
    expect(await failureOf(kit.advance(1))).toMatchObject({
      code: 'LOCK_USAGE',
      message: expect.stringContaining("new LockTestKit({ clock: 'manual' })"),
    });
  });

  it('is system or manual', () => {
    for (const unknown of [{ clocks: 'manual' }, { redis: 'redis://h' }])
      expect(() => new LockTestKit(unknown as never)).toThrow(
        /no option '(clocks|redis)' here; the options are/,
      );
    expect(() => new LockTestKit(null as never)).toThrow(/options must be an object/);
    expect(() => new LockTestKit({ clock: 'fast' as never })).toThrow(
      "The option clock takes 'system' or 'manual'; it was 'fast'.",
    );
    expect(() => new LockTestKit().fail('slowly' as never)).toThrow(
      "fail() takes 'refusing' or 'silent'; it was given 'slowly'.",
    );
  });
});

describe('DistributedLockTestingModule', () => {
  it('has a kit for each registration, with a clock of its own', async () => {
    const module = await Test.createTestingModule({
      imports: [
        DistributedLockTestingModule.forRoot({ clock: 'manual' }),
        DistributedLockTestingModule.forRoot({ name: 'reports' }),
      ],
      providers: [Orders],
    }).compile();
    const [kit, reports] = [module.get(LockTestKit), module.get<LockTestKit>(getLockTestKitToken('reports'))];
    expect(kit.locks).toBe(module.get(LockService));
    const orders = module.get(Orders);
    await reports.hold('order:7');
    expect(await orders.payNow('7')).toBe('paid 7');
    await kit.hold('order:7');
    expect(await failureOf(orders.payNow('7'))).toMatchObject({ reason: 'held' });
    expect([kit.held(), reports.held()]).toEqual([['order:7'], ['order:7']]);
    await kit.advance('1m');
    expect(await failureOf(reports.advance('1m'))).toBeInstanceOf(LockUsageError);
    await module.close();
  });

  it('takes the place of the module of an application, whose kit it has', async () => {
    const LOCKS = DistributedLockModule.forRoot({ redis: 'redis://localhost:1' });
    const module = await Test.createTestingModule({ imports: [LOCKS], providers: [Orders] })
      .overrideModule(LOCKS)
      .useModule(DistributedLockTestingModule.forRoot({ clock: 'manual' }))
      .compile();
    await module.init();
    await module.get(LockTestKit).hold('order:7');
    const waiting = failureOf(module.get(Orders).pay('7'));
    await module.get(LockTestKit).advance('10s');
    expect(await waiting).toMatchObject({ reason: 'timeout' });
    await module.close();
  });

  it('closes at once with a manual clock, whatever is held, waited for, or failing', async () => {
    const module = await Test.createTestingModule({
      imports: [DistributedLockTestingModule.forRoot({ clock: 'manual' })],
      providers: [Orders],
    }).compile();
    await module.init();
    const [kit, orders] = [module.get(LockTestKit), module.get(Orders)];
    const work = failureOf(orders.slow('6'));
    await kit.hold('order:7');
    const waiting = orders.pay('7').then(
      () => 'served',
      ({ reason }) => String(reason),
    );
    await kit.advance(0);
    kit.fail();
    const began = performance.now();
    await module.close();
    expect(performance.now() - began).toBeLessThan(1_000);
    orders.finish();
    expect(await work).toMatchObject({ code: 'LOCK_LOST', reason: 'closed' });
    expect(['served', 'closed']).toContain(await waiting);
  });

  it('shows a shutdown with a grace, when the clock is advanced', async () => {
    const module = await Test.createTestingModule({
      imports: [DistributedLockTestingModule.forRoot({ clock: 'manual', shutdownGrace: '30s' })],
      providers: [Orders],
    }).compile();
    await module.init();
    const [kit, orders] = [module.get(LockTestKit), module.get(Orders)];
    const work = failureOf(orders.slow('7'));
    await kit.advance(0);
    const { signal } = orders.lease!;
    let closed = false;
    const closing = module.close().then(() => (closed = true));
    await kit.advance(0); // the grace begins
    await kit.advance('29s');
    expect([closed, signal.aborted]).toEqual([false, false]);
    await kit.advance('1s');
    expect(await abortOf(signal)).toMatchObject({ reason: 'closed' });
    await closing;
    orders.finish();
    await work;
  });

  it('refuses a clock that does not exist', async () => {
    const wrong = { imports: [DistributedLockTestingModule.forRoot({ clock: 'fast' as never })] };
    expect(await failureOf(Test.createTestingModule(wrong).compile())).toBeInstanceOf(LockUsageError);
  });
});
