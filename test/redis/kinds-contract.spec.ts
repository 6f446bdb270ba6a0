import { describeWithRealRedis } from '../support/real-redis.js';
import { randomUUID } from 'node:crypto';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';
import { kindsContract } from '../contract/kinds-contract.js';

describeWithRealRedis('kinds of locks in Redis', () => {
  const namespace = `test-${randomUUID()}`;
  const log = { warn: () => undefined };
  let redis: RunningRedis;
  beforeAll(async () => (redis = await startRedis()));
  kindsContract((options) => createLockService({ redis: redis.url, namespace, log, ...options }));
  afterAll(() => redis.stop()); // after the contract has closed its services
});
