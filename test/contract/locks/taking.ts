import { hostname } from 'node:os';
import type { LockBusyError } from '../../../lib/base/errors.js';
import { failureOf, pass, until } from '../../support/eventually.js';
import type { Stage } from './stage.js';

const ME = { host: hostname(), pid: process.pid };

export function takingContract(stage: Stage): void {
  it('grants a free lock at once', async () => {
    const lease = await stage.one.acquire(stage.name, { wait: 0 });
    expect(lease.names).toEqual([stage.name]);
    expect([lease.held, lease.remaining > 9_000, lease.remaining <= 10_000]).toEqual([true, true, true]);
    await lease.release();
  });

  it('tries once: undefined while another service, or a caller beside it, holds the lock', async () => {
    const lease = await stage.one.acquire(stage.name);
    expect(await stage.two.tryAcquire(stage.name)).toBeUndefined();
    expect(await stage.one.tryAcquire(stage.name)).toBeUndefined();
    await lease.release();
    await (await stage.two.tryAcquire(stage.name))?.release();
  });

  it('tries for as long as it is told to', async () => {
    const lease = await stage.one.acquire(stage.name);
    expect(await stage.two.tryAcquire(stage.name, { wait: 40 })).toBeUndefined();
    const second = stage.two.tryAcquire(stage.name, { wait: '5s' });
    await stage.queued(1);
    await lease.release();
    expect((await second)?.held).toBe(true);
    await (await second)?.release();
  });

  it.each(['another service', 'a caller beside it'])(
    'says who holds it and for how long, when it is %s',
    async (who) => {
      const lease = await stage.one.acquire(stage.name, { label: 'nightly report' });
      const asking = who === 'another service' ? stage.two : stage.one;
      const busy = await failureOf<LockBusyError>(asking.acquire(stage.name, { wait: 0 }));
      expect(busy).toMatchObject({
        code: 'LOCK_BUSY',
        reason: 'held',
        lockName: stage.name,
        holder: { ...ME, label: 'nightly report' },
      });
      expect(busy.retryAfter).toBeGreaterThan(9_000);
      expect(busy.retryAfter).toBeLessThanOrEqual(10_500);
      expect(busy.message).toContain(`${ME.host}:${ME.pid} nightly report`);
      await lease.release();
    },
  );

  it('gives up when its wait is over, says so, and leaves the queue', async () => {
    const lease = await stage.one.acquire(stage.name, { label: 'first' });
    const start = performance.now();
    const busy = await failureOf<LockBusyError>(stage.two.acquire(stage.name, { wait: 150 }));
    const took = performance.now() - start;
    expect(busy).toMatchObject({ reason: 'timeout', lockName: stage.name, holder: { label: 'first' } });
    expect(busy.waited).toBeGreaterThanOrEqual(149);
    expect(took).toBeGreaterThanOrEqual(149);
    expect(took).toBeLessThan(200 + stage.lag.max);
    await stage.queued(0);
    await lease.release();
  });

  it('gives up at once when its signal aborts, with the signal’s reason as the cause', async () => {
    const lease = await stage.one.acquire(stage.name);
    const [controller, reason] = [new AbortController(), new Error('the client went away')];
    const waiting = failureOf<LockBusyError>(stage.two.acquire(stage.name, { signal: controller.signal }));
    await stage.queued(1);
    const start = performance.now();
    controller.abort(reason);
    expect(await waiting).toMatchObject({ reason: 'aborted', cause: reason });
    expect(performance.now() - start).toBeLessThan(20 + stage.lag.max);
    await stage.queued(0);
    await lease.release();
  });

  it('takes nothing for a signal that is aborted already', async () => {
    const signal = AbortSignal.abort('too late');
    expect(await failureOf(stage.one.acquire(stage.name, { signal }))).toMatchObject({
      reason: 'aborted',
      cause: 'too late',
    });
    expect((await stage.report()).inUse).toBe(0);
  });

  it('keeps a lease whose signal aborts afterwards', async () => {
    const controller = new AbortController();
    const lease = await stage.one.acquire(stage.name, { signal: controller.signal });
    controller.abort();
    expect(lease.held).toBe(true);
    expect(await lease.release()).toBe('released');
  });

  it('serves the callers of one process in the order in which they came', async () => {
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 30 }, (_, caller) =>
        stage.one.using(stage.name, async () => {
          order.push(caller);
          if (caller % 7 === 0) await pass(1);
        }),
      ),
    );
    expect(order).toEqual(Array.from({ length: 30 }, (_, caller) => caller));
  });

  it('serves services in the order in which they came', async () => {
    const order: string[] = [];
    const lease = await stage.two.acquire(stage.name);
    const served: Promise<void>[] = [];
    for (const who of ['first', 'second', 'third', 'fourth']) {
      const locks = stage.open();
      served.push(locks.using(stage.name, () => void order.push(who)));
      await stage.queued(served.length);
    }
    await lease.release();
    await Promise.all(served);
    expect(order).toEqual(['first', 'second', 'third', 'fourth']);
  });

  it('lets another service have its turn, whatever the line of callers here', async () => {
    let served = 0;
    const busy = Array.from({ length: 200 }, () =>
      stage.one.using(stage.name, async () => {
        await pass(1);
        served += 1;
      }),
    );
    await until('the line moves', () => served > 0);
    const before = served;
    await stage.two.using(stage.name, () => undefined);
    expect(served - before).toBeLessThan(100);
    await Promise.all(busy);
  });

  it('passes the lock to the next service at once, without being asked', async () => {
    const lease = await stage.one.acquire(stage.name);
    const next = stage.two.acquire(stage.name);
    await stage.queued(1);
    const start = performance.now();
    const [, second] = await Promise.all([lease.release(), next]);
    expect(performance.now() - start).toBeLessThan(50 + stage.lag.max);
    expect([lease.held, second.held]).toEqual([false, true]);
    await second.release();
  });

  it('lets those behind move up when one in the middle gives up', async () => {
    const lease = await stage.one.acquire(stage.name);
    const third = stage.open();
    const leaving = failureOf(stage.two.acquire(stage.name, { wait: 300 }));
    await stage.queued(1);
    const staying = third.acquire(stage.name);
    await stage.queued(2);
    await leaving;
    await lease.release();
    expect((await staying).held).toBe(true);
  });

  it('shows labels of several lines in one, and serves who gave them', async () => {
    const lease = await stage.one.acquire(stage.name, { label: 'one\ntwo' });
    const waiting = stage.two.acquire(stage.name, { label: '1 2\r\n3 4' });
    await stage.queued(1);
    const { holders, queue } = await stage.one.inspect(stage.name);
    expect([holders[0]?.label, queue[0]?.label]).toEqual(['one two', '1 2  3 4']);
    await lease.release();
    await (await waiting).release();
  });

  it('shows holders and waiters with their labels, and changes nothing by looking', async () => {
    const lease = await stage.one.acquire(stage.name, { label: 'holds' });
    const waiting = stage.two.acquire(stage.name, { label: 'waits' });
    await stage.queued(1);
    const report = await stage.report();
    expect(report).toMatchObject({
      name: stage.name,
      capacity: report.inUse,
      holders: [{ ...ME, label: 'holds', units: report.inUse }],
      queue: [{ ...ME, label: 'waits', units: report.inUse }],
    });
    const [holder] = report.holders;
    expect(holder?.fences[0]).toBe(lease.fence);
    expect(holder?.remaining).toBeGreaterThan(9_000);
    expect(Math.abs(Number(holder?.since) - Date.now())).toBeLessThan(60_000);
    await lease.release();
    await (await waiting).release();
  });

  it('shows a name that nobody uses as free', async () => {
    expect(await stage.report()).toMatchObject({ name: stage.name, inUse: 0, holders: [], queue: [] });
    expect(await stage.report()).not.toHaveProperty('fence');
  });
}
