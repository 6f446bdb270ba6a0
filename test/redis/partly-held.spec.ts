import { Redis } from 'ioredis';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import type { LockService } from '../../lib/locks/lock-service.js';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';
import { failureOf } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';

describeWithRealRedis('several names of which the store can give only some', () => {
  let redis: RunningRedis;
  let client: Redis;
  let locks: LockService;
  const without = { wait: 200, onStoreError: 'run' } as const;

  beforeAll(async () => {
    redis = await startRedis();
    client = new Redis(redis.url);
    await client.hset('lock:foreign', 'a value', 'of somebody else');
    locks = createLockService({ redis: redis.url, log: { warn: () => undefined } });
  });
  afterAll(async () => {
    client.disconnect();
    await locks.close();
    await redis.stop();
  });

  it('run the work inside what is held, with a lease that says that not all of it is', async () => {
    await locks.using('held', async (outer) => {
      const inner = await locks.using(
        ['held', 'foreign'],
        async (lease) => {
          expect([lease.held, [...lease.names].sort()]).toEqual([false, ['foreign', 'held']]);
          expect(() => lease.assertHeld()).toThrow(expect.objectContaining({ code: 'LOCK_STORE' }));
          // It has its turn under what is held.
          expect(await failureOf(outer.using(() => 1, { wait: 0 }))).toMatchObject({ reason: 'held' });
          return 'done';
        },
        { ...without, within: outer },
      );
      expect(inner).toBe('done');
      expect(await outer.using(() => 'free', { wait: 0 })).toBe('free');
    });
    expect((await locks.inspect('held')).inUse).toBe(0);
  });

  it('take, within work that runs without the lock, the names that this work was not to have', async () => {
    const seen = await locks.using(
      'foreign',
      async (unprotected) => [
        await locks.using('foreign', (lease) => lease.held, { within: unprotected }),
        await failureOf(locks.using(['foreign', 'other'], () => 1, { wait: 200, within: unprotected })),
        await failureOf(locks.using('other', () => 1, { within: unprotected })),
      ],
      without,
    );
    expect(seen).toMatchObject([false, { code: 'LOCK_STORE' }, { code: 'LOCK_USAGE' }]);
  });
});
