import { Redis } from 'ioredis';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import type { LockService } from '../../lib/locks/lock-service.js';
import { describeWithRealRedis } from '../support/real-redis.js';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';

describeWithRealRedis('the probe at start-up', () => {
  let redis: RunningRedis;
  let admin: Redis;
  let warnings: string[];
  const services: LockService[] = [];

  beforeAll(async () => {
    redis = await startRedis({ given: false });
    admin = new Redis(redis.url);
  });

  beforeEach(() => (warnings = []));

  afterEach(async () => {
    await Promise.all(services.splice(0).map((service) => service.close()));
    await admin.config('SET', 'maxmemory-policy', 'noeviction');
  });

  afterAll(async () => {
    admin.disconnect();
    await redis.stop();
  });

  function open(url = redis.url): LockService {
    const service = createLockService({ redis: url, log: { warn: (text) => void warnings.push(text) } });
    services.push(service);
    return service;
  }

  it('tells what the server is, warns of nothing, and leaves no key', async () => {
    const findings = await open().ready();
    expect(findings).toMatchObject({
      role: 'master',
      maxmemoryPolicy: 'noeviction',
      publish: true,
      warnings: [],
    });
    expect(findings?.version).toMatch(/^\d+\.\d+/);
    expect(warnings).toEqual([]);
    expect(await admin.keys('lock:*')).toEqual([]);
  });

  it('warns in one line, with the remedy, when the server may evict locks', async () => {
    await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
    await open().ready();
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/may evict locks .*allkeys-lru.*noeviction/);
  });

  it('fails loudly when scripts may not run, with the word of the server', async () => {
    await admin.call(
      'ACL',
      'SETUSER',
      'plain',
      'on',
      '>secret-of-plain',
      '~*',
      '&*',
      '+@all',
      '-evalsha',
      '-eval',
    );
    const url = redis.url.replace('redis://', 'redis://plain:secret-of-plain@');
    const failure: unknown = await open(url)
      .ready()
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'LOCK_STORE' });
    expect((failure as Error).message).toMatch(/NOPERM/i);
    expect((failure as Error).message).not.toContain('secret-of-plain');
  });

  it('warns that waiters have to ask when PUBLISH is denied, and locks work all the same', async () => {
    await admin.call(
      'ACL',
      'SETUSER',
      'quiet',
      'on',
      '>secret-of-quiet',
      '~*',
      '+@all',
      '-publish',
      '-subscribe',
    );
    const locks = open(redis.url.replace('redis://', 'redis://quiet:secret-of-quiet@'));
    expect(await locks.ready()).toMatchObject({ publish: false });
    expect(warnings.join()).toMatch(/PUBLISH/);
    const lease = await locks.acquire('silent');
    const next = open(redis.url.replace('redis://', 'redis://quiet:secret-of-quiet@')).acquire('silent');
    await lease.release();
    await (await next).release();
  });
});
