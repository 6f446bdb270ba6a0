import { Redis } from 'ioredis';
import type { LockStoreError } from '../../lib/base/errors.js';
import { arenaForTests, portOf } from '../support/arena.js';
import { failureOf, until } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';

/** How the server is asked for what it does not know, so that it refuses SELECT. */
const unselectable = (request: string): string => request.replace(/select/gi, 'selekt');

describeWithRealRedis('a database other than 0', () => {
  const arena = arenaForTests();
  const db = 3;
  let there: Redis;
  beforeAll(() => (there = new Redis({ port: portOf(arena.server), db })));
  afterAll(() => there.disconnect());

  it('is the only one that is used when the server refuses SELECT for a while', async () => {
    const proxy = await arena.proxy();
    const one = arena.open({ redis: { port: portOf(arena.server), db } });
    const two = arena.open({ redis: { port: proxy.port, db }, ttl: 900 });
    await using lease = await one.acquire('x', { ttl: '60s' });
    expect(await two.tryAcquire('x')).toBeUndefined();
    proxy.rewrite(unselectable);
    proxy.reset();
    await until('its failures say why', async () => {
      const error = await failureOf<LockStoreError>(two.tryAcquire('x'));
      return /is not reachable \(ERR unknown command '?`?selekt/.test(error.message);
    });
    const { requests } = proxy;
    await failureOf(two.tryAcquire('x'));
    expect(proxy.requests - requests).toBeLessThan(60); // it is no hot loop
    proxy.pass();
    await until('it is served', () =>
      two.tryAcquire('x').then(
        (granted) => granted === undefined,
        () => false,
      ),
    );
    expect(lease.held).toBe(true);
    expect(await arena.admin.exists('lock:x')).toBe(0);
    expect(await there.exists('lock:x')).toBe(1);
  });

  it('is served as soon as a user who had no right to it gets that right', async () => {
    const user = { username: 'unselecting', password: 'secret' };
    const rule = `on >${user.password} ~* &* +@all -select`.split(' ');
    await arena.admin.call('ACL', 'SETUSER', user.username, ...rule);
    const locks = arena.open({ redis: { port: portOf(arena.server), db, ...user } });
    const since = performance.now();
    for (const call of [locks.ready(), locks.acquire('x', { wait: '5s' }), locks.tryAcquire('y')])
      expect(await failureOf(call)).toMatchObject({
        refused: true,
        message: expect.stringMatching(/cannot be used: NOPERM .*'select'/),
      });
    expect(performance.now() - since).toBeLessThan(1_000);
    await arena.admin.call('ACL', 'SETUSER', user.username, '+select');
    await until('it is served', () =>
      locks
        .using('x', () => true)
        .then(
          () => true,
          () => false,
        ),
    );
    expect(await there.exists('lock:x')).toBe(1);
    await arena.admin.call('ACL', 'DELUSER', user.username);
  });
});
