import { abortOf, failureOf, until } from '../../support/eventually.js';
import type { WriteLease } from '../../../lib/locks/lock.js';
import type { Fixture } from '../locks/fixture.js';
import { Gate } from './gate.js';

export function termsContract(fixture: Fixture): void {
  it('keeps the name taken for minHold, counted from the grant, whatever the outcome', async () => {
    const { one, two, name } = fixture;
    for (const work of [() => 'done', () => Promise.reject(new Error('fails'))]) {
      const start = performance.now();
      await Promise.allSettled([one.using(name, work, { minHold: 150 })]);
      expect(await two.tryAcquire(name)).toBeUndefined();
      expect(await one.tryAcquire(name)).toBeUndefined();
      const next = await two.acquire(name);
      const took = performance.now() - start;
      expect(took).toBeGreaterThan(145);
      expect(took).toTakeLessThan(250, fixture.lag.max);
      await next.release();
    }
  });

  it('keeps it for longer than the lease would last, also for one who was granted by a notice', async () => {
    const { one, two, name } = fixture;
    const lease = await one.acquire(name);
    let granted = 0;
    const waiting = two.using(name, () => void (granted = performance.now()), { minHold: 500, ttl: 100 });
    await fixture.queued(1);
    await lease.release();
    await waiting;
    await (await one.acquire(name)).release();
    expect(performance.now() - granted).toBeGreaterThan(495);
  });

  it('keeps as a reader what was downgraded meanwhile, for longer than the lease would last', async () => {
    const { one, two, name } = fixture;
    const other = fixture.another();
    const { write } = one.readWrite(name);
    const terms = { ttl: 100, minHold: 500 };
    for (const lock of [write, one.allOf([write, other])]) {
      let granted = 0;
      const work = async (): Promise<void> => {
        granted = performance.now();
        await (one.current(name) as WriteLease).downgrade();
      };
      await lock.using(work, terms);
      await (await two.readWrite(name).read.acquire()).release();
      expect(performance.now() - granted).toTakeLessThan(400, fixture.lag.max);
      await (await two.acquire(name)).release();
      expect(performance.now() - granted).toBeGreaterThan(495);
    }
  });

  it('gives back at once what was held for longer than minHold', async () => {
    const { one, two, name } = fixture;
    await one.using(name, () => new Promise((resolve) => setTimeout(resolve, 30)), { minHold: 20 });
    await (await two.acquire(name, { wait: 1_000 })).release();
  });

  it('keeps several names, and permits', async () => {
    const { one, two, name } = fixture;
    const other = fixture.another();
    const options = { minHold: 100 };
    await one.allOf([name, one.semaphore(other, 2)]).using(() => undefined, options);
    expect(await two.tryAcquire(name)).toBeUndefined();
    expect(await two.semaphore(other, 2).available()).toBe(1);
    await until('both are free', async () => (await two.semaphore(other, 2).available()) === 2);
  });

  it('is ended by a revocation by force, which says so, and by no other', async () => {
    const { one, two, name } = fixture;
    await one.using(name, () => undefined, { minHold: '5m', ttl: '10m' });
    await until('it is kept', async () => (await fixture.report()).holders[0]!.remaining <= 300_000);
    expect(await two.revoke(name, { reason: 'nobody works there' })).toBe(false);
    expect(await two.tryAcquire(name)).toBeUndefined();
    const waiting = two.acquire(name);
    await fixture.queued(1);
    expect(await two.revoke(name, { reason: 'needed now', force: true })).toBe(true);
    await (await waiting).release();
  });

  it('does not prolong what was revoked: the name is free when the work gives it back', async () => {
    const { one, two, name } = fixture;
    const work = one.using(
      name,
      async ({ signal }) => {
        expect(await two.revoke(name, { reason: 'needed now' })).toBe(true);
        await abortOf(signal);
      },
      { minHold: '5m' },
    );
    expect(await failureOf(work)).toMatchObject({ code: 'LOCK_LOST', reason: 'revoked' });
    await (await two.acquire(name)).release();
  });

  it('does not hold up close()', async () => {
    const locks = fixture.open();
    await locks.using(fixture.name, () => undefined, { minHold: 300 });
    const start = performance.now();
    await locks.close();
    expect(performance.now() - start).toTakeLessThan(150, fixture.lag.max);
    expect(await fixture.one.tryAcquire(fixture.name)).toBeUndefined();
  });

  it('is held for the ttl of its own caller, not for the longer one of whoever had it before or asked before', async () => {
    const { one, two, name } = fixture;
    const before = await one.acquire(name, { ttl: '1h' });
    const handedOn = one.acquire(name, { ttl: 500 });
    await before.release();
    const own = [await handedOn];
    await own[0]!.release();
    const leaving = new AbortController();
    const left = failureOf(one.acquire(name, { ttl: '1h', signal: leaving.signal }));
    const granted = one.acquire(name, { ttl: 500 });
    leaving.abort();
    own.push(await granted);
    await left;
    for (const { remaining } of own) expect(remaining).toBeLessThanOrEqual(500);
    const { holders } = await two.inspect(name);
    expect(holders[0]!.remaining).toBeLessThanOrEqual(500 + 125);
    await own[1]!.release();
  });

  it('is held for the ttl of its own caller, not for the shorter one of whoever asked before', async () => {
    const { one, two, name } = fixture;
    const leaving = new AbortController();
    const left = failureOf(one.acquire(name, { ttl: 100, signal: leaving.signal }));
    const granted = one.acquire(name, { ttl: '10s', renew: false });
    leaving.abort();
    const lease = await granted;
    await left;
    await until('it is renewed once', () => lease.remaining > 9_000);
    // The guard is that of its ttl as well.
    const { holders } = await two.inspect(name);
    expect(holders[0]!.remaining - lease.remaining).toBeGreaterThan(500);
    await lease.release();
  });

  it('keeps the place in the queue of whoever asked before with another ttl', async () => {
    const { one, two, name } = fixture;
    const lease = await two.acquire(name);
    const leaving = new AbortController();
    const left = failureOf(one.acquire(name, { ttl: '1m', signal: leaving.signal }));
    await fixture.queued(1);
    const order: string[] = [];
    const take = async (locks: typeof one, who: string, ttl: number): Promise<void> => {
      const own = await locks.acquire(name, { ttl });
      order.push(`${who}, ${own.remaining <= ttl}`);
      await own.release();
    };
    const both = [take(one, 'first', 5_000)];
    const third = fixture.open();
    both.push(take(third, 'second', 5_000));
    await fixture.queued(2);
    leaving.abort();
    await left;
    await lease.release();
    await Promise.all(both);
    expect(order).toEqual(['first, true', 'second, true']);
  });

  it('has its place between processes from when it came, also while its own process holds for longer', async () => {
    const { one, two, name } = fixture;
    const lease = await one.acquire(name, { ttl: '1m' });
    const order: string[] = [];
    const take = async (locks: typeof one, who: string): Promise<void> => {
      const own = await locks.acquire(name, { ttl: '5s' });
      order.push(who);
      await own.release();
    };
    const both = [take(one, 'first')];
    await fixture.queued(1);
    both.push(take(two, 'second'));
    await fixture.queued(2);
    await lease.release();
    await Promise.all(both);
    expect(order).toEqual(['first', 'second']);
  });

  it('has the guard of the ttl for which it is renewed, and handed over', async () => {
    const { one, two, name } = fixture;
    const lease = await one.acquire(name, { ttl: 200 });
    await lease.renew(10_000);
    const { holders } = await two.inspect(name);
    expect(holders[0]!.remaining - lease.remaining).toBeGreaterThan(500);
    await lease.release();
    const short = await one.acquire(name, { ttl: 200 });
    const text = await short.handOver({ ttl: '10s' });
    expect((await two.inspect(name)).holders[0]!.remaining).toBeGreaterThan(10_000);
    await (await two.resume(text)).release();
  });

  it('lets a caller with next to no wait go at its time', async () => {
    const { one, two, name } = fixture;
    const lease = await two.acquire(name);
    expect(await failureOf(one.acquire(name, { wait: 0.001 }))).toMatchObject({ reason: 'timeout' });
    expect(await failureOf(one.readWrite(name).read.acquire({ wait: 0.02 }))).toMatchObject({
      reason: 'timeout',
    });
    await lease.release();
  });

  it('counts no caller for maxWaiters whose question is not answered yet: the lock may be free', async () => {
    const { one, name } = fixture;
    const gate = new Gate();
    const line = Array.from({ length: 2 }, () => one.using(name, () => gate.opened, { maxWaiters: 1 }));
    const refused = failureOf(one.using(name, () => gate.opened, { maxWaiters: 1 }));
    expect(await refused).toMatchObject({ code: 'LOCK_BUSY', reason: 'full' });
    gate.open();
    await Promise.all(line);
  });

  it('refuses a caller that finds maxWaiters callers of this process in line, and nobody else', async () => {
    const { one, two, name } = fixture;
    const lease = await two.acquire(name);
    const gate = new Gate();
    const line = Array.from({ length: 3 }, () => one.using(name, () => gate.opened, { maxWaiters: 3 }));
    await fixture.queued(1);
    expect(await failureOf(one.using(name, () => 1, { maxWaiters: 3 }))).toMatchObject({
      code: 'LOCK_BUSY',
      reason: 'full',
    });
    const patient = one.using(name, () => 'without a limit');
    const elsewhere = two.using(name, () => 'another process', { maxWaiters: 1 });
    gate.open();
    await lease.release();
    expect(await Promise.all([patient, elsewhere])).toEqual(['without a limit', 'another process']);
    await Promise.all(line);
  });

  it('does not count callers that hold or have left', async () => {
    const { one, name } = fixture;
    const lease = await one.acquire(name);
    await failureOf(one.using(name, () => 1, { maxWaiters: 1, wait: 20 }));
    const next = one.using(name, () => 'served', { maxWaiters: 1 });
    await lease.release();
    expect(await next).toBe('served');
  });
}
