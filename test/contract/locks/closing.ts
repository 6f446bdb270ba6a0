import { abortOf, failureOf } from '../../support/eventually.js';
import type { Fixture } from './fixture.js';

export function closingContract(fixture: Fixture): void {
  it('refuses waiting callers with reason closed, and leaves nothing in the queue', async () => {
    const lease = await fixture.one.acquire(fixture.name);
    const locks = fixture.open();
    const waiting = Array.from({ length: 3 }, () => failureOf(locks.acquire(fixture.name, { wait: '1h' })));
    await fixture.queued(1);
    await locks.close();
    for (const refusal of await Promise.all(waiting))
      expect(refusal).toMatchObject({ code: 'LOCK_BUSY', reason: 'closed' });
    expect((await fixture.report()).queue).toEqual([]);
    await lease.release();
  });

  it('grants nothing from then on', async () => {
    const locks = fixture.open();
    await locks.close();
    expect(await failureOf(locks.acquire(fixture.name))).toMatchObject({ reason: 'closed' });
    expect(await failureOf(locks.tryAcquire(fixture.name))).toMatchObject({ reason: 'closed' });
    expect(await failureOf(locks.using(fixture.name, () => 1))).toMatchObject({ reason: 'closed' });
  });

  it('lets running work keep its lease, renewals included, and ends when the work does', async () => {
    const locks = fixture.open({ shutdownGrace: '20s' });
    let finish!: () => void;
    const finished = new Promise<void>((resolve) => (finish = resolve));
    let began!: () => void;
    const running = new Promise<void>((resolve) => (began = resolve));
    const work = locks.using(
      fixture.name,
      async (lease) => {
        began();
        await finished;
        lease.assertHeld();
        return 'done';
      },
      { ttl: 150 },
    );
    await running;
    let closed = false;
    const closing = locks.close().then(() => (closed = true));
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect([closed, await fixture.two.tryAcquire(fixture.name)]).toEqual([false, undefined]);
    finish();
    expect(await work).toBe('done');
    const start = performance.now();
    await closing;
    expect(performance.now() - start).toTakeLessThan(100, fixture.lag.max);
    expect((await fixture.report()).inUse).toBe(0);
  });

  it('takes the lease from work that goes on after the grace, and frees the name', async () => {
    const locks = fixture.open({ shutdownGrace: 100 });
    const lease = await locks.acquire(fixture.name);
    const lost = abortOf(lease.signal);
    const start = performance.now();
    await locks.close();
    const took = performance.now() - start;
    expect(took).toBeGreaterThan(95);
    expect(took).toTakeLessThan(200, fixture.lag.max);
    expect(await lost).toMatchObject({ code: 'LOCK_LOST', reason: 'closed' });
    expect([lease.held, await lease.release()]).toEqual([false, 'expired']);
    expect((await fixture.report()).inUse).toBe(0);
  });

  it('is done once, however often it is asked for', async () => {
    const locks = fixture.open();
    const lease = await locks.acquire(fixture.name);
    await Promise.all([locks.close(), locks.close()]);
    await locks.close();
    expect(lease.held).toBe(false);
  });

  it('releases many names in one go', async () => {
    const locks = fixture.open();
    const names = Array.from({ length: 50 }, () => fixture.another());
    await Promise.all(names.map((name) => locks.acquire(name)));
    await locks.close();
    const reports = await Promise.all(names.map((name) => fixture.one.inspect(name)));
    expect(reports.filter(({ inUse }) => inUse > 0)).toEqual([]);
  });
}
