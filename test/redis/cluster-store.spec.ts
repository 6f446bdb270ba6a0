import { randomUUID } from 'node:crypto';
import { SystemClock } from '../../lib/base/clock.js';
import { ClusterRecipe } from '../../lib/store/redis/cluster-recipe.js';
import { RedisStore } from '../../lib/store/redis/redis-store.js';
import { storeContract } from '../contract/store-contract.js';
import { describeWithRealRedis } from '../support/real-redis.js';
import { RedisClusterServers } from '../support/redis-cluster.js';

describeWithRealRedis('the store of a cluster', () => {
  const [clock, namespace] = [new SystemClock(), `test-${randomUUID()}`];
  const cluster = new RedisClusterServers();
  beforeAll(() => cluster.start(), 30_000);
  const settings = { namespace, clock, process: 'test:1' };
  storeContract(
    (fenceMemory) =>
      Promise.resolve(
        new RedisStore(new ClusterRecipe({ cluster: cluster.nodes }), { ...settings, fenceMemory }),
      ),
    { countable: false },
  );
  afterAll(() => cluster.stop()); // after the contract has closed its stores
});
