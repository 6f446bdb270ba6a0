import type { LockBusyError } from '../../lib/base/errors.js';
import { toHttpException } from '../../lib/nest/http-exception.js';
import { arenaForTests } from '../support/arena.js';
import { failureOf } from '../support/eventually.js';
import { Lag } from '../support/lag.js';
import { describeWithRealRedis } from '../support/real-redis.js';

// Longer than a command of the callers below may take, which is a third of their ttl or their whole wait.
const LATE = 200;
const TTL = 450;
const SHORT = 16;

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

  /** What a caller is told whose only question was read too late; undefined when the machine was too slow to say. */
  async function refusalOf(name: string): Promise<LockBusyError | undefined> {
    const { locks, proxy } = await openWithPoorSample();
    const lateAt = new Promise<number>((resolve) => {
      const { down } = proxy.links.at(-1)!;
      const take = down.take.bind(down);
      down.take = (data) => {
        if (String(data).includes('late')) resolve(performance.now());
        take(data);
      };
    });
    using lag = new Lag();
    const since = performance.now();
    const error = await failureOf<LockBusyError>(locks.acquire(name, { wait: SHORT })); // it would ask again after 20 ms
    return (await lateAt) - since < SHORT / 2 && lag.max < SHORT / 2 ? error : undefined;
  }

  it.each(['free', 'held'])(
    'at the end of a wait for a %s name is a store that works: 423, not 503',
    async (what) => {
      const held = what === 'held' ? await arena.open().acquire('x') : undefined;
      let error: LockBusyError | undefined;
      for (let tries = 0; tries < 20 && error === undefined; tries += 1) error = await refusalOf('x');
      await held?.release();
      if (error === undefined) return; // the machine has more to do than to answer within 8 ms
      expect(error).toMatchObject({ code: 'LOCK_BUSY', reason: 'timeout' });
      expect(toHttpException(error).getStatus()).toBe(423);
    },
    60_000,
  );

  it('is sent again with what its answer said of the clock', async () => {
    for (const take of ['acquire', 'tryAcquire'] as const) {
      const { locks } = await openWithPoorSample();
      const lease = await (take === 'acquire'
        ? locks.acquire('y', { ttl: TTL, wait: '2s' })
        : locks.tryAcquire('y', { ttl: TTL }));
      expect(lease?.held).toBe(true);
      await lease?.release();
    }
  });
});
