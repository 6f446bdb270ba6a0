import type { Redis } from 'ioredis';
import type { LockLostError } from '../../lib/base/errors.js';
import { RedisStore } from '../../lib/store/redis/redis-store.js';
import { ClientRecipe } from '../../lib/store/redis/client-recipe.js';
import { SystemClock } from '../../lib/base/clock.js';
import { arenaForTests } from '../support/arena.js';
import { abortOf, failureOf, pass, until } from '../support/eventually.js';

/** Keeps the event loop from turning. */
function block(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

describe('a holder in trouble', () => {
  const arena = arenaForTests();

  it('event loop blocked past the renewal point, not past the lease: still held', async () => {
    const lease = await arena.open().acquire('x', { ttl: 1_500 });
    block(750);
    lease.assertHeld();
    await until('it is renewed', () => lease.remaining > 1_000);
    expect(await arena.open().tryAcquire('x')).toBeUndefined();
    await lease.release();
  });

  it('a server that is silent: at risk when half of the ttl is over, and no more when it answers', async () => {
    const ttl = 3_000;
    const { locks, proxy } = await arena.openBehindProxy({ ttl });
    const asked = performance.now();
    const lease = await locks.acquire('x');
    const granted = performance.now();
    const told: number[] = [];
    lease.onAtRisk(() => told.push(performance.now()));
    proxy.blackHole();
    await until('it is at risk', () => told.length > 0);
    expect(lease.atRisk).toBe(true);
    expect(told[0]! - asked).toBeGreaterThanOrEqual(ttl / 2 - 1); // counted from when the acquire was sent
    expect(told[0]! - granted).toTakeLessThan(ttl / 2 + 20, arena.lag.max);
    proxy.pass();
    await until('it is renewed', () => !lease.atRisk);
    lease.assertHeld();
    expect(told).toHaveLength(1);
    await lease.release();
  });

  it('blocked past the lease: assertHeld() throws at the first chance, before any timer has run', async () => {
    const lease = await arena.open().acquire('x', { ttl: 200 });
    const { signal } = lease;
    block(260);
    expect(signal.aborted).toBe(false);
    expect(() => lease.assertHeld()).toThrow(
      expect.objectContaining({ code: 'LOCK_LOST', reason: 'expired' }),
    );
    expect([lease.held, lease.remaining]).toEqual([false, 0]);
    expect(await abortOf(signal)).toMatchObject({ reason: 'expired' });
    expect(await lease.release()).toBe('expired');
  });

  it('the work returned, the lease is lost: LockLostError with the result, at once', async () => {
    let end = 0;
    const work = arena.open().using(
      'x',
      async (lease) => {
        await arena.admin.del('lock:x');
        await abortOf(lease.signal);
        end = performance.now();
        return { order: 7 };
      },
      { ttl: 300 },
    );
    const loss = await failureOf<LockLostError>(work);
    expect(performance.now() - end).toTakeLessThan(20, arena.lag.max);
    expect(loss).toMatchObject({ reason: 'taken', completed: true, result: { order: 7 } });
  });

  it('the work threw, the lease is lost: the work’s error is the cause', async () => {
    const error = new Error('card declined');
    const work = arena.open().using(
      'x',
      async (lease) => {
        await arena.admin.flushall();
        await abortOf(lease.signal);
        throw error;
      },
      { ttl: 300 },
    );
    expect(await failureOf(work)).toMatchObject({ code: 'LOCK_LOST', reason: 'taken', cause: error });
  });

  it('shortest ttl: at most one renewal in a third of it; too short a ttl is refused', async () => {
    const locks = arena.open();
    expect(await failureOf(locks.acquire('x', { ttl: 99 }))).toMatchObject({
      code: 'LOCK_USAGE',
      message: expect.stringMatching(/ttl takes 100ms to 24h.*it was 99/),
    });
    const lease = await locks.acquire('x', { ttl: 100 });
    const before = await evalshas(arena.admin);
    const start = performance.now();
    await pass(1_000);
    const most = (performance.now() - start) / 25; // every third, up to a tenth earlier, less the way
    expect((await evalshas(arena.admin)) - before).toBeLessThanOrEqual(most);
    await lease.release();
  });

  it('a stale holder cannot release, renew or dequeue its successor', async () => {
    const [one, two, three] = [arena.open(), arena.open(), arena.open()];
    const stale = await one.acquire('x', { ttl: 100, renew: false });
    await until('it is over', () => !stale.held);
    const successor = await two.acquire('x');
    const waiter = three.acquire('x');
    await arena.queued('x');
    expect(await stale.release()).toBe('expired');
    expect(await failureOf(stale.renew())).toMatchObject({ code: 'LOCK_LOST' });
    const state = await arena.state('x');
    expect([state.holders.length, state.queue.length]).toEqual([1, 1]);
    expect(state.holders[0]?.first).toBe(successor.fence);
    await successor.release();
    await (await waiter).release();
  });

  it('the store itself lets a stale id neither release, renew nor dequeue a successor', async () => {
    const settings = { namespace: 'lock', fenceMemory: 60_000, process: 'test:1', clock: new SystemClock() };
    const store = new RedisStore(new ClientRecipe(arena.server.url), settings);
    const successor = await arena.open().acquire('x');
    const waiter = arena.open().acquire('x');
    await arena.queued('x');
    const id = `${store.session}.stale`;
    const renew = { kind: 'renew', id, ttl: 9e6, guard: 0, block: 1, used: 0 } as const;
    expect(await store.execute('x', renew, 1_000)).toMatchObject({ outcome: 'lost' });
    const release = { kind: 'release', id, used: 0, keep: 0, done: 0 } as const;
    expect(await store.execute('x', release, 1_000)).toMatchObject({ outcome: 'gone' });
    const state = await arena.state('x');
    expect([state.holders.length, state.queue.length]).toEqual([1, 1]);
    await store.close();
    await successor.release();
    await (await waiter).release();
  });

  it('release twice, release after loss, renew after release: each has its answer', async () => {
    const locks = arena.open();
    const lease = await locks.acquire('x', { ttl: 300 });
    expect([await lease.release(), await lease.release()]).toEqual(['released', 'released']);
    expect(await failureOf(lease.renew())).toMatchObject({ code: 'LOCK_LOST', reason: 'released' });
    const lost = await locks.acquire('x', { ttl: 300 });
    await arena.admin.del('lock:x');
    expect(await abortOf(lost.signal)).toMatchObject({ reason: 'taken' });
    expect([await lost.release(), await lost.release()]).toEqual(['expired', 'expired']);
    expect(await failureOf(lost.renew())).toMatchObject({ code: 'LOCK_LOST', reason: 'taken' });
  });

  it('wall clocks 11 s apart: nobody is let in early, nobody is thought dead', async () => {
    const ahead = arena.open({}, new SystemClock(() => Date.now() + 11_000));
    const behind = arena.open({}, new SystemClock(() => Date.now() - 11_000));
    let inside = 0;
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        (index % 2 ? ahead : behind).using(
          'x',
          async (lease) => {
            expect([(inside += 1), lease.held, lease.remaining > 500]).toEqual([1, true, true]);
            await pass(2);
            inside -= 1;
          },
          { ttl: 1_000 },
        ),
      ),
    );
    const lease = await behind.acquire('x', { ttl: 400 });
    expect(await ahead.tryAcquire('x', { wait: 800 })).toBeUndefined();
    expect(lease.held).toBe(true);
    await lease.release();
  });

  it('fences strictly increase over expiry, release, revoke, FLUSHALL and DEL', async () => {
    const locks = arena.open();
    const fences: number[] = [];
    const take = async () => {
      const lease = await locks.acquire('x', { ttl: 200, renew: false });
      fences.push(lease.fence);
      return lease;
    };
    await (await take()).release();
    await take(); // expires
    await take();
    await locks.revoke('x', { reason: 'test', force: true });
    await take();
    await pass(250); // a block that was not given back lets the fence run ahead of the clock until its end
    await arena.admin.flushall();
    await take();
    await arena.admin.del('lock:x');
    await (await take()).release();
    expect(fences).toHaveLength(6);
    expect(fences).toEqual([...new Set(fences)].sort((a, b) => a - b));
  });
});

async function evalshas(admin: Redis): Promise<number> {
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(await admin.info('commandstats'))?.[1] ?? 0);
}
