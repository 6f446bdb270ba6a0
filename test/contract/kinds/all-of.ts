import type { LockBusyError, LockLostError } from '../../../lib/base/errors.js';
import { abortOf, failureOf, until } from '../../support/eventually.js';
import type { Fixture } from '../locks/fixture.js';
import { Gate, Room } from './gate.js';

export function allOfContract(fixture: Fixture): void {
  const names = (count: number): string[] => Array.from({ length: count }, () => fixture.another('all'));

  it('are taken in random order by many callers of two services, and none of them waits in vain', async () => {
    const all = names(4);
    const rooms = new Map(all.map((name) => [name, new Room()]));
    await Promise.all(
      Array.from({ length: 60 }, (_, index) => {
        const some = all.filter((_name, at) => (index >> at) & 1 || at === index % 4);
        if (index % 3) some.reverse();
        return (index % 2 ? fixture.one : fixture.two).allOf(some).using(async () => {
          await Promise.all(some.map(async (name) => rooms.get(name)?.stay()));
        });
      }),
    );
    for (const room of rooms.values()) expect(room.most).toBe(1);
  });

  it('are all held or none: what was taken is given back when one is not free', async () => {
    const { one, two } = fixture;
    const [first = '', second = '', third = ''] = names(3);
    await using _lease = await two.acquire(second);
    for (const wait of [0, 60]) {
      const busy = await failureOf<LockBusyError>(one.allOf([third, second, first]).acquire({ wait }));
      expect(busy).toMatchObject({ lockName: second, reason: wait === 0 ? 'held' : 'timeout' });
      for (const name of [first, third])
        await until('it is given back', async () => (await fixture.report(name)).inUse === 0);
    }
    expect(await one.allOf([first, second]).tryAcquire()).toBeUndefined();
  });

  it('give back what was taken when the caller goes, its service closes, or an option is bad', async () => {
    const { one, two } = fixture;
    const [first = '', second = ''] = names(2);
    await using _lease = await two.acquire(second);
    const controller = new AbortController();
    const leaving = failureOf(one.allOf([first, second]).acquire({ signal: controller.signal }));
    await fixture.queued(1, second);
    expect((await fixture.report(first)).inUse).toBeGreaterThan(0);
    controller.abort('enough');
    expect(await leaving).toMatchObject({ reason: 'aborted', cause: 'enough' });
    const locks = fixture.open();
    const closed = failureOf(locks.allOf([first, second]).acquire());
    await fixture.queued(1, second);
    await locks.close();
    expect(await closed).toMatchObject({ reason: 'closed' });
    const bad = one.allOf([first, one.semaphore(fixture.name, 2)]).acquire({ units: 3 } as never);
    expect(await failureOf(bad)).toMatchObject({ code: 'LOCK_USAGE' });
    await until('it is free', async () => (await fixture.report(first)).inUse === 0);
  });

  it('are held for maxHold from when all are held, however long the others were waited for', async () => {
    const { one, two } = fixture;
    const [free = '', busy = ''] = names(2);
    for (const renew of [true, false]) {
      const lease = await two.acquire(busy);
      const waiting = one.allOf([free, busy]).acquire({ maxHold: 200, renew });
      await fixture.queued(1, busy);
      await new Promise((resolve) => setTimeout(resolve, 300));
      await lease.release();
      await using both = await waiting;
      const start = performance.now();
      expect(both.remaining).toBeGreaterThan(150);
      expect(both.remaining).toBeLessThanOrEqual(200);
      await both.renew();
      const loss = await abortOf<LockLostError>(both.signal);
      expect(loss.reason).toBe('max-hold');
      expect(performance.now() - start).toTakeLessThan(250, fixture.lag.max);
    }
    const bad = one.allOf([free, busy]).acquire({ maxHold: 1 });
    expect(await failureOf(bad)).toMatchObject({ code: 'LOCK_USAGE' });
  });

  it('may be of any kind, and each keeps its rules', async () => {
    const { one, two } = fixture;
    const [mutex = '', shared = '', permits = ''] = names(3);
    const lock = one.allOf([mutex, one.readWrite(shared).read, one.semaphore(permits, 2)]);
    await lock.using(async (lease) => {
      expect([...lease.names].sort()).toEqual([mutex, shared, permits].sort());
      expect(await two.tryAcquire(mutex)).toBeUndefined();
      await (await two.readWrite(shared).read.acquire({ wait: 0 })).release();
      expect(await two.readWrite(shared).write.tryAcquire()).toBeUndefined();
      expect(await two.semaphore(permits, 2).available()).toBe(1);
    });
    for (const name of [mutex, shared, permits])
      await until('it is free', async () => (await fixture.report(name)).inUse === 0);
  });

  it('may be nested: all of some and others', async () => {
    const [a = '', b = '', c = ''] = names(3);
    const lock = fixture.one.allOf([fixture.one.allOf([b, a]), c, a]);
    await lock.using((lease) => expect(lease.names).toEqual([a, b, c].sort()));
  });

  it('have a fence each, and together a lease that says so', async () => {
    const [a = '', b = ''] = names(2);
    await fixture.one.allOf([a, b]).using((lease) => {
      for (const name of [a, b]) expect(String(lease.fenceOf(name))).toMatch(/^\d{16}$/);
      expect(() => lease.fence).toThrow('use fenceOf(name)');
      expect(() => lease.fenceOf('another')).toThrow(`not on 'another'`);
      expect([fixture.one.current(a)?.fence, fixture.one.current(b)?.fence]).toEqual([
        lease.fenceOf(a),
        lease.fenceOf(b),
      ]);
      expect(fixture.one.current()).toBe(lease);
    });
    await fixture.one.allOf([a]).using((lease) => expect(lease.fence).toBe(lease.fenceOf(a)));
  });

  it('are held until the earliest of their deadlines, renewed and lost together', async () => {
    const { one, two } = fixture;
    const [a = '', b = ''] = names(2);
    const lease = await one.allOf([a, b]).acquire({ ttl: 2_000 });
    const parts = await Promise.all([a, b].map((name) => fixture.report(name)));
    const earliest = Math.min(...parts.map(({ holders }) => holders[0]?.remaining ?? 0));
    expect(lease.remaining).toBeLessThanOrEqual(earliest);
    await lease.renew(9_000);
    expect(lease.remaining).toBeGreaterThan(7_000);
    const lost = new Promise((resolve) => lease.signal.addEventListener('abort', resolve));
    await two.revoke(b, { reason: 'test' });
    await lost;
    expect([lease.held, lease.signal.reason]).toMatchObject([false, { code: 'LOCK_LOST', lockName: b }]);
    expect(() => lease.assertHeld()).toThrow(b);
    expect(await lease.release()).toBe('expired');
    expect((await fixture.report(a)).inUse).toBe(0);
  });

  it('stay alive while the others are waited for, also those that shall not be renewed later', async () => {
    const { one, two } = fixture;
    const [a = '', b = ''] = names(2).sort();
    const blocking = await two.acquire(b);
    const waiting = one.allOf([a, b]).acquire({ ttl: 300, renew: false });
    await fixture.queued(1, b);
    await new Promise((resolve) => setTimeout(resolve, 600)); // longer than the first would last by itself
    expect(await two.tryAcquire(a)).toBeUndefined();
    await blocking.release();
    const lease = await waiting;
    expect(lease.remaining).toBeGreaterThan(0);
    await until('the lease ends by itself', () => !lease.held);
    await lease.release();
  });

  it('are entered by a call that holds some of them: the missing are taken, and the siblings take turns', async () => {
    const { one, two, name } = fixture;
    const [other = ''] = names(1);
    const room = new Room();
    const nested = { reentrant: true };
    await one.using(name, (outer) =>
      Promise.all([
        one.allOf([name, other]).using(async (lease) => {
          expect(lease.fenceOf(name)).toBe(outer.fence);
          expect(await two.tryAcquire(other)).toBeUndefined();
          expect([...lease.names].sort()).toEqual([name, other].sort());
          await one
            .allOf([other, name])
            .using((inner) => expect(inner.fenceOf(other)).toBe(lease.fenceOf(other)), nested);
          await room.stay(5);
        }, nested),
        one.using(name, () => room.stay(5), nested),
      ]),
    );
    expect(room.most).toBe(1);
    await until('the other is free', async () => (await fixture.report(other)).inUse === 0);
    expect((await fixture.report(name)).inUse).toBe(0);
  });

  it('in opposite order one by one end by wait, with an error that names both and the remedy', async () => {
    const { one, two, name } = fixture;
    const [other = ''] = names(1);
    const [first, second] = [new Gate(), new Gate()];
    const crossed = await Promise.allSettled([
      one.using(name, async () => {
        first.open();
        await second.opened;
        await one.using(other, () => 'both', { wait: 80 });
      }),
      two.using(other, async () => {
        second.open();
        await first.opened;
        return two.using(name, () => 'both', { wait: '5s' });
      }),
    ]);
    expect(crossed[1]).toMatchObject({ status: 'fulfilled', value: 'both' });
    const { reason } = crossed[0] as PromiseRejectedResult;
    expect(reason).toMatchObject({ code: 'LOCK_BUSY', reason: 'timeout', lockName: other });
    expect((reason as Error).message).toContain(`holds '${name}'`);
    expect((reason as Error).message).toContain(`allOf(['${name}', '${other}'])`);
  });

  it('refuse an empty list, what is no lock, and one name in two ways', () => {
    const { one, name } = fixture;
    expect(() => one.allOf([])).toThrow('list of locks is empty');
    expect(() => one.allOf('name' as never)).toThrow('takes a list');
    expect(() => one.allOf([{} as never])).toThrow('locks of this library');
    expect(() => one.allOf([name, one.readWrite(name).read])).toThrow('in different ways');
    expect(() => one.allOf([one.semaphore(name, 2), one.semaphore(name, 2)])).toThrow('in different ways');
  });

  it('refuse a lock of another LockService, which would be taken for one of theirs', () => {
    const { one, two, name } = fixture;
    const [other = ''] = names(1);
    const elsewhere = `another LockService: '${name}' is locked there, not here`;
    for (const lock of [two.mutex(name), two.readWrite(name).read, two.semaphore(name, 2), two.allOf([name])])
      for (const list of [[lock], [lock, one.mutex(name)], [one.mutex(other), lock]])
        expect(() => one.allOf(list)).toThrow(elsewhere);
  });
}
