import { randomUUID } from 'node:crypto';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import { ClusterServers } from '../../tools/redis/cluster-servers.js';
import { lockContract } from '../contract/lock-contract.js';
import { describeWithRealRedis } from '../support/real-redis.js';

describeWithRealRedis('locks in a cluster of three masters', () => {
  const namespace = `test-${randomUUID()}`;
  const log = { warn: () => undefined };
  let cluster: ClusterServers;
  beforeAll(async () => (cluster = await ClusterServers.start({ replicas: 0 })), 30_000);
  lockContract((options) =>
    createLockService({ redis: { cluster: cluster.addresses }, namespace, log, ...options }),
  );
  afterAll(() => cluster.stop()); // after the contract has closed its services
});
