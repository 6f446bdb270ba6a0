import { hostname } from 'node:os';
import type { LockBusyError } from '../../../lib/base/errors.js';
import { failureOf, pass, until } from '../../support/eventually.js';
import type { Fixture } from './fixture.js';

const ME = { host: hostname(), pid: process.pid };

export function takingContract(fixture: Fixture): void {
  it('grants a free lock at once', async () => {
    const lease = await fixture.one.acquire(fixture.name, { wait: 0 });
    expect(lease.names).toEqual([fixture.name]);
    expect([lease.held, lease.remaining > 9_000, lease.remaining <= 10_000]).toEqual([true, true, true]);
    await lease.release();
  });

  it('tries once: undefined while another service, or a caller beside it, holds the lock', async () => {
    const lease = await fixture.one.acquire(fixture.name);
    expect(await fixture.two.tryAcquire(fixture.name)).toBeUndefined();
    expect(await fixture.one.tryAcquire(fixture.name)).toBeUndefined();
    await lease.release();
    await (await fixture.two.tryAcquire(fixture.name))?.release();
  });

  it('tries for as long as it is told to', async () => {
    const lease = await fixture.one.acquire(fixture.name);
    expect(await fixture.two.tryAcquire(fixture.name, { wait: 40 })).toBeUndefined();
    const second = fixture.two.tryAcquire(fixture.name, { wait: '5s' });
    await fixture.queued(1);
    await lease.release();
    expect((await second)?.held).toBe(true);
    await (await second)?.release();
  });

  it.each(['another service', 'a caller beside it'])(
    'says who holds it and for how long, when it is %s',
    async (who) => {
      const lease = await fixture.one.acquire(fixture.name, { label: 'nightly report' });
      const asking = who === 'another service' ? fixture.two : fixture.one;
      const busy = await failureOf<LockBusyError>(asking.acquire(fixture.name, { wait: 0 }));
      expect(busy).toMatchObject({
        code: 'LOCK_BUSY',
        reason: 'held',
        lockName: fixture.name,
        holder: { ...ME, label: 'nightly report' },
      });
      expect(busy.retryAfter).toBeGreaterThan(9_000);
      expect(busy.retryAfter).toBeLessThanOrEqual(10_500);
      expect(busy.message).toContain(`${ME.host}:${ME.pid} nightly report`);
      await lease.release();
    },
  );

  it('gives up when its wait is over, says so, and leaves the queue', async () => {
    const lease = await fixture.one.acquire(fixture.name, { label: 'first' });
    const start = performance.now();
    const busy = await failureOf<LockBusyError>(fixture.two.acquire(fixture.name, { wait: 150 }));
    const took = performance.now() - start;
    expect(busy).toMatchObject({ reason: 'timeout', lockName: fixture.name, holder: { label: 'first' } });
    expect(busy.waited).toBeGreaterThanOrEqual(149);
    expect(took).toBeGreaterThanOrEqual(149);
    expect(took).toTakeLessThan(200, fixture.lag.max);
    await fixture.queued(0);
    await lease.release();
  });

  it('gives up at once when its signal aborts, with the signal’s reason as the cause', async () => {
    const lease = await fixture.one.acquire(fixture.name);
    const [controller, reason] = [new AbortController(), new Error('the client went away')];
    const waiting = failureOf<LockBusyError>(
      fixture.two.acquire(fixture.name, { signal: controller.signal }),
    );
    await fixture.queued(1);
    const start = performance.now();
    controller.abort(reason);
    expect(await waiting).toMatchObject({ reason: 'aborted', cause: reason });
    expect(performance.now() - start).toTakeLessThan(20, fixture.lag.max);
    await fixture.queued(0);
    await lease.release();
  });

  it('takes nothing for a signal that is aborted already', async () => {
    const signal = AbortSignal.abort('too late');
    expect(await failureOf(fixture.one.acquire(fixture.name, { signal }))).toMatchObject({
      reason: 'aborted',
      cause: 'too late',
    });
    expect((await fixture.report()).inUse).toBe(0);
  });

  it('keeps a lease whose signal aborts afterwards', async () => {
    const controller = new AbortController();
    const lease = await fixture.one.acquire(fixture.name, { signal: controller.signal });
    controller.abort();
    expect(lease.held).toBe(true);
    expect(await lease.release()).toBe('released');
  });

  it('serves the callers of one process in the order in which they came', async () => {
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 30 }, (_, caller) =>
        fixture.one.using(fixture.name, async () => {
          order.push(caller);
          if (caller % 7 === 0) await pass(1);
        }),
      ),
    );
    expect(order).toEqual(Array.from({ length: 30 }, (_, caller) => caller));
  });

  it('serves services in the order in which they came', async () => {
    const order: string[] = [];
    const lease = await fixture.two.acquire(fixture.name);
    const served: Promise<void>[] = [];
    for (const who of ['first', 'second', 'third', 'fourth']) {
      const locks = fixture.open();
      served.push(locks.using(fixture.name, () => void order.push(who)));
      await fixture.queued(served.length);
    }
    await lease.release();
    await Promise.all(served);
    expect(order).toEqual(['first', 'second', 'third', 'fourth']);
  });

  it('lets another service have its turn, whatever the line of callers here', async () => {
    let served = 0;
    const busy = Array.from({ length: 200 }, () =>
      fixture.one.using(fixture.name, async () => {
        await pass(1);
        served += 1;
      }),
    );
    await until('the line moves', () => served > 0);
    const before = served;
    await fixture.two.using(fixture.name, () => undefined);
    expect(served - before).toBeLessThan(100);
    await Promise.all(busy);
  });

  it('passes the lock to the next service at once, without being asked', async () => {
    const lease = await fixture.one.acquire(fixture.name);
    const next = fixture.two.acquire(fixture.name);
    await fixture.queued(1);
    const start = performance.now();
    const [, second] = await Promise.all([lease.release(), next]);
    expect(performance.now() - start).toTakeLessThan(50, fixture.lag.max);
    expect([lease.held, second.held]).toEqual([false, true]);
    await second.release();
  });

  it('lets those behind move up when one in the middle gives up', async () => {
    const lease = await fixture.one.acquire(fixture.name);
    const third = fixture.open();
    const leaving = failureOf(fixture.two.acquire(fixture.name, { wait: 300 }));
    await fixture.queued(1);
    const staying = third.acquire(fixture.name);
    await fixture.queued(2);
    await leaving;
    await lease.release();
    expect((await staying).held).toBe(true);
  });

  it('shows labels of several lines in one, and serves who gave them', async () => {
    const lease = await fixture.one.acquire(fixture.name, { label: 'one\ntwo' });
    const waiting = fixture.two.acquire(fixture.name, { label: '1 2\r\n3 4' });
    await fixture.queued(1);
    const { holders, queue } = await fixture.one.inspect(fixture.name);
    expect([holders[0]?.label, queue[0]?.label]).toEqual(['one two', '1 2  3 4']);
    await lease.release();
    await (await waiting).release();
  });

  it('shows holders and waiters with their labels, and changes nothing by looking', async () => {
    const lease = await fixture.one.acquire(fixture.name, { label: 'holds' });
    const waiting = fixture.two.acquire(fixture.name, { label: 'waits' });
    await fixture.queued(1);
    const report = await fixture.report();
    expect(report).toMatchObject({
      name: fixture.name,
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
    expect(await fixture.report()).toMatchObject({ name: fixture.name, inUse: 0, holders: [], queue: [] });
    expect(await fixture.report()).not.toHaveProperty('fence');
  });
}
