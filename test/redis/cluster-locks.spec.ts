import { randomUUID } from 'node:crypto';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import { lockContract } from '../contract/lock-contract.js';
import { describeWithRealRedis } from '../support/real-redis.js';
import { RedisClusterServers } from '../support/redis-cluster.js';

describeWithRealRedis('locks in a cluster of three masters', () => {
  const namespace = `test-${randomUUID()}`;
  const log = { warn: () => undefined };
  const cluster = new RedisClusterServers();
  beforeAll(() => cluster.start(), 30_000);
  lockContract((options) =>
    createLockService({ redis: { cluster: cluster.nodes }, namespace, log, ...options }),
  );
  afterAll(() => cluster.stop()); // after the contract has closed its services
});
