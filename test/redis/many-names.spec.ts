import { startRedis } from '../../tools/redis/start-redis.js';
import { bytesPerName } from '../support/bytes-per-name.js';
import { describeWithRealRedis } from '../support/real-redis.js';

// A real server's: an emulated one is measured along with its slowness. A tenth of the names would do for a leak, but
// then what V8 compiles meanwhile counts with up to 23 bytes a name.
describeWithRealRedis('names', () => {
  it('100 000 distinct names in Redis: the memory of the process does not grow', async () => {
    const redis = await startRedis();
    expect(await bytesPerName(100_000, redis.url)).toBeLessThan(10);
    await redis.stop();
  }, 60_000);
});
