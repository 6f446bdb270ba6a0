import { arenaForTests } from '../support/arena.js';
import { Child } from '../support/child.js';
import { failureOf, pass, until } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';

const CALLS = 60;

/** Many calls find out at the same time that their connection is of no use any more. */
describeWithRealRedis('a connection that is dropped', () => {
  const arena = arenaForTests();
  const open = (url: string) => new Child('test/support/many-refusals.ts', String(CALLS), url);

  it('is dropped once for all callers that learn that the server is read-only', async () => {
    const child = open(arena.server.url);
    await child.says('ready');
    await arena.admin.replicaof('127.0.0.1', 1);
    child.tell('ask');
    await child.says(`refused ${CALLS}`);
    await arena.admin.replicaof('NO', 'ONE');
    await pass(50); // a warning is written in a later turn
    await child.kill();
    expect(child.said).not.toContain('Warning');
  }, 20_000);

  it('is dropped once for all callers that wait in vain for its answers', async () => {
    const proxy = await arena.proxy();
    const child = open(proxy.url);
    await child.says('ready');
    proxy.blackHole();
    // For as long as a connection may be silent after it was asked.
    for (let times = 1; times <= 4; times += 1) {
      child.tell('ask');
      await until('all are refused', () => child.said.split(`refused ${CALLS}`).length > times);
    }
    await pass(50);
    await child.kill();
    expect(child.said).not.toContain('Warning');
    expect(proxy.links.length).toBeGreaterThan(1);
  }, 20_000);

  it('is not dropped after a pause because one caller had no time to wait for its answer', async () => {
    const { locks, proxy } = await arena.openBehindProxy({ ttl: 9_000 });
    const { length } = proxy.links;
    await pass(2_100); // longer than a connection may be silent after it was asked
    proxy.delay({ up: 400 });
    const [short, long] = await Promise.all([
      failureOf(locks.acquire('short', { wait: 30 })),
      locks.using('long', () => 'ran'),
    ]);
    expect(short).toMatchObject({ code: 'LOCK_STORE' });
    expect(long).toBe('ran');
    expect(proxy.links.length).toBe(length);
  });
});
