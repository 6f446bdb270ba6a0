import type { LockUsageError } from '../../../lib/base/errors.js';
import type { LockService } from '../../../lib/locks/lock-service.js';
import { failureOf, until } from '../../support/eventually.js';
import type { Fixture } from '../locks/fixture.js';

const usage = { code: 'LOCK_USAGE' };
const LINGER = { linger: '5s' } as const;

export function lingerContract(fixture: Fixture): void {
  /** Uses the name until its hold lingers: the first hold is given back, since nobody hears yet whether others ask. */
  async function lingered(locks: LockService, name: string): Promise<number> {
    let [before, fence] = [0, 0];
    await until('it lingers', async () => {
      before = fence;
      await locks.using(name, (lease) => void (fence = lease.fence), LINGER);
      return fence === before + 1;
    });
    return fence;
  }

  afterEach(async () => (await fixture.two.acquire(fixture.name, { wait: 2_000 })).release());

  it('serves the next caller of its process with the next fence, and nothing is asked of the store', async () => {
    const { one, two, name } = fixture;
    let fence = await lingered(one, name);
    expect((await two.inspect(name)).holders).toMatchObject([
      { mayLinger: true, fences: [fence - 1, expect.any(Number)] },
    ]);
    for (let turn = 0; turn < 20; turn += 1) {
      const lease = await one.acquire(name, LINGER);
      expect(lease.fence).toBe((fence += 1));
      expect(lease.remaining).toBeGreaterThan(5_000);
      await lease.release();
      expect(lease.held).toBe(false);
    }
  });

  it('is given back at once when another process asks, also when it asks once', async () => {
    const { one, two, name } = fixture;
    for (let turn = 0; turn < 5; turn += 1) {
      const fence = await lingered(one, name);
      const next = await two.acquire(name, { wait: 2_000 });
      expect(next.fence).toBeGreaterThan(fence);
      await next.release();
      const again = await lingered(one, name);
      const tried = await two.tryAcquire(name);
      expect(tried?.fence).toBeGreaterThan(again);
      await tried?.release();
    }
  });

  it('goes back and forth between two processes that both keep it', async () => {
    const { one, two, name } = fixture;
    let fence = Math.max(await lingered(one, name), await lingered(two, name));
    for (let turn = 0; turn < 40; turn += 1) {
      const lease = await (turn % 2 ? two : one).acquire(name, { ...LINGER, wait: 2_000 });
      expect(lease.fence).toBeGreaterThan(fence);
      fence = lease.fence;
      await lease.release();
    }
  });

  it('is not given back while somebody works, however often others ask once', async () => {
    const { one, two, name } = fixture;
    await lingered(one, name);
    const lease = await one.acquire(name, LINGER);
    const refused = await Promise.all(
      Array.from({ length: 3 }, () => failureOf(two.acquire(name, { wait: 0 }))),
    );
    for (const each of refused) expect(each).toMatchObject({ code: 'LOCK_BUSY', reason: 'held' });
    lease.assertHeld();
    // They were no waiters: the next callers here are served as before.
    await lease.release();
    const next = await one.acquire(name, LINGER);
    expect(next.fence).toBe(lease.fence + 1);
    await next.release();
    const tried = await two.tryAcquire(name);
    expect(tried).toBeDefined();
    await tried?.release();
  });

  it('makes room for other kinds of locks on its name', async () => {
    const { one, two, name } = fixture;
    for (const locks of [one, two]) {
      await lingered(one, name);
      const reader = await locks.readWrite(name).read.acquire({ wait: 2_000 });
      await reader.release();
      await lingered(one, name);
      const tried = await locks.readWrite(name).read.tryAcquire();
      expect(tried).toBeDefined();
      await tried?.release();
      await lingered(one, name);
      const permit = await locks.semaphore(name, 3).acquire({ wait: 2_000 });
      await permit.release();
    }
  });

  it('ends by itself, and by a caller who keeps nothing', async () => {
    const { one, two, name } = fixture;
    const lingers = async (linger: number): Promise<void> => {
      await lingered(one, name);
      await (await one.acquire(name, { linger })).release();
    };
    const holders = async (): Promise<number> => (await two.inspect(name)).holders.length;
    await lingers(1_000);
    expect(await holders()).toBe(1);
    const { lag } = fixture;
    await lingers(20);
    await until('it is given back', async () => (await holders()) === 0, 2_500 + lag.max);
    await lingered(one, name);
    await (await one.acquire(name)).release();
    expect(await holders()).toBe(0);
  });

  it('is given back with a minimum hold, by revocation, and when its service closes', async () => {
    const { one, two, name } = fixture;
    await lingered(one, name);
    await one.using(name, () => undefined, { ...LINGER, minHold: 50 });
    expect(await failureOf(two.acquire(name, { wait: 0 }))).toMatchObject({ reason: 'held' });
    await (await two.acquire(name, { wait: 2_000 })).release();

    await lingered(one, name);
    await two.revoke(name, { reason: 'test' });
    await until('it is free', async () => (await two.inspect(name)).holders.length === 0);
    const after = await one.acquire(name, LINGER);
    await after.release();

    const third = fixture.open();
    await lingered(third, name);
    await third.close();
    expect((await two.inspect(name)).holders).toEqual([]);
  });

  it('says nothing more of a lease that was released', async () => {
    const { one, two, name } = fixture;
    await lingered(one, name);
    const lease = await one.acquire(name, LINGER);
    const { signal } = lease;
    await lease.release();
    await two.revoke(name, { reason: 'test', force: true });
    await (await two.acquire(name, { wait: 2_000 })).release();
    expect(signal.aborted).toBe(false);
    expect(lease.held).toBe(false);
    expect(await failureOf(lease.renew())).toMatchObject({ code: 'LOCK_LOST', reason: 'released' });
  });

  it('is refused where it has no place', async () => {
    const { one, name } = fixture;
    const refusal = async (work: Promise<unknown>): Promise<string> => {
      const error = await failureOf<LockUsageError>(work);
      expect(error).toMatchObject(usage);
      return error.message;
    };
    expect(await refusal(one.acquire(name, { linger: '11s' }))).toBe(
      "The option linger takes at most the ttl of the call (10s); it was '11s'.",
    );
    expect(await refusal(one.acquire(name, { linger: -1 }))).toMatch(/linger .*-1/);
    const readers = one.readWrite(name).read.using(() => 1, { linger: 10 });
    expect(await refusal(readers)).toMatch(/linger is for locks that exclude every other.* 10\.$/);
    expect(await refusal(one.semaphore(name, 2).acquire({ linger: 10 }))).toMatch(/linger/);
    await (await one.semaphore(name, 2).acquire({ units: 2, linger: 10 })).release();
  });
}
