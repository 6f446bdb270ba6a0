import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis-5';
import type { LockStoreError } from '../../lib/base/errors.js';
import { startRedis } from '../../tools/redis/start-redis.js';
import { arenaForTests, portOf } from '../support/arena.js';
import { abortOf, failureOf, pass, until } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';

describeWithRealRedis('a server that changes under the locks', () => {
  const arena = arenaForTests();

  it.each([
    ['5', Redis5 as unknown as typeof Redis],
    ['6', Redis],
  ])(
    'it reads its data: a client of ioredis %s says so, and is served as soon as that is done',
    async (_, Client) => {
      const proxy = await arena.proxy();
      proxy.rewrite((reply) => reply.replace('loading:0', 'loading:1'), 'down');
      const client = new Client({ port: proxy.port, lazyConnect: true });
      const locks = arena.open({ redis: client });
      const error = await failureOf<LockStoreError>(locks.acquire('x', { wait: '2500ms' }));
      expect(error.message).toMatch(/is not reachable \(LOADING Redis is loading the dataset in memory\)/);
      expect(proxy.links).toHaveLength(1); // it answers, so it is not left
      proxy.pass();
      const since = performance.now();
      await locks.using('x', () => undefined);
      expect(performance.now() - since).toBeLessThan(1_500);
      client.disconnect();
    },
  );

  it('SCRIPT FLUSH: holders, waiters and newcomers are served', async () => {
    const [holder, waiter] = [arena.open(), arena.open()];
    const lease = await holder.acquire('x', { ttl: 600 });
    const waiting = waiter.acquire('x');
    await arena.queued('x');
    await arena.admin.script('FLUSH');
    await lease.renew();
    await arena.admin.script('FLUSH');
    expect(await lease.release()).toBe('released');
    await (await waiting).release();
    await arena.admin.script('FLUSH');
    await Promise.all(
      Array.from({ length: 20 }, (_, index) => holder.using(`name:${index}`, () => undefined, { wait: 0 })),
    );
  });

  it('the server restarts empty: the holder learns it, waiters go on, fences grow', async () => {
    const proxy = await arena.proxy();
    const old = await startRedis({ given: false });
    proxy.leadTo(portOf(old));
    const [holder, waiter] = [arena.open({ redis: proxy.url }), arena.open({ redis: proxy.url })];
    const lease = await holder.acquire('x', { ttl: 600 });
    const lost = abortOf(lease.signal);
    const waiting = waiter.acquire('x');
    await until('the waiter stands in line', async () => (await holder.inspect('x')).queue.length === 1);
    await old.stop();
    proxy.leadTo(portOf(arena.server));
    const next = await waiting;
    expect(await lost).toMatchObject({ code: 'LOCK_LOST', reason: expect.stringMatching(/taken|expired/) });
    expect(next.fence).toBeGreaterThan(lease.fence);
    expect(await lease.release()).toBe('expired');
    expect(next.held).toBe(true);
    await next.release();
  });

  it('failover to a replica that has the grant: the holder goes on, the waiter keeps its place', async () => {
    const proxy = await arena.proxy();
    const [old, replica] = [
      await startRedis({ args: ['--repl-diskless-sync-delay', '0'] }),
      await startRedis({ given: false }),
    ];
    const [master, admin] = [new Redis(old.url), new Redis(replica.url)];
    await admin.replicaof('127.0.0.1', portOf(old));
    await until(
      'it is in step',
      async () => /master_link_status:up/.test(await admin.info('replication')),
      20_000,
    );
    proxy.leadTo(portOf(old));
    const [holder, waiter] = [arena.open({ redis: proxy.url }), arena.open({ redis: proxy.url })];
    const lease = await holder.acquire('x', { ttl: 10_000 });
    const waiting = waiter.acquire('x');
    await until('the waiter stands in line', async () => (await holder.inspect('x')).queue.length === 1);
    const offset = offsetIn('master_repl', await master.info('replication'));
    await until('the replica knows it', async () => {
      return offsetIn('slave_repl', await admin.info('replication')) >= offset;
    });
    master.disconnect();
    await old.stop();
    await admin.replicaof('NO', 'ONE');
    proxy.leadTo(portOf(replica));
    await until('the holder is connected anew', () =>
      lease.renew().then(
        () => true,
        () => false,
      ),
    );
    expect(lease.held).toBe(true);
    expect((await holder.inspect('x')).queue).toHaveLength(1);
    expect(await lease.release()).toBe('released');
    const next = await waiting;
    expect(next.fence).toBeGreaterThan(lease.fence);
    await next.release();
    await Promise.all([holder.close(), waiter.close()]);
    await until('the connections are closed', () => proxy.open === 0);
    admin.disconnect();
    await replica.stop();
  }, 40_000);

  it.each([
    ['a text', (admin: Redis) => admin.set('lock:x', 'mine')],
    ['a list', (admin: Redis) => admin.lpush('lock:x', 'mine')],
    ['a hash of somebody else', (admin: Redis) => admin.hset('lock:x', 'mine', '1')],
  ])(
    'a foreign value under our key, %s: a named error at once, and the value is left alone',
    async (_what, put) => {
      await put(arena.admin);
      const locks = arena.open();
      const before = await arena.admin.dump('lock:x');
      const start = performance.now();
      for (const fail of [
        () => locks.acquire('x', { wait: 5_000 }),
        () => locks.tryAcquire('x'),
        () => locks.inspect('x'),
        () => locks.revoke('x', { reason: 'test' }),
      ]) {
        const error = await failureOf<LockStoreError>(fail());
        expect(error).toMatchObject({ code: 'LOCK_STORE', lockName: 'x', refused: true });
        expect(error.message).toMatch(/foreign value/);
      }
      // Asked together with it, another name is none the worse for it.
      const together = await Promise.allSettled([locks.tryAcquire('x'), locks.tryAcquire('y')]);
      expect(together.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
      expect(performance.now() - start).toTakeLessThan(500, arena.lag.max);
      expect(await arena.admin.dump('lock:x')).toEqual(before);
      await arena.admin.del('lock:x');
    },
  );

  it('a foreign value that replaces a held lock: the holder learns it at its next renewal', async () => {
    const lease = await arena.open().acquire('x', { ttl: 3_000 });
    await arena.admin.set('lock:x', 'mine');
    expect(await abortOf(lease.signal)).toMatchObject({ code: 'LOCK_LOST', reason: 'taken' });
    expect(lease.remaining).toBe(0);
    await arena.admin.del('lock:x');
  });

  it('a foreign value that replaces a held lock is left alone by the release, which is not repeated', async () => {
    const lease = await arena.open().acquire('x');
    await arena.admin.set('lock:x', 'mine');
    const before = scriptsIn(await arena.admin.info('commandstats'));
    expect(await lease.release()).toBe('expired');
    await pass(120);
    expect(scriptsIn(await arena.admin.info('commandstats'))).toBe(before + 1);
    expect(await arena.admin.get('lock:x')).toBe('mine');
    await arena.admin.del('lock:x');
  });

  it.each([
    ['6', (url: string) => new Redis(url, { db: 3, keyPrefix: 'shop:' })],
    ['5', (url: string) => new Redis5(url, { db: 3, keyPrefix: 'shop:' })],
  ])(
    'a client of ioredis %s on db 3, with a keyPrefix: its locks are there, it is not used and not closed',
    async (_version, make) => {
      const client = make(arena.server.url);
      await client.ping();
      const sent: unknown[] = [];
      const send = client.sendCommand.bind(client) as (...args: unknown[]) => unknown;
      client.sendCommand = (...args: unknown[]) => (sent.push(args[0]), send(...args));
      const locks = arena.open({ redis: client });
      const lease = await locks.acquire('x');
      const db3 = new Redis(arena.server.url, { db: 3 });
      expect(await db3.keys('*')).toEqual(['shop:lock:x']);
      expect(await arena.admin.keys('*')).not.toContain('lock:x');
      // Another service on the same db, made from options, meets it there.
      const options = { host: '127.0.0.1', port: portOf(arena.server), db: 3, keyPrefix: 'shop:' };
      expect(await arena.open({ redis: options }).tryAcquire('x')).toBeUndefined();
      const waiting = arena.open({ redis: options }).acquire('x');
      await until('it waits', async () => (await locks.inspect('x')).queue.length === 1);
      await lease.release();
      await (await waiting).release();
      await locks.close();
      expect(sent).toEqual([]);
      expect(await client.ping()).toBe('PONG');
      client.disconnect();
      db3.disconnect();
    },
  );

  it('a db that the server does not have: nothing is locked in another one', async () => {
    const locks = arena.open({ redis: `${arena.server.url}/99` });
    const error = await failureOf<LockStoreError>(locks.acquire('x', { wait: 5_000 }));
    expect(error).toMatchObject({ code: 'LOCK_STORE', refused: true, lockName: 'x' });
    expect(error.message).toMatch(/\/99 cannot be used: ERR DB index is out of range/);
    expect(await failureOf(locks.ready())).toMatchObject({ code: 'LOCK_STORE' });
    expect(await arena.admin.keys('*')).toEqual([]);
  });

  it('the application closes its client first: leases are still released', async () => {
    const client = new Redis(arena.server.url);
    const locks = arena.open({ redis: client });
    await locks.acquire('x');
    await client.quit();
    await locks.close();
    expect((await arena.state('x')).holders).toEqual([]);
  });
});

function scriptsIn(stats: string): number {
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? NaN);
}

function offsetIn(whose: 'master_repl' | 'slave_repl', info: string): number {
  return Number(new RegExp(`${whose}_offset:(\\d+)`).exec(info)?.[1] ?? NaN);
}
