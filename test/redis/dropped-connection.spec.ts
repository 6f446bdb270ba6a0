import { arenaForTests } from '../support/arena.js';
import { Child } from '../support/child.js';
import { pass } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';

const CALLS = 60;

/** Many calls find out at the same time that their connection is of no use any more. */
describeWithRealRedis('a connection that is dropped', () => {
  const arena = arenaForTests();
  const open = (url: string) => new Child('test/support/many-refusals.ts', String(CALLS), url);

  it('is dropped once for all who are told that the server is read-only', async () => {
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

  it('is dropped once for all who wait in vain for its answers', async () => {
    const proxy = await arena.proxy();
    const child = open(proxy.url);
    await child.says('ready');
    await pass(1_950); // almost as long as a connection may be silent
    proxy.blackHole();
    child.tell('ask');
    await child.says(`refused ${CALLS}`);
    await pass(50);
    await child.kill();
    expect(child.said).not.toContain('Warning');
  }, 20_000);
});
