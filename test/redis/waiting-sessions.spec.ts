import { Redis } from 'ioredis';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import type { LockService } from '../../lib/locks/lock-service.js';
import { describeWithRealRedis } from '../support/real-redis.js';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';

const SESSIONS = 200;
// Longer than every interval of a waiter; the whole 30 s with WAITING_SECONDS=30.
const SECONDS = Number(process.env['WAITING_SECONDS'] ?? 6);

/** How often each command came from a client. What scripts call is not counted: one evalsha is one command. */
async function calls(admin: Redis): Promise<number> {
  const stats = await admin.info('commandstats');
  let sum = 0;
  for (const [, name, count] of stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm))
    if (FROM_CLIENTS.has(name ?? '')) sum += Number(count);
  return sum;
}

const FROM_CLIENTS = new Set([
  'evalsha',
  'eval',
  'ping',
  'subscribe',
  'unsubscribe',
  'script|load',
  'client|setname',
  'time_',
]);

describeWithRealRedis('two hundred sessions wait for one name', () => {
  let redis: RunningRedis;
  let admin: Redis;
  const sessions: LockService[] = [];

  beforeAll(async () => {
    redis = await startRedis();
    admin = new Redis(redis.url);
  });

  afterAll(async () => {
    await Promise.all(sessions.map((session) => session.close()));
    await admin.quit();
    await redis.stop();
  });

  it('sends fewer than a hundred commands a second, and serves them in the order of their arrival', async () => {
    const holder = createLockService({ redis: redis.url, shutdownGrace: 0 });
    sessions.push(holder);
    const lease = await holder.acquire('scarce');
    const order: number[] = [];
    const served: Promise<void>[] = [];
    for (let index = 0; index < SESSIONS; index += 1) {
      const session = createLockService({ redis: redis.url, shutdownGrace: 0 });
      sessions.push(session);
      served.push(
        session.using(
          'scarce',
          () => {
            order.push(index);
          },
          { wait: '60s' },
        ),
      );
      await untilQueued(holder, index + 1);
    }
    const before = await calls(admin);
    await new Promise((resolve) => setTimeout(resolve, SECONDS * 1_000));
    const rate = ((await calls(admin)) - before) / SECONDS;
    console.info(`${SESSIONS} waiting sessions: ${rate.toFixed(1)} commands a second`);
    expect(rate).toBeLessThan(100);

    await lease.release();
    await Promise.all(served);
    expect(order).toEqual(Array.from({ length: SESSIONS }, (_, index) => index));
  }, 90_000);
});

async function untilQueued(locks: LockService, length: number): Promise<void> {
  while ((await locks.inspect('scarce')).queue.length < length)
    await new Promise((resolve) => setImmediate(resolve));
}
