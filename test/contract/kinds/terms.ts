import { failureOf, until } from '../../support/eventually.js';
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

  it('does not hold up close()', async () => {
    const locks = fixture.open();
    await locks.using(fixture.name, () => undefined, { minHold: 300 });
    const start = performance.now();
    await locks.close();
    expect(performance.now() - start).toTakeLessThan(150, fixture.lag.max);
    expect(await fixture.one.tryAcquire(fixture.name)).toBeUndefined();
  });

  it('refuses a caller that finds maxWaiters callers of this process in line, and nobody else', async () => {
    const { one, two, name } = fixture;
    const lease = await two.acquire(name);
    const gate = new Gate();
    const line = Array.from({ length: 3 }, () => one.using(name, () => gate.opened, { maxWaiters: 3 }));
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
