import { Child } from '../support/child.js';
import { until } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** A process that has started a topology, and the ids of its servers. */
async function owner(kind: string): Promise<{ child: Child; pids: number[] }> {
  const child = new Child('test/support/topology-process.ts', kind);
  await child.says('are up');
  const pids = /servers (.*) are up/.exec(child.said)?.[1] ?? '';
  return { child, pids: pids.split(' ').map(Number) };
}

describeWithRealRedis('the servers of a topology', () => {
  it.each([
    ['sentinel', 'SIGINT'],
    ['cluster', 'SIGKILL'],
  ] as const)(
    'of kind %s end with the process that started them, by %s',
    async (kind, signal) => {
      const { child, pids } = await owner(kind);
      expect(pids.filter(isAlive)).toHaveLength(6);
      child.end(signal);
      await until('all servers are gone', () => !pids.some(isAlive), 10_000);
    },
    60_000,
  );

  it('end when the process that started them fails', async () => {
    const { child, pids } = await owner('failing');
    expect(await child.exited).toBe(1);
    await until('all servers are gone', () => !pids.some(isAlive), 10_000);
  }, 60_000);
});
