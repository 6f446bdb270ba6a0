import { SystemClock } from '../../lib/base/clock.js';
import { LockService } from '../../lib/locks/lock-service.js';
import { LockSettings } from '../../lib/locks/lock-settings.js';
import type { LockReading } from '../../lib/store/lock-store.js';
import { MemoryServer } from '../../lib/store/memory/memory-server.js';
import { MemoryStore } from '../../lib/store/memory/memory-store.js';
import { newSession } from '../../lib/store/session-id.js';
import { listed } from '../contract/locks/listing.js';
import { arenaForTests, portOf } from '../support/arena.js';
import { failureOf } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';
import { until } from '../support/eventually.js';
import { Monitor } from '../support/monitor.js';

describeWithRealRedis('the names in use at a server', () => {
  const arena = arenaForTests();

  it('are all told, 5 000 of them, each once, among 5 000 keys of somebody else', async () => {
    const locks = arena.open({ ttl: '30s' });
    await locks.ready(); // a crowd of five thousand is not to be the first that meets the server
    const names = Array.from({ length: 5_000 }, (_, index) => `item:${index}`);
    const others = names.flatMap((name) => [`other:${name}`, 'x']);
    await arena.admin.mset(...others);
    const leases = await Promise.all(names.map((name) => locks.acquire(name)));
    const start = performance.now();
    const reports = await listed(locks);
    console.info(`5 000 names in use listed in ${Math.round(performance.now() - start)} ms`);
    expect([...reports.keys()].sort()).toEqual(names.sort());
    await Promise.all(leases.map((lease) => lease.release()));
    expect((await listed(locks)).size).toBe(0);
  }, 30_000);

  it('are those of its own namespace and key prefix, whatever characters are in them', async () => {
    const at = (keyPrefix: string, namespace = 'a.b') =>
      arena.open({ redis: { port: portOf(arena.server), keyPrefix }, namespace });
    const places = [at(''), at('', 'a_b'), at('', 'a')];
    for (const keyPrefix of ['s*p:', 'shop:', 's?p:', 's[hx]op:', 's\\hop:', 's^p-:'])
      places.push(at(keyPrefix));
    const leases = await Promise.all(places.map((locks, index) => locks.acquire(`name ${index}`)));
    for (const [index, locks] of places.entries())
      expect([...(await listed(locks)).keys()]).toEqual([`name ${index}`]);
    expect((await listed(places[3]!)).get('name 3')?.key).toBe('s*p:a.b:name 3');
    await Promise.all(leases.map((lease) => lease.release()));
  });

  it('are told without the values of somebody else, and without records of a newer version', async () => {
    const locks = arena.open();
    const { admin } = arena;
    await Promise.all([
      admin.set('lock:text', 'mine'),
      admin.set(Buffer.from('6c6f636b3aff', 'hex'), 'mine'),
      admin.rpush('lock:list', 'a'),
      admin.hset('lock:hash', 'a', 'b'),
      admin.sadd('lock:set', 'a'),
      admin.zadd('lock:sorted', 1, 'a'),
      admin.xadd('lock:stream', '*', 'a', 'b'),
      admin.set('lock:newer', 'lock2 x'),
      admin.hset('lock:newest', 'v', '2'),
    ]);
    await using _lease = await locks.acquire('name');
    expect([...(await listed(locks)).keys()]).toEqual(['name']);
    for (const name of ['list', 'stream'])
      expect(await failureOf(locks.inspect(name))).toMatchObject({
        code: 'LOCK_STORE',
        refused: true,
        message: expect.stringContaining('foreign value'),
      });
  });

  it('are not waited for longer than a command may take', async () => {
    const locks = arena.open();
    await locks.ready();
    await arena.freeze();
    const start = performance.now();
    expect(await failureOf(listed(locks))).toMatchObject({ code: 'LOCK_STORE', refused: false });
    expect(performance.now() - start).toTakeLessThan(1_100, arena.lag.max);
  });

  it('are refused with the server’s word when they may not be scanned', async () => {
    const locks = arena.open();
    await locks.ready();
    await arena.admin.call('ACL', 'SETUSER', 'default', '-scan');
    expect(await failureOf(listed(locks))).toMatchObject({
      code: 'LOCK_STORE',
      refused: true,
      message: expect.stringContaining('NOPERM'),
    });
    await arena.admin.call('ACL', 'SETUSER', 'default', '+@all');
  });

  it('are found without a look through the fields of latches and of foreign values', async () => {
    const locks = arena.open();
    await locks.latch('latch').trySetCount(2);
    await locks.latch('latch').countDown('part 1');
    await arena.admin.hset('lock:hash', 'a', 'b');
    const leases = [
      await locks.readWrite('name').read.acquire(),
      await locks.readWrite('name').read.acquire(),
    ];
    await arena.admin.config('RESETSTAT');
    expect([...(await listed(locks)).keys()]).toEqual(['name']);
    const stats = await arena.admin.info('commandstats');
    expect(stats).toContain('cmdstat_hgetall:calls=1,'); // the record of the two readers
    await Promise.all(leases.map((lease) => lease.release()));
  });

  it('cost the server a bounded step at a time', async () => {
    const locks = arena.open();
    await locks.ready();
    await arena.admin.mset(...Array.from({ length: 20_000 }, (_, index) => [`other:${index}`, 'x']).flat());
    const counts: number[] = [];
    let done = false;
    const monitor = await Monitor.of(arena.admin, (words) => {
      if (words[0] === 'scan') counts.push(Number(words[words.indexOf('COUNT') + 1]));
      done ||= words[0] === 'ping';
    });
    await listed(locks);
    await arena.admin.ping();
    await until('all was heard', () => done);
    await monitor.end();
    expect(counts.length).toBeGreaterThanOrEqual(15);
    expect(Math.max(...counts)).toBeLessThanOrEqual(1_000);
  });
});

describe('a store that tells of a name twice, as SCAN may', () => {
  it('is listened to once', async () => {
    class Stammering extends MemoryStore {
      override async *list(timeout: number): AsyncGenerator<readonly LockReading[]> {
        for await (const page of super.list(timeout)) {
          yield [...page, ...page];
          yield page;
        }
      }
    }
    const clock = new SystemClock();
    const store = new Stammering(new MemoryServer(clock), newSession(), clock);
    const locks = LockService.over(store, new LockSettings({ shutdownGrace: 0 }), clock, {
      warn: () => undefined,
    });
    await using _lease = await locks.acquire('name');
    expect([...(await listed(locks)).keys()]).toEqual(['name']);
    await locks.close();
  });
});
