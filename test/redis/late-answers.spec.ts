import type { LockBusyError } from '../../lib/base/errors.js';
import { toHttpException } from '../../lib/nest/http-exception.js';
import { arenaForTests } from '../support/arena.js';
import { failureOf } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';

// Longer than what the callers below wait.
const LATE = 200;

describeWithRealRedis('a command that the server read too late', () => {
  const arena = arenaForTests();

  /** A service that takes the server's clock for so much behind, that what it sends soon is over when it is read. */
  async function openWithPoorSample() {
    const opened = await arena.openBehindProxy();
    opened.proxy.delay({ down: LATE });
    await (await opened.locks.acquire('sample')).release();
    opened.proxy.pass();
    return opened;
  }

  it.each(['free', 'held'])(
    'at the end of a wait for a %s name is a store that works: 423, not 503',
    async (what) => {
      const { locks, proxy } = await openWithPoorSample();
      const holder = arena.open();
      const held = what === 'held' ? await holder.acquire('x') : undefined;
      const answered = new Promise<string>((resolve) => {
        const { down } = proxy.links.at(-1)!;
        const take = down.take.bind(down);
        down.take = (data) => {
          if (String(data).includes('late')) resolve('late');
          take(data);
        };
      });
      // It asks once, and again 20 ms later.
      const error = await failureOf<LockBusyError>(locks.acquire('x', { wait: 15 }));
      expect(await answered).toBe('late');
      expect(error).toMatchObject({ code: 'LOCK_BUSY', reason: 'timeout' });
      expect(toHttpException(error).getStatus()).toBe(423);
      await held?.release();
    },
  );

  it('is sent again with what its answer said of the clock', async () => {
    for (const take of ['acquire', 'tryAcquire'] as const) {
      const { locks } = await openWithPoorSample();
      const lease = await (take === 'acquire' ? locks.acquire('y', { wait: 150 }) : locks.tryAcquire('y'));
      expect(lease?.held).toBe(true);
      await lease?.release();
    }
  });
});
