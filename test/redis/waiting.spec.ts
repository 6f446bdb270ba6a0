import { describeWithRealRedis } from '../support/real-redis.js';
import { Redis } from 'ioredis';
import { arenaForTests } from '../support/arena.js';
import { failureOf, pass, until } from '../support/eventually.js';

describeWithRealRedis('waiting at the server', () => {
  const arena = arenaForTests();

  it.each(['16.1s', '1.1h'] as const)(
    'with fenceMemory %s, which is no whole number in binary',
    async (fenceMemory) => {
      const [holder, other] = [arena.open({ fenceMemory }), arena.open({ fenceMemory })];
      const lease = await holder.acquire('name');
      await expect(other.tryAcquire('name')).resolves.toBeUndefined();
      const next = other.acquire('name');
      await arena.queued('name');
      await lease.release();
      await (await next).release();
    },
  );

  it('one waiter gives up: the others still wake', async () => {
    const lease = await arena.open().acquire('x');
    const controller = new AbortController();
    const first = failureOf(arena.open().acquire('x', { wait: '1h', signal: controller.signal }));
    await arena.queued('x', 1);
    const others = [arena.open(), arena.open()].map((locks) => locks.using('x', () => performance.now()));
    await arena.queued('x', 3);
    await arena.listening(3);
    controller.abort();
    await first;
    const start = performance.now();
    await lease.release();
    for (const woken of await Promise.all(others)) expect(woken - start).toTakeLessThan(150, arena.lag.max);
  });

  it('the lock is released between the try and the subscription: nobody sleeps until the lease ends', async () => {
    const { locks, proxy } = await arena.openBehindProxy();
    for (let round = 0; round < 5; round += 1) {
      const holder = arena.open();
      const lease = await holder.acquire('x');
      const before = proxy.requests;
      const waiting = locks.acquire('x');
      await until('it tries', () => proxy.requests > before);
      await pass(round * 2); // anywhere between the first try and the notice that it can hear
      const start = performance.now();
      await lease.release();
      await (await waiting).release();
      expect(performance.now() - start).toTakeLessThan(200, arena.lag.max);
    }
  });

  it('a hundred local waiters: one place in the queue, a bounded number of commands, first come first served', async () => {
    const lease = await arena.open().acquire('x');
    const locks = arena.open();
    const order: number[] = [];
    const served = Array.from({ length: 100 }, (_, index) => locks.using('x', () => void order.push(index)));
    await arena.queued('x', 1);
    await arena.listening(1);
    const before = await evalshas(arena.admin);
    await pass(1_000);
    expect((await evalshas(arena.admin)) - before).toBeLessThan(8);
    await lease.release();
    await Promise.all(served);
    expect(order).toEqual(Array.from({ length: 100 }, (_, index) => index));
    expect((await evalshas(arena.admin)) - before).toBeLessThan(20);
  });

  it.each([undefined, 'shop:'])(
    'the subscriber’s connection drops, with keyPrefix %p: the next one is served all the same',
    async (keyPrefix) => {
      const source = new Redis(arena.server.url, { lazyConnect: true, ...(keyPrefix ? { keyPrefix } : {}) });
      const [holder, waiter] = [arena.open({ redis: source }), arena.open({ redis: source })];
      const lease = await holder.acquire('x');
      const waiting = waiter.acquire('x');
      await until('it waits', async () => (await holder.inspect('x')).queue.length === 1);
      await arena.listening(1);
      await arena.admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      const start = performance.now();
      await lease.release();
      await (await waiting).release();
      expect(performance.now() - start).toTakeLessThan(300, arena.lag.max);
      source.disconnect();
    },
  );

  it('the subscriber’s connection goes silent: the waiter notices, and is served by notices again', async () => {
    const { locks, proxy } = await arena.openBehindProxy();
    const holder = arena.open();
    const lease = await holder.acquire('x');
    const waiting = locks.acquire('x');
    await arena.listening(1);
    const connections = proxy.links.length;
    proxy.blackHole('both', () => true); // present ones: both connections: commands time out, notices do not come
    await until('it connects anew', () => proxy.links.length >= connections + 2);
    await arena.queued('x', 1);
    await lease.release();
    await (await waiting).release();
  }, 15_000); // two seconds of silence, and one for an echo that does not come

  it('all connections are killed while some hold and some wait: nobody loses the lock or the place', async () => {
    const lease = await arena.open().acquire('x', { ttl: 2_000 });
    const order: string[] = [];
    const served: Promise<unknown>[] = [];
    for (const who of ['first', 'second', 'third']) {
      served.push(arena.open().using('x', () => void order.push(who)));
      await arena.queued('x', served.length);
    }
    await arena.listening(3);
    await arena.admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await arena.admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await lease.renew().catch(() => undefined);
    await arena.listening(3);
    expect(lease.held).toBe(true);
    await lease.release();
    await Promise.all(served);
    expect(order).toEqual(['first', 'second', 'third']);
  });

  it('a notice that names nobody changes nothing', async () => {
    const [holder, locks] = [arena.open(), arena.open()];
    const lease = await holder.acquire('x');
    let granted = false;
    const waiting = locks.acquire('x').then((next) => ((granted = true), next));
    await arena.queued('x', 1);
    await arena.listening(1);
    const [channel = ''] = (await arena.admin.pubsub('CHANNELS', '*session:*')) as string[];
    const session = channel.split(':').at(-1) ?? '';
    const later = Date.now() * 1_000 + 60_000_000;
    for (const text of [
      `g ${session}.nobody ${later} = 2000000 1 0 0 seal lock:x`,
      `g other.attempt ${later} = 2000000 1 0 0 seal lock:x`,
      `r ${session}.nobody reason lock:x`,
      'g',
      '',
      '\0\n',
      'x'.repeat(10_000),
    ])
      expect(await arena.admin.publish(channel, text)).toBe(1);
    await pass(100);
    expect([granted, lease.held]).toEqual([false, true]);
    await lease.release();
    await (await waiting).release();
  });
});

async function evalshas(admin: Redis): Promise<number> {
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(await admin.info('commandstats'))?.[1] ?? 0);
}
