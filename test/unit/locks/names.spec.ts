import { lockName } from '../../../lib/base/name.js';
import { createLockService } from '../../../lib/locks/create-lock-service.js';
import { bytesPerName } from '../../support/bytes-per-name.js';
import { failureOf } from '../../support/eventually.js';

const QUIET = { shutdownGrace: 0, log: { warn: () => undefined } };

describe('names', () => {
  it('parts that differ make names that differ, and parts that are none are refused', async () => {
    expect(lockName('x:y', 'z')).not.toBe(lockName('x', 'y:z'));
    expect(lockName('a%3A', 'b')).not.toBe(lockName('a:', 'b'));
    expect(lockName('order', 7, 7n, true)).toBe('order:7:7:true');
    for (const part of [undefined, null, NaN, {}, [], '', () => 1, Symbol('s')])
      expect(() => lockName('order', part as never, 'pay')).toThrow(
        expect.objectContaining({ code: 'LOCK_USAGE', message: expect.stringMatching(/part 2/) }),
      );
    expect(() => lockName()).toThrow(/at least one part/);
    // A user may be called null; only the values are missing. What is escaped looks like no other part.
    const words = ['null', 'undefined', 'NaN', '%6Eull', '%75ndefined', '%4EaN', '%256Eull', 'Null', 'nullx'];
    const named = words.map((word) => lockName('user', word));
    expect(new Set(named).size).toBe(words.length);
    expect(named[0]).toBe('user:%6Eull');
    for (const name of named) expect(lockName('user', name)).not.toBe(name);
    const locks = createLockService(QUIET);
    await using _lease = await locks.acquire(lockName('x:y', 'z'));
    await using _other = await locks.acquire(lockName('x', 'y:z'), { wait: 0 });
    expect(await failureOf(locks.acquire(`order:${undefined as unknown as string}`))).toMatchObject({
      code: 'LOCK_USAGE',
    });
    for (const word of ['null', 'undefined', 'NaN'])
      expect(await locks.using(lockName('user', word, 'x'), () => 'ran')).toBe('ran');
    await locks.close();
  });

  it('100 000 distinct names in memory: the memory of the process does not grow', async () => {
    expect(await bytesPerName(100_000)).toBeLessThan(10);
  }, 60_000);
});
