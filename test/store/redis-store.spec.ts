import { randomUUID } from 'node:crypto';
import { SystemClock } from '../../lib/base/clock.js';
import { ClientRecipe } from '../../lib/store/redis/client-recipe.js';
import { RedisStore } from '../../lib/store/redis/redis-store.js';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';
import { storeContract } from '../contract/store-contract.js';

describe('the Redis store', () => {
  const [clock, namespace] = [new SystemClock(), `test-${randomUUID()}`];
  let redis: RunningRedis;
  beforeAll(async () => (redis = await startRedis()));
  storeContract((fenceMemory) =>
    Promise.resolve(
      new RedisStore(new ClientRecipe(redis.url), { namespace, fenceMemory, process: 'test:1', clock }),
    ),
  );
  afterAll(() => redis.stop()); // after the contract has closed its sessions
});
