import { abortOf, failureOf } from '../../support/eventually.js';
import type { Stage } from './stage.js';

export function closingContract(stage: Stage): void {
  it('sends away who waits, with reason closed, and leaves nothing in the queue', async () => {
    const lease = await stage.one.acquire(stage.name);
    const locks = stage.open();
    const waiting = Array.from({ length: 3 }, () => failureOf(locks.acquire(stage.name, { wait: '1h' })));
    await stage.queued(1);
    await locks.close();
    for (const refusal of await Promise.all(waiting))
      expect(refusal).toMatchObject({ code: 'LOCK_BUSY', reason: 'closed' });
    expect((await stage.report()).queue).toEqual([]);
    await lease.release();
  });

  it('grants nothing any more', async () => {
    const locks = stage.open();
    await locks.close();
    expect(await failureOf(locks.acquire(stage.name))).toMatchObject({ reason: 'closed' });
    expect(await failureOf(locks.tryAcquire(stage.name))).toMatchObject({ reason: 'closed' });
    expect(await failureOf(locks.using(stage.name, () => 1))).toMatchObject({ reason: 'closed' });
  });

  it('lets running work keep its lease, renewals included, and ends when the work does', async () => {
    const locks = stage.open({ shutdownGrace: '20s' });
    let finish!: () => void;
    const finished = new Promise<void>((resolve) => (finish = resolve));
    let began!: () => void;
    const running = new Promise<void>((resolve) => (began = resolve));
    const work = locks.using(
      stage.name,
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
    expect([closed, await stage.two.tryAcquire(stage.name)]).toEqual([false, undefined]);
    finish();
    expect(await work).toBe('done');
    const start = performance.now();
    await closing;
    expect(performance.now() - start).toBeLessThan(100 + stage.lag.max);
    expect((await stage.report()).inUse).toBe(0);
  });

  it('takes the lease from work that goes on after the grace, and frees the name', async () => {
    const locks = stage.open({ shutdownGrace: 100 });
    const lease = await locks.acquire(stage.name);
    const lost = abortOf(lease.signal);
    const start = performance.now();
    await locks.close();
    const took = performance.now() - start;
    expect(took).toBeGreaterThan(95);
    expect(took).toBeLessThan(200 + stage.lag.max);
    expect(await lost).toMatchObject({ code: 'LOCK_LOST', reason: 'closed' });
    expect([lease.held, await lease.release()]).toEqual([false, 'expired']);
    expect((await stage.report()).inUse).toBe(0);
  });

  it('is done once, however often it is asked for', async () => {
    const locks = stage.open();
    const lease = await locks.acquire(stage.name);
    await Promise.all([locks.close(), locks.close()]);
    await locks.close();
    expect(lease.held).toBe(false);
  });

  it('releases many names in one go', async () => {
    const locks = stage.open();
    const names = Array.from({ length: 50 }, () => stage.another());
    await Promise.all(names.map((name) => locks.acquire(name)));
    await locks.close();
    const reports = await Promise.all(names.map((name) => stage.one.inspect(name)));
    expect(reports.filter(({ inUse }) => inUse > 0)).toEqual([]);
  });
}
