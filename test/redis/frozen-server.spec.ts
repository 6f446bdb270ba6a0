import { SystemClock } from '../../lib/base/clock.js';
import type { LockBusyError, LockStoreError } from '../../lib/base/errors.js';
import { arenaForTests } from '../support/arena.js';
import { abortOf, failureOf, pass, until } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';

describeWithRealRedis('a server that is frozen', () => {
  const arena = arenaForTests();
  // A command has a third of the ttl: what is not answered is settled soon.
  const QUICK = { ttl: 600 };

  it('frozen server: acquire rejects within its wait, and says that the store did not answer', async () => {
    const locks = arena.open(QUICK);
    await locks.ready();
    await (await locks.acquire('warm')).release();
    await arena.freeze();
    for (const wait of [50, 400]) {
      const start = performance.now();
      const error = await failureOf<LockStoreError>(locks.acquire('x', { wait }));
      expect(performance.now() - start).toTakeLessThan(wait + 50, arena.lag.max);
      expect(error).toMatchObject({ code: 'LOCK_STORE', lockName: 'x' });
      expect(error.message).toMatch(/did not answer/);
    }
  });

  it('frozen server: tryAcquire rejects in time, also when others wait behind it', async () => {
    const locks = arena.open(QUICK);
    await (await locks.acquire('warm')).release();
    await arena.freeze();
    const start = performance.now();
    const once = failureOf(locks.tryAcquire('x'));
    const patient = failureOf(locks.acquire('x', { wait: 700 }));
    expect(await once).toMatchObject({ code: 'LOCK_STORE' });
    expect(performance.now() - start).toTakeLessThan(2 * 200 + 50, arena.lag.max);
    expect(await patient).toMatchObject({ code: 'LOCK_STORE' });
  });

  it('frozen server: an abort rejects at once', async () => {
    const locks = arena.open(QUICK);
    await (await locks.acquire('warm')).release();
    await arena.freeze();
    const controller = new AbortController();
    const waiting = failureOf<LockBusyError>(locks.acquire('x', { signal: controller.signal }));
    await pass(100);
    const start = performance.now();
    controller.abort();
    expect(await waiting).toMatchObject({ code: 'LOCK_BUSY', reason: 'aborted' });
    expect(performance.now() - start).toTakeLessThan(20, arena.lag.max);
  });

  it('frozen server: several names reject within their wait, though the first one is held already', async () => {
    const locks = arena.open(QUICK);
    const other = await arena.open().acquire('z');
    const start = performance.now();
    const waiting = failureOf(locks.using(['a', 'z'], () => undefined, { wait: 500 }));
    await arena.queued('z');
    await arena.freeze();
    await waiting;
    expect(performance.now() - start).toTakeLessThan(500 + 50, arena.lag.max);
    arena.thaw();
    await other.release();
  });

  it('acquire gives up while its command is in flight: the late grant is released', async () => {
    const locks = arena.open(QUICK);
    await (await locks.acquire('warm')).release();
    await arena.freeze();
    const controller = new AbortController();
    const aborted = failureOf(locks.acquire('x', { signal: controller.signal }));
    const timedOut = failureOf(locks.acquire('y', { wait: 200 }));
    await pass(50);
    controller.abort();
    await Promise.all([aborted, timedOut]);
    arena.thaw();
    const start = performance.now();
    const other = arena.open();
    await using _x = await other.acquire('x', { wait: 2_000 });
    await using _y = await other.acquire('y', { wait: 2_000 });
    expect(performance.now() - start).toTakeLessThan(200 + 100, arena.lag.max);
  });

  it('frozen while held: the signal comes by the deadline, and the lease is free soon after', async () => {
    const locks = arena.open(QUICK);
    const lease = await locks.acquire('x', { ttl: 500 });
    const lost = abortOf(lease.signal);
    await pass(50);
    await arena.freeze();
    const start = performance.now();
    const left = lease.remaining;
    expect(await lost).toMatchObject({ code: 'LOCK_LOST', reason: 'expired' });
    // Lost at the deadline, not before: one renewal may have been answered before the server froze.
    expect(performance.now() - start).toTakeLessThan(left + 500 + 20, arena.lag.max);
    expect([lease.held, lease.remaining]).toEqual([false, 0]);
    arena.thaw();
    await using _next = await arena.open().acquire('x', { wait: 2_000 });
  });

  it.each([
    ['back', -3_600_000],
    ['forwards', 3_600_000],
  ])(
    'frozen while held: the signal comes by the deadline when the wall clock steps %s',
    async (_how, step) => {
      let wall = 0;
      const locks = arena.open({}, new SystemClock(() => Date.now() + wall));
      const lease = await locks.acquire('x', { ttl: 400 });
      const { signal } = lease;
      await arena.freeze();
      const end = performance.now() + lease.remaining;
      wall = step;
      // A step back has no effect; after a step forwards the machine may have slept, and nothing is proven.
      expect(lease.held).toBe(step < 0);
      expect(await abortOf(signal)).toMatchObject({ reason: 'expired' });
      expect(performance.now() - end).toTakeLessThan(20, arena.lag.max);
      expect(lease.held).toBe(false);
    },
  );

  it('leaves nothing at the server when it was frozen for longer than everybody waited', async () => {
    const locks = arena.open(QUICK);
    const held = await locks.acquire('held', { ttl: 1_000 });
    await arena.freeze();
    const refused = Array.from({ length: 20 }, (_, index) =>
      failureOf(locks.acquire(`name:${index}`, { wait: 100 + index * 20 })),
    );
    await Promise.all(refused);
    await pass(600);
    arena.thaw();
    await held.release();
    await until('no key has a holder', async () => {
      const states = await Promise.all(
        Array.from({ length: 20 }, (_, index) => arena.state(`name:${index}`)),
      );
      return states.every(({ holders, queue }) => holders.length + queue.length === 0);
    });
  });
});
