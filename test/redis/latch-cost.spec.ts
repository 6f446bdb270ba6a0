import { arenaForTests } from '../support/arena.js';
import { describeWithRealRedis } from '../support/real-redis.js';

const COUNTS = 20_000;
const AT_ONCE = 1_000;

describeWithRealRedis('what a latch costs the server', () => {
  const arena = arenaForTests();

  /** Microseconds of the server's own time for each of a thousand counts. */
  async function costOf(count: (index: number) => Promise<unknown>, from: number): Promise<number> {
    await arena.admin.config('RESETSTAT');
    await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => count(from + index)));
    const stats = await arena.admin.info('commandstats');
    return Number(/cmdstat_evalsha:.*usec_per_call=([\d.]+)/.exec(stats)?.[1]);
  }

  it('is the same however many have counted before', async () => {
    const locks = arena.open();
    const latch = locks.latch('many');
    await latch.trySetCount(COUNTS + 1);
    const costs: number[] = [];
    for (let from = 0; from < COUNTS; from += AT_ONCE)
      costs.push(await costOf((index) => latch.countDown(`part ${index}`), from));
    expect(await latch.count()).toBe(1);
    const [first, last] = [Math.min(...costs.slice(1, 6)), Math.min(...costs.slice(-5))]; // warm, and undisturbed
    console.info(`a count costs ${first} µs after some thousand others, ${last} µs after ${COUNTS}`);
    expect(last).toBeLessThan(2 * first);
    const waiting = latch.opened();
    await latch.countDown('the last part');
    await waiting;
  }, 60_000);
});
