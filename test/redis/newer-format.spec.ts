import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { SystemClock } from '../../lib/base/clock.js';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import { ClientRecipe } from '../../lib/store/redis/client-recipe.js';
import { RedisStore } from '../../lib/store/redis/redis-store.js';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';
import { Peer } from '../../lib/testing/contract/peer.js';
import { failureOf } from '../support/eventually.js';
import { storedRecord } from '../support/stored-record.js';

const FENCE = '1795859405609276';
// As a build to come may write them: the number of the format stands where it always will.
const RECORDS: [string, string | Record<string, string>][] = [
  ['an idle one', `lock2 - ${FENCE} B.1`],
  ['one with a holder', `lock2 ${FENCE} A.1 000010500000 = * 10000000 web-1:26956 -`],
  ['one with waiters', `lock2+${FENCE} A.1 000010500000 = * 10000000 web-1:26956 -\n${FENCE} 2\n1 more`],
  ['one of format 10', `lock10 - ${FENCE} B.1`],
  ['a general one', { v: '2', capacity: '5', fence: FENCE, ids: 'A.1', 'h:A.1': 'of another kind' }],
];

describe('a record of a format that this build does not know', () => {
  const namespace = `test-${randomUUID()}`;
  let redis: RunningRedis, admin: Redis;
  const stores: RedisStore[] = [];
  beforeAll(async () => {
    redis = await startRedis();
    admin = new Redis(redis.url);
  });
  afterAll(async () => {
    for (const store of stores) await store.close();
    admin.disconnect();
    await redis.stop();
  });

  async function open(fenceMemory: number): Promise<RedisStore> {
    const settings = { namespace, process: 'test:1', clock: new SystemClock(), fenceMemory };
    const store = new RedisStore(new ClientRecipe(redis.url), settings);
    stores.push(store);
    await store.ready(2_000);
    return store;
  }

  async function put(key: string, record: string | Record<string, string>): Promise<void> {
    await (typeof record === 'string' ? admin.set(key, record) : admin.hset(key, record));
  }

  it.each([0, 60_000])(
    'is refused by every command, says why, and stays as it is; with a fence memory of %i ms',
    async (fenceMemory) => {
      const store = await open(fenceMemory);
      for (const [what, record] of RECORDS) {
        const peer = new Peer(store, `${what} ${fenceMemory}`);
        const key = `${namespace}:${peer.name}`;
        await put(key, record);
        // Also under the id that it seems to hold.
        for (const id of ['A.1', 'B.1', peer.id()])
          for (const command of [
            () => peer.acquire(id),
            () => peer.renew(id),
            () => peer.release(id),
            () => peer.downgrade(id, 1),
            () => peer.revoke(),
            () => peer.revoke(true),
            () => store.latch(peer.name, { kind: 'set', round: '', count: 1, ttl: 1_000_000 }, 1_000),
            () => store.latch(peer.name, { kind: 'down', round: '', id }, 1_000),
            () => store.read(peer.name, 1_000),
          ]) {
            const error = await failureOf<Error>(command());
            expect([what, error]).toEqual([
              what,
              expect.objectContaining({ code: 'LOCK_STORE', refused: true }),
            ]);
          }
        const { message } = await failureOf<Error>(peer.acquire(peer.id()));
        expect(message).toMatch(
          new RegExp(
            `record of '${peer.name}' at .* newer version .* \\(format (2|10)\\); update this process`,
          ),
        );
        expect(await storedRecord(admin, key)).toEqual(record);
        expect(await admin.pttl(key)).toBe(-1);
      }
    },
  );

  it('is refused by a latch, and a newer latch by this build', async () => {
    const store = await open(0);
    const [key, fields] = [`${namespace}:latch`, { latch: '2', count: '1' }];
    await put(key, fields);
    for (const kind of ['set', 'down', 'watch', 'unwatch', 'read'] as const) {
      const operation = { kind, round: '', count: 1, ttl: 1_000_000, id: 'A.1' } as never;
      expect((await failureOf<Error>(store.latch('latch', operation, 1_000))).message).toMatch(/format 2/);
    }
    await expect(new Peer(store, 'latch').acquire('A.1')).rejects.toMatchObject({ foreign: true });
    expect(await storedRecord(admin, key)).toEqual(fields);
  });

  it('fails a call for the lock at once, whatever its wait, and a listing leaves it out', async () => {
    const locks = createLockService({ redis: redis.url, namespace, shutdownGrace: 0 });
    await put(`${namespace}:newer`, `lock2 - ${FENCE} B.1`);
    const error = await failureOf<Error>(locks.using('newer', () => 'ran', { wait: '10s' }));
    expect(error).toMatchObject({ code: 'LOCK_STORE', refused: true, lockName: 'newer' });
    expect(error.message).toMatch(/newer version of this library \(format 2\); update this process/);
    const names: string[] = [];
    for await (const { name } of locks.list()) names.push(name);
    expect(names).not.toContain('newer');
    await locks.close();
  });
});
