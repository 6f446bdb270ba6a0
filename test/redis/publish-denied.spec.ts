import { describeWithRealRedis } from '../support/real-redis.js';
import { arenaForTests } from '../support/arena.js';

describeWithRealRedis('a server that refuses PUBLISH', () => {
  const arena = arenaForTests();

  it('still grants to the head of the queue, which finds out by asking; nobody loses its place', async () => {
    const [a, b, c] = [arena.open(), arena.open(), arena.open()];
    const lease = await a.acquire('name');
    const first = b.acquire('name');
    await arena.queued('name', 1);
    const second = c.acquire('name');
    await arena.queued('name', 2);
    await arena.listening(2);
    await arena.admin.call('ACL', 'SETUSER', 'default', '-publish');
    try {
      await lease.release();
      const { holders, queue } = await arena.state('name');
      expect([holders.length, queue.length]).toEqual([1, 1]);
      const granted = await first;
      expect((await arena.state('name')).queue).toHaveLength(1);
      await granted.release();
      await (await second).release();
    } finally {
      await arena.admin.call('ACL', 'SETUSER', 'default', '+@all');
    }
  });

  it('still grants to all readers that stand at the head', async () => {
    const [a, b, c] = [arena.open(), arena.open(), arena.open()];
    const lease = await a.acquire('name');
    const reading = [b, c].map((locks) => locks.readWrite('name').read.acquire());
    await arena.queued('name', 2);
    await arena.listening(2);
    await arena.admin.call('ACL', 'SETUSER', 'default', '-publish');
    try {
      await lease.release();
      const { holders, queue } = await arena.state('name');
      expect([holders.length, queue.length]).toEqual([2, 0]);
      for (const reader of await Promise.all(reading)) await reader.release();
    } finally {
      await arena.admin.call('ACL', 'SETUSER', 'default', '+@all');
    }
  });
});
