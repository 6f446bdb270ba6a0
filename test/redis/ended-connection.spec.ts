import { createLockService } from '../../lib/locks/create-lock-service.js';
import type { LockService } from '../../lib/locks/lock-service.js';
import { SentinelServers } from '../../tools/redis/sentinel-servers.js';
import { Child } from '../support/child.js';
import { until } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';
import { TcpProxy } from '../support/tcp-proxy.js';

describe('a connection that cannot even be tried', () => {
  it.each([
    ['port', /Port should be/i],
    ['number', /Port should be/i],
    ['certificate', /PEM/],
  ])(
    'because of its %s: calls fail with the words of the error, and no process ends without them',
    async (wrong, words) => {
      const child = new Child('test/support/unconnected-process.ts', wrong);
      const ended = await child.endsWithin(15_000);
      await child.kill();
      expect(ended).toBe(0);
      const said = child.said.trimEnd().split('\n');
      expect(said).toHaveLength(4);
      for (const line of said) {
        expect(line).toMatch(/^(ready|try|again|wait) failed: Redis at \S+ is not reachable \(/);
        expect(line).toMatch(words);
      }
    },
    20_000,
  );
});

describeWithRealRedis('a connection that ioredis gave up, since the sentinelRetryStrategy says so', () => {
  let topology: SentinelServers;
  let proxy: TcpProxy;
  const opened: LockService[] = [];
  beforeAll(async () => {
    topology = await SentinelServers.start();
    proxy = await TcpProxy.start(topology.sentinels[0]!.port);
  }, 60_000);
  afterAll(async () => {
    await Promise.all(opened.map((locks) => locks.close()));
    await proxy.close();
    await topology.stop();
  });

  function open(more: object = {}): LockService {
    const sentinels = [{ host: '127.0.0.1', port: proxy.port }];
    const redis = { ...topology.addresses, sentinels, updateSentinels: false, ...more };
    const locks = createLockService({ redis, shutdownGrace: 0, log: { warn: () => undefined } });
    opened.push(locks);
    return locks;
  }

  it('is made anew for the next command, and so is the one for notices', async () => {
    const { admin } = await topology.master();
    const listening = async (): Promise<boolean> =>
      ((await admin.pubsub('CHANNELS', '*session:*')) as string[]).length > 0;
    const locks = open({ sentinelRetryStrategy: (times: number) => (times > 2 ? null : 20) });
    const lease = await locks.acquire('x', { ttl: '60s' });
    const waiting = locks.acquire('x', { wait: '60s' });
    await until('it listens', listening);
    proxy.leadTo(1); // nothing answers there
    proxy.reset();
    await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await until('it is given up', () =>
      locks.tryAcquire('y').then(
        () => false,
        (error: Error) => error.message.includes('retry is disabled'),
      ),
    );
    expect(await listening()).toBe(false);
    proxy.leadTo(topology.sentinels[0]!.port);
    await until('it is served', () =>
      locks.tryAcquire('y').then(
        (granted) => granted !== undefined,
        () => false,
      ),
    );
    await until('it listens again', listening);
    await lease.release();
    await (await waiting).release();
  }, 30_000);
});
