import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import type { LockService } from '../../lib/locks/lock-service.js';
import { describeWithRealRedis } from '../support/real-redis.js';
import { ShardingProxy, shardOf } from '../support/sharding-proxy.js';

describeWithRealRedis('a proxy that keeps keys on several servers and does not say so', () => {
  let servers: RunningRedis[];
  let proxy: ShardingProxy;
  let opened: LockService[] = [];
  beforeAll(async () => {
    servers = [await startRedis({ given: false }), await startRedis({ given: false })];
    const [one = 0, two = 0] = servers.map(({ url }) => Number(new URL(url).port));
    proxy = await ShardingProxy.start([one, two]);
  });
  afterEach(() => Promise.all(opened.splice(0).map((locks) => locks.close())));
  afterAll(async () => {
    await proxy.close();
    await Promise.all(servers.map((server) => server.stop()));
  });

  it('serves each name where its key is, also when several are asked for at once', async () => {
    const open = () =>
      createLockService({ redis: { port: proxy.port }, shutdownGrace: 0, log: { warn: () => undefined } });
    const [one, two] = [open(), open()];
    opened = [one, two];
    const names = Array.from({ length: 10 }, (_, index) => `name ${index}`);
    expect(new Set(names.map((name) => shardOf(`lock:${name}`))).size).toBe(2);
    await one.using('warm-up', () => undefined);
    const leases = await Promise.all(names.map((name) => one.acquire(name)));
    for (const name of names) expect(await two.tryAcquire(name)).toBeUndefined();
    await Promise.all(leases.map((lease) => lease.release()));
    for (const name of names) await two.using(name, () => undefined, { wait: 0 });
  });
});
