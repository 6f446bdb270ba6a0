import { failureOf, until } from '../../support/eventually.js';
import type { Fixture } from './fixture.js';

export function holdingContract(fixture: Fixture): void {
  it('is released once: every further release has the same answer', async () => {
    const lease = await fixture.one.acquire(fixture.name);
    expect(await Promise.all([lease.release(), lease.release()])).toEqual(['released', 'released']);
    const next = await fixture.two.acquire(fixture.name);
    expect(await lease.release()).toBe('released');
    expect(next.held).toBe(true);
    expect((await fixture.report()).holders).toHaveLength(1);
    await next.release();
  });

  it('is held no more from the moment of its release', async () => {
    const lease = await fixture.one.acquire(fixture.name);
    lease.assertHeld();
    const answer = lease.release();
    expect([lease.held, lease.remaining]).toEqual([false, 0]);
    expect(() => lease.assertHeld()).toThrow(
      expect.objectContaining({ code: 'LOCK_LOST', reason: 'released' }),
    );
    expect(await failureOf(lease.renew())).toMatchObject({ code: 'LOCK_LOST', reason: 'released' });
    await answer;
  });

  it('does not abort its signal by a release', async () => {
    const lease = await fixture.one.acquire(fixture.name, { ttl: 100 });
    const { signal } = lease;
    await lease.release();
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect([signal.aborted, lease.signal === signal]).toEqual([false, true]);
  });

  it('is released at the end of an `await using` block', async () => {
    {
      await using lease = await fixture.one.acquire(fixture.name);
      expect(lease.held).toBe(true);
    }
    await using next = await fixture.two.acquire(fixture.name, { wait: 1_000 });
    expect(next.held).toBe(true);
  });

  it('lasts as long as its holder works, by renewals', async () => {
    const lease = await fixture.one.acquire(fixture.name, { ttl: 200 });
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(lease.held).toBe(true);
    expect(await fixture.two.tryAcquire(fixture.name)).toBeUndefined();
    expect(await lease.release()).toBe('released');
  });

  it('is renewed at its holder’s wish, for the time that the holder says', async () => {
    const lease = await fixture.one.acquire(fixture.name, { ttl: 1_000, renew: false });
    expect(lease.remaining).toBeLessThanOrEqual(1_000);
    await lease.renew(20_000);
    expect(lease.remaining).toBeGreaterThan(15_000);
    expect((await fixture.report()).holders[0]?.remaining).toBeGreaterThan(15_000);
    await lease.release();
  });

  it('is renewed so as well when another caller of this process handed it on', async () => {
    const terms = { ttl: 1_000, renew: false };
    const first = await fixture.one.acquire(fixture.name, terms);
    const next = fixture.one.acquire(fixture.name, terms);
    await first.release();
    const lease = await next;
    expect(lease.remaining).toBeLessThanOrEqual(1_000);
    await lease.renew(20_000);
    expect(lease.remaining).toBeGreaterThan(15_000);
    await lease.release();
  });

  it('takes back no promise when it is renewed for a shorter time', async () => {
    const lease = await fixture.one.acquire(fixture.name, { ttl: 5_000 });
    await lease.renew(200);
    expect(lease.remaining).toBeGreaterThan(4_000);
    await lease.release();
  });

  it('ends at its deadline when it is not renewed, and the name is free after the guard', async () => {
    const lease = await fixture.one.acquire(fixture.name, { ttl: 200, renew: false });
    const start = performance.now();
    const next = await fixture.two.acquire(fixture.name);
    expect(performance.now() - start).toTakeLessThan(200 + 50 + 50, fixture.lag.max);
    expect(lease.held).toBe(false);
    expect(() => lease.assertHeld()).toThrow(
      expect.objectContaining({ code: 'LOCK_LOST', reason: 'expired' }),
    );
    expect(await lease.release()).toBe('expired');
    expect(next.held).toBe(true);
    await next.release();
  });

  it('has the ttl of its caller, also when the lock is passed on inside the process', async () => {
    const first = await fixture.one.acquire(fixture.name, { ttl: 5_000 });
    const second = fixture.one.acquire(fixture.name, { ttl: 400, renew: false });
    const third = fixture.one.acquire(fixture.name, { ttl: 20_000 });
    await first.release();
    expect((await second).remaining).toBeLessThanOrEqual(400);
    await (await second).release();
    const last = await third;
    await until('the longer ttl is confirmed', () => last.remaining > 15_000);
    await last.release();
  });

  it('knows its name only', async () => {
    await using lease = await fixture.one.acquire(fixture.name);
    expect(lease.fenceOf(fixture.name)).toBe(lease.fence);
    expect(() => lease.fenceOf('another')).toThrow(`This lease is on '${fixture.name}', not on 'another'.`);
  });
}
