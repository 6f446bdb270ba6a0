import { Child } from '../support/child.js';
import { arenaForTests } from '../support/arena.js';
import { describeWithRealRedis } from '../support/real-redis.js';

// All at once: each takes as long as a lease of ten seconds. DEPLOY_ROUNDS=20 is what a release is tried with.
const ROUNDS = Number(process.env['DEPLOY_ROUNDS'] ?? 2);

describeWithRealRedis('a deploy, with the defaults for everything', () => {
  const arena = arenaForTests();
  const children: Child[] = [];
  afterEach(() => Promise.all(children.splice(0).map((child) => child.kill())));

  async function holder(name: string): Promise<Child> {
    const child = new Child('test/support/deployed-process.ts', arena.server.url, name);
    children.push(child);
    await child.says('granted');
    return child;
  }

  it('serves whoever waits for a process that is ended by SIGKILL or SIGTERM while it holds the lock', async () => {
    const locks = arena.open();
    const served = Array.from({ length: 2 * ROUNDS }, async (_, round) => {
      const name = `job:${round}`;
      const signal = round % 2 === 0 ? 'SIGKILL' : 'SIGTERM';
      const old = await holder(name);
      const waiting = locks.acquire(name);
      await arena.queued(name);
      old.end(signal);
      await (await waiting).release();
      return name;
    });
    const outcomes = await Promise.allSettled(served);
    expect(outcomes.map(({ status }) => status)).toEqual(Array(2 * ROUNDS).fill('fulfilled'));
  }, 90_000);
});
