import { createLockService } from '../../lib/locks/create-lock-service.js';
import { describeWithRealRedis } from '../support/real-redis.js';
import { SentinelServers } from '../../tools/redis/sentinel-servers.js';

const QUIET = { warn: () => undefined };

describeWithRealRedis('acknowledged grants behind Sentinel', () => {
  let servers: SentinelServers;
  beforeAll(async () => (servers = await SentinelServers.start({ downAfter: 5_000 })), 60_000);
  afterAll(() => servers.stop());

  it('go on over a planned failover, and a lease of before is known to the new master', async () => {
    await servers.settled();
    const locks = createLockService({
      redis: servers.addresses,
      durability: { replicas: 1, timeout: '1s' },
      shutdownGrace: 0,
      log: QUIET,
    });
    await locks.ready();
    const before = await locks.acquire('before', { ttl: '30s' });
    expect(before.replicas).toBeGreaterThanOrEqual(1);
    let [granted, going] = [0, true];
    const work = (async () => {
      while (going) {
        await locks.using('busy', (lease) => expect(lease.replicas).toBeGreaterThanOrEqual(1), {
          wait: '20s',
        });
        granted += 1;
      }
    })();
    await servers.plannedFailover();
    const after = await locks.acquire('after', { wait: '20s' });
    expect(after.replicas).toBeGreaterThanOrEqual(1);
    going = false;
    await work;
    expect(granted).toBeGreaterThan(10);
    await before.renew();
    const { admin } = await servers.master();
    for (const name of ['before', 'after']) expect(await admin.exists(`lock:${name}`)).toBe(1);
    await locks.close();
  }, 60_000);
});
