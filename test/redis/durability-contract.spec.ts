import { createLockService } from '../../lib/locks/create-lock-service.js';
import { kindsContract } from '../contract/kinds-contract.js';
import { lockContract, type OpenLocks } from '../contract/lock-contract.js';
import { describeWithRealRedis } from '../support/real-redis.js';
import { ReplicatedRedis } from '../support/replicated-redis.js';

// What is promised of locks is promised of acknowledged ones, too. Grants are acknowledged, and pushed grants are asked for
// again; renewals, losses and what is entered again are as without.
describeWithRealRedis('acknowledged locks in Redis', () => {
  const log = { warn: () => undefined };
  let servers: ReplicatedRedis;
  beforeAll(async () => (servers = await ReplicatedRedis.start(1)), 60_000);
  const open: OpenLocks = (options) =>
    createLockService({
      redis: servers.master.url,
      durability: { replicas: 1, timeout: '1s' },
      log,
      ...options,
    });
  describe('are locks', () =>
    lockContract(open, ['taking a lock', 'a lease', 'fences', 'several names', 'closing']));
  describe('are all kinds of locks', () =>
    kindsContract(open, [
      'a read-write lock',
      'a semaphore',
      'several locks',
      'the terms of holding',
      'a lease that goes on elsewhere',
    ]));
  afterAll(() => servers.stop()); // after the contracts have closed their services
});
