import { channel } from 'node:diagnostics_channel';
import { Redis } from 'ioredis';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import type { LockService } from '../../lib/locks/lock-service.js';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';
import { until } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';

describeWithRealRedis('the first locks of a process', () => {
  let redis: RunningRedis;
  let admin: Redis;
  let locks: LockService;
  beforeAll(async () => {
    redis = await startRedis({ given: false });
    admin = new Redis(redis.url);
  });
  afterAll(async () => {
    admin.disconnect();
    await redis.stop();
  });
  beforeEach(() => (locks = createLockService({ redis: redis.url, shutdownGrace: 0 })));
  afterEach(() => locks.close());

  /** How many connections are subscribed to something. */
  const subscribed = async (): Promise<number> =>
    String(await admin.call('CLIENT', 'LIST', 'TYPE', 'pubsub')).split(' name=lock@').length - 1;

  it('find the channel ready that tells them of others: they open no connection, and load no script', async () => {
    expect((await locks.ready())?.publish).toBe(true);
    expect(await subscribed()).toBe(1);
    const calls = async (...commands: string[]): Promise<number[]> => {
      const stats = await admin.info('commandstats');
      return commands.map((each) =>
        Number(new RegExp(`^cmdstat_${each.replace('|', '\\|')}:calls=(\\d+)`, 'm').exec(stats)?.[1] ?? 0),
      );
    };
    const once = ['hello', 'subscribe', 'script|load', 'eval', 'time'];
    const before = await calls(...once);
    // By each script that a crowd asks for: the scripts themselves ask for the time, once a call.
    const scripts = Number((await calls('evalsha'))[0]);
    const others = createLockService({ redis: redis.url, shutdownGrace: 0 });
    let sum = 0;
    await Promise.all(Array.from({ length: 50 }, () => locks.using('crowd', () => (sum += 1))));
    await others.close();
    expect(sum).toBe(50);
    const after = await calls(...once);
    expect(after.slice(0, 4)).toEqual(before.slice(0, 4));
    const asked = Number((await calls('evalsha'))[0]) - scripts;
    expect(Number(after[4]) - Number(before[4])).toBeLessThanOrEqual(asked);
  });

  it('open the channel themselves where nobody has waited for the start', async () => {
    const lease = await locks.acquire('stock');
    expect(await subscribed()).toBe(0);
    const second = locks.acquire('stock');
    await until('the channel is subscribed', async () => (await subscribed()) === 1);
    await lease.release();
    await (await second).release();
  });

  it('have the channel again after the server has ended its connection', async () => {
    await locks.ready();
    const [id = ''] = /^id=(\d+)/.exec(String(await admin.call('CLIENT', 'LIST', 'TYPE', 'pubsub'))) ?? [];
    await admin.call('CLIENT', 'KILL', 'ID', id.replace('id=', ''));
    await until('the channel is subscribed again', async () => (await subscribed()) === 1);
  });

  it('are rehearsed without a word to whoever listens', async () => {
    const heard: unknown[] = [];
    const hear = (message: unknown): void => void heard.push((message as { lock?: string }).lock);
    const granted = channel('nestjs-distributed-lock:granted');
    granted.subscribe(hear);
    try {
      await locks.ready();
      await (await locks.acquire('real')).release();
    } finally {
      granted.unsubscribe(hear);
    }
    expect(heard).toHaveLength(1);
  });
});
