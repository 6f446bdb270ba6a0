import { AsyncLocalStorage } from 'node:async_hooks';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import type { LockService } from '../../lib/locks/lock-service.js';
import { arenaForTests, portOf } from '../support/arena.js';
import { pass, until } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';

describeWithRealRedis('a connection that is lost', () => {
  const said: string[] = [];
  const services: LockService[] = [];
  const log = {
    warn: (message: string) => void said.push(`warn ${message}`),
    log: (message: string) => void said.push(`log ${message}`),
  };
  beforeEach(() => (said.length = 0));
  afterEach(() => Promise.all(services.splice(0).map((locks) => locks.close())));
  const arena = arenaForTests(); // which waits for them

  function open(redis: string): LockService {
    const locks = createLockService({ redis, shutdownGrace: 0, log });
    services.push(locks);
    return locks;
  }

  it('is told in one line, and that it is back in another, with how long it was away', async () => {
    const proxy = await arena.proxy();
    const locks = open(proxy.url);
    await locks.using('x', () => undefined);
    expect(said).toEqual([]); // the first connection is no news
    proxy.leadTo(1);
    proxy.reset();
    await until('it is gone', () => said.length === 1);
    await pass(150); // several attempts to connect
    proxy.leadTo(portOf(arena.server));
    await until('it is back', () => said.length > 1);
    expect(said).toEqual([
      expect.stringMatching(
        /^warn Redis at redis:\/\/\S+ is gone \(.+\): no lock can be taken until it is back/,
      ),
      expect.stringMatching(/^log Redis at redis:\/\/\S+ is back after \d+ ms\.$/),
    ]);
    expect(Number(/after (\d+)/.exec(said[1] ?? '')?.[1])).toBeGreaterThan(140);
    await locks.close();
    expect(said).toHaveLength(2); // and so is a close of ours
  });

  it('and its return are heard by leases and callers though the log throws', async () => {
    const proxy = await arena.proxy();
    let thrown = 0;
    const fails = (): never => {
      thrown += 1;
      throw new Error('the log is full');
    };
    const locks = createLockService({
      ...{ redis: proxy.url, shutdownGrace: 0, ttl: '20s' },
      log: { warn: fails, log: fails },
    });
    services.push(locks);
    const lease = await locks.acquire('x');
    await arena.admin.del('lock:x');
    proxy.reset();
    await until('both are said', () => thrown >= 2);
    await lease.renew().catch(() => undefined);
    expect(lease.held).toBe(false);
    await expect(locks.tryAcquire('x')).resolves.toMatchObject({ held: true });
  });

  it('does not cost a caller that asks once its lock: the question goes over the next connection', async () => {
    const proxy = await arena.proxy();
    const locks = open(proxy.url);
    await (await locks.acquire('x')).release();
    for (let round = 0; round < 5; round += 1) {
      proxy.reset();
      const lease = await locks.tryAcquire('x'); // before this process hears of it
      expect(lease?.held).toBe(true);
      await lease?.release();
    }
  });

  it('is opened, and opened again, in no caller’s async context', async () => {
    const request = new AsyncLocalStorage<string>();
    const seen: (string | undefined)[] = [];
    const proxy = await arena.proxy();
    const watch = (): void => void seen.push(request.getStore());
    const locks = createLockService({ redis: proxy.url, shutdownGrace: 0, log: { warn: watch, log: watch } });
    services.push(locks);
    for (const name of ['A', 'B']) {
      await request.run(name, () => locks.using('x', () => undefined));
      proxy.reset();
      await request.run(name, () => locks.using('x', () => undefined));
    }
    await until('all is said', () => seen.length === 4);
    expect(seen).toEqual([undefined, undefined, undefined, undefined]);
  });
});
