import { createLockService } from '../../lib/locks/create-lock-service.js';
import type { Lease } from '../../lib/locks/lock.js';
import type { LockService } from '../../lib/locks/lock-service.js';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';
import { RUNNERS, throughRunner, turn, type Push } from '../support/job-runners.js';
import { describeWithRealRedis } from '../support/real-redis.js';

// A thousand with BORROWED_ROUNDS=1000.
const ROUNDS = Number(process.env['BORROWED_ROUNDS'] ?? 250);

/** Two requests change one balance under one lock; the second goes through a runner that the first woke up. */
async function race(
  locks: LockService,
  name: string,
  push: Push,
): Promise<{ borrowed: boolean; balance: number; most: number; fences: number }> {
  let balance = 100;
  let inside = 0;
  let most = 0;
  const fences: number[] = [];
  const change = async (lease: Lease, amount: number, during?: () => void): Promise<void> => {
    fences.push(lease.fence);
    most = Math.max(most, (inside += 1));
    const read = balance;
    during?.();
    await turn();
    await turn();
    balance = read + amount;
    inside -= 1;
  };
  const borrowed = await throughRunner(
    push,
    () => locks.current(name) !== undefined,
    (begun) => locks.using(name, (lease) => change(lease, -10, begun)),
    () => locks.using(name, (lease) => change(lease, -20), { wait: '20s' }),
  );
  return { borrowed, balance, most, fences: new Set(fences).size };
}

function suite(open: () => LockService, rounds: number): void {
  let locks: LockService;
  beforeAll(async () => {
    locks = open();
    await locks.ready();
  });
  afterAll(() => locks.close());

  it.each(Object.entries(RUNNERS))(
    '%s: never two inside, never one fence for both, no lost update',
    async (name, runner) => {
      let borrowed = 0;
      for (let round = 0; round < rounds; round += 1) {
        const { borrowed: inside, ...seen } = await race(locks, name, runner());
        expect(seen).toEqual({ balance: 70, most: 1, fences: 2 });
        borrowed += inside ? 1 : 0;
      }
      expect(borrowed).toBeGreaterThan(0); // else nothing was tried
    },
    60_000,
  );
}

describe('a stranger in the async context of a holder, in memory', () => {
  suite(() => createLockService({ log: { warn: () => undefined } }), ROUNDS);
});

describe('the option reentrant: true', () => {
  it('trusts the context, and so lets the stranger in: what its documentation warns of', async () => {
    const locks = createLockService({ reentrant: true, log: { warn: () => undefined } });
    const runner = RUNNERS['a queue of ten lines'] as () => Push;
    expect(await race(locks, 'account', runner())).toEqual({
      borrowed: true,
      balance: 80,
      most: 2,
      fences: 1,
    });
    await locks.close();
  });
});

describeWithRealRedis('a stranger in the async context of a holder, in Redis', () => {
  let redis: RunningRedis;
  beforeAll(async () => (redis = await startRedis()));
  suite(() => createLockService({ redis: redis.url, log: { warn: () => undefined } }), ROUNDS / 5);
  afterAll(() => redis.stop());
});
