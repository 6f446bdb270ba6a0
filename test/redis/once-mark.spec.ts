import { arenaForTests } from '../support/arena.js';
import { describeWithRealRedis } from '../support/real-redis.js';

describeWithRealRedis("a run with mark: 'start'", () => {
  const arena = arenaForTests();

  it('does not take the mark of another process for its own, when its release comes late', async () => {
    const { locks, proxy } = await arena.openBehindProxy();
    const other = arena.open();
    const terms = { doneTtl: '1m', mark: 'start' } as const;
    const { down } = proxy.links[0]!;
    const take = down.take.bind(down);
    const granted = new Promise<void>((resolve) => {
      down.take = (data) => {
        down.take = take;
        proxy.links[0]!.up.hole = true; // what leaves the mark stays on the way until the hold is over
        resolve();
        take(data);
      };
    });
    const runs: string[] = [];
    const first = locks.once('fire', () => void runs.push('first'), { ...terms, ttl: 300 });
    await granted;
    expect(await other.once('fire', () => void runs.push('other'), terms)).toMatchObject({ ran: true });
    proxy.pass();
    proxy.links[0]!.up.flow();
    expect(await first).toEqual({ ran: false });
    expect(runs).toEqual(['other']);
  });
});
