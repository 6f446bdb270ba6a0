import { createLockService } from '../../lib/locks/create-lock-service.js';
import type { LockService } from '../../lib/locks/lock-service.js';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';

const CALLERS = 400;
const SECTION = 5;

describe('turns between processes', () => {
  let redis: RunningRedis;
  let busy: LockService;
  let other: LockService;

  beforeAll(async () => {
    redis = await startRedis();
    busy = createLockService({ redis: redis.url });
    other = createLockService({ redis: redis.url });
    await Promise.all([busy.ready(), other.ready()]);
  });

  afterAll(async () => {
    await Promise.all([busy.close(), other.close()]);
    await redis.stop();
  });

  it('end soon after another process came, though the first had the lock before anybody waited', async () => {
    let handOffs = 0;
    const crowd = Array.from({ length: CALLERS }, () =>
      busy.using('item', async () => {
        handOffs += 1;
        await new Promise((resolve) => setTimeout(resolve, SECTION));
      }),
    );
    while (handOffs < 6) await new Promise((resolve) => setImmediate(resolve));
    const before = handOffs;
    await other.using('item', () => undefined);
    const passed = handOffs - before;
    expect(handOffs).toBeLessThan(CALLERS);
    expect(passed).toBeLessThan(40);
    await Promise.all(crowd);
  });
});
