import { createLockService } from '../../lib/locks/create-lock-service.js';
import { kindsContract } from '../contract/kinds-contract.js';
import { lockContract, type OpenLocks } from '../contract/lock-contract.js';
import { describeWithRealRedis } from '../support/real-redis.js';
import { ReplicatedRedis } from '../support/replicated-redis.js';

// What is promised of locks is promised of acknowledged ones, too.
describeWithRealRedis('acknowledged locks in Redis', () => {
  for (const contract of [lockContract, kindsContract])
    describe(contract.name, () => {
      const log = { warn: () => undefined };
      let servers: ReplicatedRedis;
      beforeAll(async () => (servers = await ReplicatedRedis.start(1)), 60_000);
      const open: OpenLocks = (options) =>
        createLockService({ redis: servers.master.url, durability: { replicas: 1 }, log, ...options });
      contract(open);
      afterAll(() => servers.stop()); // after the contract has closed its services
    });
});
