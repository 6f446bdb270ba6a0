import { randomUUID } from 'node:crypto';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';
import { lockContract } from '../contract/lock-contract.js';

// The emulation keeps the same promises, so that whoever has no Redis can trust the demo and the tests.
describe.each([
  ['locks in Redis', {}],
  ['locks in the emulation of Redis', { emulated: true }],
])('%s', (_title, how) => {
  const namespace = `test-${randomUUID()}`;
  let redis: RunningRedis;
  beforeAll(async () => (redis = await startRedis(how)));
  lockContract((options) => createLockService({ redis: redis.url, namespace, ...options }));
  afterAll(() => redis.stop()); // after the contract has closed its services
});
