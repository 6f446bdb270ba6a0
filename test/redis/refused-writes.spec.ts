import type { LockStoreError } from '../../lib/base/errors.js';
import type { LockService } from '../../lib/locks/lock-service.js';
import { arenaForTests } from '../support/arena.js';
import { failureOf } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';

// What a server says inside a script: Redis 6.2 hides its code in a sentence of its own.
describeWithRealRedis('a server that refuses to write', () => {
  const arena = arenaForTests();
  const config = (...words: [string, string]) => arena.admin.config('SET', ...words);

  const refusals = [
    ['OOM', () => config('maxmemory', '1'), () => config('maxmemory', '0')],
    ['NOREPLICAS', () => config('min-replicas-to-write', '1'), () => config('min-replicas-to-write', '0')],
  ] as const;

  describe.each(refusals)('by %s', (code, begin, end) => {
    let locks: LockService;
    beforeEach(async () => {
      locks = arena.open();
      await locks.using('warm-up', () => undefined);
      await locks.latch('warm-up latch').trySetCount(1);
    });
    afterEach(end);

    it.each([
      ['a free name', 'free'],
      ['a name of a general record', 'general'],
    ])('is believed at once, for %s', async (_what, name) => {
      if (name === 'general')
        await arena.admin.hset(`lock:general`, { v: '1', capacity: '0', fence: '5', ids: '' });
      await begin();
      const since = performance.now();
      const error = await failureOf<LockStoreError>(locks.acquire(name, { wait: '5s' }));
      expect(performance.now() - since).toTakeLessThan(2_000, arena.lag.max);
      expect(error).toMatchObject({ code: 'LOCK_STORE', refused: true });
      expect(error.message).toMatch(new RegExp(`failed acquire: ${code} `));
      expect(error.message).not.toMatch(/user_script|script:|call to/);
      await end();
      expect(await locks.using(name, () => 'ran')).toBe('ran');
    });

    it('is believed at once by a latch', async () => {
      await begin();
      const error = await failureOf<LockStoreError>(locks.latch('latch').trySetCount(2));
      expect(error).toMatchObject({ code: 'LOCK_STORE', refused: true });
      expect(error.message).toContain(code);
    });
  });
});

describeWithRealRedis('a password that is an ordinary word', () => {
  const arena = arenaForTests();

  it.each(['a', 'p', 'no', 'the'])('%s is not blotted out of what the server says', async (password) => {
    await arena.admin.call(
      'ACL',
      'SETUSER',
      'worded',
      'on',
      'resetpass',
      `>${password}`,
      '~*',
      '&*',
      '+@all',
    );
    const url = arena.server.url.replace('redis://', `redis://worded:${password}@`);
    const locks = arena.open({ redis: url });
    await locks.using('warm-up', () => undefined);
    await arena.admin.call('ACL', 'SETUSER', 'worded', '-evalsha', '-eval');
    const { message } = await failureOf<Error>(locks.acquire('x', { wait: 0 }));
    expect(message).toMatch(/NOPERM (this user|User worded) has no permissions to run the 'evalsha' command/);
    expect(message).not.toContain('***');
  });
});
