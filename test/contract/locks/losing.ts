import type { LockLostError } from '../../../lib/base/errors.js';
import { abortOf, failureOf, until } from '../../support/eventually.js';
import { listed } from './listing.js';
import type { Fixture } from './fixture.js';

const SHORT = { ttl: 150, renew: false } as const;

export function losingContract(fixture: Fixture): void {
  it('aborts the signal at the deadline, with the loss as its reason', async () => {
    const lease = await fixture.one.acquire(fixture.name, SHORT);
    const left = lease.remaining;
    const start = performance.now();
    const loss = await abortOf<LockLostError>(lease.signal);
    const took = performance.now() - start;
    expect(took).toBeGreaterThan(left - 5);
    expect(took).toTakeLessThan(left + 15, fixture.lag.max);
    expect(loss).toMatchObject({
      code: 'LOCK_LOST',
      reason: 'expired',
      fence: lease.fence,
      completed: false,
    });
    expect(loss.heldFor).toBeGreaterThanOrEqual(100);
    expect(lease.held).toBe(false);
    expect(lease.signal.reason).toBe(loss);
    expect(await lease.release()).toBe('expired');
  });

  it('makes a signal that is read after the loss an aborted one', async () => {
    const lease = await fixture.one.acquire(fixture.name, SHORT);
    await until('the lease is over', () => !lease.held);
    expect(lease.signal.aborted).toBe(true);
    expect(lease.signal.reason).toMatchObject({ reason: 'expired' });
  });

  it('aborts the signal for whoever reads it in a blocked event loop', async () => {
    const { one, name } = fixture;
    for (const lease of [
      await one.acquire(name, SHORT),
      await one.allOf([fixture.another()]).acquire(SHORT),
    ]) {
      const { signal } = lease;
      while (lease.held); // no timer fires meanwhile
      expect(lease.signal.aborted).toBe(true);
      expect(signal.reason).toMatchObject({ code: 'LOCK_LOST', reason: 'expired' });
    }
  });

  it('is reported with the result of the work', async () => {
    const work = fixture.one.using(
      fixture.name,
      async (lease) => (await abortOf(lease.signal), 'sold'),
      SHORT,
    );
    const loss = await failureOf<LockLostError>(work);
    expect(loss).toMatchObject({
      reason: 'expired',
      completed: true,
      result: 'sold',
      lockName: fixture.name,
    });
    expect(loss.cause).toBeUndefined();
  });

  it('is reported with the error of the work as its cause', async () => {
    const error = new Error('no such row');
    const work = fixture.one.using(
      fixture.name,
      async (lease) => {
        await abortOf(lease.signal);
        throw error;
      },
      SHORT,
    );
    const loss = await failureOf<LockLostError>(work);
    expect(loss).toMatchObject({ reason: 'expired', completed: true, cause: error });
    expect(loss.result).toBeUndefined();
  });

  it('is reported once when the work itself notices it', async () => {
    const work = fixture.one.using(
      fixture.name,
      async (lease) => {
        await until('the lease is over', () => !lease.held);
        lease.assertHeld();
      },
      SHORT,
    );
    const loss = await failureOf<LockLostError>(work);
    expect(loss).toMatchObject({ reason: 'expired' });
    expect(loss.cause).toBeUndefined();
  });

  it('comes with maxHold, whatever is renewed, and the name is free at once', async () => {
    const lease = await fixture.one.acquire(fixture.name, { ttl: 5_000, maxHold: 200 });
    expect(lease.remaining).toBeLessThanOrEqual(200);
    const loss = await abortOf<LockLostError>(lease.signal);
    expect(loss).toMatchObject({ reason: 'max-hold' });
    expect(loss.heldFor).toBeGreaterThanOrEqual(195);
    await (await fixture.two.acquire(fixture.name, { wait: 500 })).release();
  });

  it('comes with an operator’s revocation: at once here, and the place is free when the work is done', async () => {
    const lease = await fixture.one.acquire(fixture.name);
    const next = fixture.two.acquire(fixture.name);
    await fixture.queued(1);
    const start = performance.now();
    expect(await fixture.two.revoke(fixture.name, { reason: 'stuck since noon' })).toBe(true);
    expect(await abortOf(lease.signal)).toMatchObject({
      reason: 'revoked',
      revokeReason: 'stuck since noon',
      message: expect.stringContaining("was revoked by an operator ('stuck since noon')"),
    });
    expect(performance.now() - start).toTakeLessThan(50, fixture.lag.max);
    expect(await fixture.open().tryAcquire(fixture.name)).toBeUndefined();
    const report = await fixture.report();
    expect(report).toMatchObject({ holders: [{ revokeReason: 'stuck since noon' }], queue: [{}] });
    expect((await listed(fixture.two)).get(fixture.name)?.holders).toMatchObject([
      { revokeReason: 'stuck since noon' },
    ]);
    await lease.release();
    expect((await fixture.report()).holders).not.toMatchObject([{ revokeReason: expect.anything() }]);
    await (await next).release();
  });

  it('comes with the next renewal after a revocation that was not heard', async () => {
    const deaf = fixture.open();
    const lease = await deaf.acquire(fixture.name, { ttl: 300 });
    await fixture.two.revoke(fixture.name, { reason: 'not heard: 100 % “ünï”' });
    const start = performance.now();
    expect(await abortOf(lease.signal)).toMatchObject({
      reason: 'revoked',
      revokeReason: 'not heard: 100 % “ünï”',
    });
    expect(performance.now() - start).toTakeLessThan(100 + 50, fixture.lag.max);
    await lease.release();
  });

  it('is reported with the reason of the revocation and the outcome of the work', async () => {
    const work = fixture.one.using(fixture.name, async (lease) => {
      await fixture.two.revoke(fixture.name, { reason: 'wrong tenant', force: true });
      await abortOf(lease.signal);
      return 'sold';
    });
    expect(await failureOf(work)).toMatchObject({
      reason: 'revoked',
      revokeReason: 'wrong tenant',
      completed: true,
      result: 'sold',
    });
  });

  it('comes with the next renewal after a forced revocation that was not heard, while others hold the lock', async () => {
    const deaf = fixture.open();
    const lease = await deaf.acquire(fixture.name, { ttl: 300 });
    expect(await fixture.two.revoke(fixture.name, { reason: 'the first', force: true })).toBe(true);
    expect(await fixture.two.revoke(fixture.name, { reason: 'nobody is there', force: true })).toBe(false);
    await using next = await fixture.two.acquire(fixture.name, { wait: 0 });
    expect(await abortOf(lease.signal)).toMatchObject({ reason: 'revoked', revokeReason: 'the first' });
    expect(await failureOf(lease.renew())).toMatchObject({ reason: 'revoked', revokeReason: 'the first' });
    expect(await lease.release()).toBe('expired');
    expect(next.held).toBe(true);
  });

  it('comes with a forced revocation to a writer that goes on as a reader', async () => {
    const writer = await fixture.open().readWrite(fixture.name).write.acquire();
    await fixture.two.revoke(fixture.name, { reason: 'by force', force: true });
    expect(await failureOf(writer.downgrade())).toMatchObject({
      reason: 'revoked',
      revokeReason: 'by force',
    });
  });

  it('leaves the place to the next at the deadline when a revoked holder does not stop', async () => {
    const lease = await fixture.one.acquire(fixture.name, { ttl: 400 });
    await fixture.two.revoke(fixture.name, { reason: 'test' });
    const next = await fixture.two.acquire(fixture.name, { wait: 1_000 });
    expect([lease.held, next.held]).toEqual([false, true]);
    await next.release();
    expect(await lease.release()).toBe('expired');
  });

  it('comes with a forced revocation, and the next has the lock at once', async () => {
    const lease = await fixture.one.acquire(fixture.name);
    expect(await fixture.two.revoke(fixture.name, { reason: 'test', force: true })).toBe(true);
    const next = await fixture.two.acquire(fixture.name, { wait: 0 });
    expect(await abortOf(lease.signal)).toMatchObject({ reason: 'revoked', revokeReason: 'test' });
    expect(next.fence).toBeGreaterThan(lease.fence);
    await lease.release();
    expect(next.held).toBe(true);
    await next.release();
  });

  it('does not come to a name that nobody holds', async () => {
    expect(await fixture.one.revoke(fixture.name, { reason: 'test' })).toBe(false);
    expect(await fixture.one.revoke(fixture.name, { reason: 'test', force: true })).toBe(false);
    await (await fixture.one.acquire(fixture.name, { wait: 0 })).release();
  });
}
