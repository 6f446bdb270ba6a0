import { arenaForTests } from '../support/arena.js';
import { startRedis } from '../../tools/redis/start-redis.js';
import { Child } from '../support/child.js';
import { describeWithRealRedis } from '../support/real-redis.js';

describeWithRealRedis('a process that ends right after its work', () => {
  const arena = arenaForTests();

  it('after its shutdown was broken off while Redis is gone: nothing waits for a server that may never come back', async () => {
    const server = await startRedis({ emulated: false });
    const { hostname: host, port } = new URL(server.url);
    const options = JSON.stringify({ host, port: Number(port) });
    const child = new Child('test/support/unreferenced-process.ts', options, 'gone');
    await child.says('holds a lock');
    await server.stop();
    const ended = await child.endsWithin(15_000);
    await child.kill();
    expect([ended, child.said]).toEqual([0, 'holds a lock\nnothing keeps it alive\n']);
  }, 30_000);

  it('ends at once after close when its sentinels are away', async () => {
    const options = { sentinels: [{ host: '127.0.0.1', port: 1 }], name: 'mymaster' };
    const child = new Child('test/support/closed-process.ts', JSON.stringify(options));
    expect(await child.endsWithin(15_000)).toBe(0);
    const [, lived] = /lived on for (\d+) ms/.exec(child.said) ?? [];
    expect(Number(lived)).toBeLessThan(1_000);
  }, 20_000);

  it.each(['using', 'two', 'forty', 'once'])(
    '%s: leaves nothing held',
    async (way) => {
      for (const scripts of ['unknown', 'known']) {
        if (scripts === 'unknown') await arena.admin.script('FLUSH');
        const child = new Child('test/support/exit-after.ts', arena.server.url, way);
        expect([await child.exited, child.said]).toEqual([7, '']);
        const locks = arena.open();
        const held: string[] = [];
        for await (const { name, inUse } of locks.list()) if (inUse > 0) held.push(name);
        expect(held).toEqual([]);
        if (way === 'once')
          expect(await locks.once('job', () => 1, { doneTtl: '1m' })).toEqual({ ran: false });
      }
    },
    30_000,
  );
});
