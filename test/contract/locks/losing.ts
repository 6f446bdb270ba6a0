import type { LockLostError } from '../../../lib/base/errors.js';
import { abortOf, failureOf, until } from '../../support/eventually.js';
import { listed } from './listing.js';
import type { Stage } from './stage.js';

const SHORT = { ttl: 150, renew: false } as const;

export function losingContract(stage: Stage): void {
  it('aborts the signal at the deadline, with the loss as its reason', async () => {
    const lease = await stage.one.acquire(stage.name, SHORT);
    const left = lease.remaining;
    const start = performance.now();
    const loss = await abortOf<LockLostError>(lease.signal);
    const took = performance.now() - start;
    expect(took).toBeGreaterThan(left - 5);
    expect(took).toBeLessThan(left + 15 + stage.lag.max);
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
    const lease = await stage.one.acquire(stage.name, SHORT);
    await until('the lease is over', () => !lease.held);
    expect(lease.signal.aborted).toBe(true);
    expect(lease.signal.reason).toMatchObject({ reason: 'expired' });
  });

  it('is told with the result of the work', async () => {
    const work = stage.one.using(stage.name, async (lease) => (await abortOf(lease.signal), 'sold'), SHORT);
    const loss = await failureOf<LockLostError>(work);
    expect(loss).toMatchObject({ reason: 'expired', completed: true, result: 'sold', lockName: stage.name });
    expect(loss.cause).toBeUndefined();
  });

  it('is told with the error of the work as its cause', async () => {
    const error = new Error('no such row');
    const work = stage.one.using(
      stage.name,
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

  it('is told once when the work itself notices it', async () => {
    const work = stage.one.using(
      stage.name,
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
    const lease = await stage.one.acquire(stage.name, { ttl: 5_000, maxHold: 200 });
    expect(lease.remaining).toBeLessThanOrEqual(200);
    const loss = await abortOf<LockLostError>(lease.signal);
    expect(loss).toMatchObject({ reason: 'max-hold' });
    expect(loss.heldFor).toBeGreaterThanOrEqual(195);
    await (await stage.two.acquire(stage.name, { wait: 500 })).release();
  });

  it('comes with an operator’s revocation: at once here, and the place is free when the work is done', async () => {
    const lease = await stage.one.acquire(stage.name);
    const next = stage.two.acquire(stage.name);
    await stage.queued(1);
    const start = performance.now();
    expect(await stage.two.revoke(stage.name, { reason: 'stuck since noon' })).toBe(true);
    expect(await abortOf(lease.signal)).toMatchObject({
      reason: 'revoked',
      revokeReason: 'stuck since noon',
      message: expect.stringContaining("was revoked by an operator ('stuck since noon')"),
    });
    expect(performance.now() - start).toBeLessThan(50 + stage.lag.max);
    expect(await stage.open().tryAcquire(stage.name)).toBeUndefined();
    const report = await stage.report();
    expect(report).toMatchObject({ holders: [{ revokeReason: 'stuck since noon' }], queue: [{}] });
    expect((await listed(stage.two)).get(stage.name)?.holders).toMatchObject([
      { revokeReason: 'stuck since noon' },
    ]);
    await lease.release();
    expect((await stage.report()).holders).not.toMatchObject([{ revokeReason: expect.anything() }]);
    await (await next).release();
  });

  it('comes with the next renewal after a revocation that was not heard', async () => {
    const deaf = stage.open();
    const lease = await deaf.acquire(stage.name, { ttl: 300 });
    await stage.two.revoke(stage.name, { reason: 'not heard: 100 % “ünï”' });
    const start = performance.now();
    expect(await abortOf(lease.signal)).toMatchObject({
      reason: 'revoked',
      revokeReason: 'not heard: 100 % “ünï”',
    });
    expect(performance.now() - start).toBeLessThan(100 + 50 + stage.lag.max);
    await lease.release();
  });

  it('is told with the reason of the revocation and the outcome of the work', async () => {
    const work = stage.one.using(stage.name, async (lease) => {
      await stage.two.revoke(stage.name, { reason: 'wrong tenant', force: true });
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
    const deaf = stage.open();
    const lease = await deaf.acquire(stage.name, { ttl: 300 });
    expect(await stage.two.revoke(stage.name, { reason: 'the first', force: true })).toBe(true);
    expect(await stage.two.revoke(stage.name, { reason: 'nobody is there', force: true })).toBe(false);
    await using next = await stage.two.acquire(stage.name, { wait: 0 });
    expect(await abortOf(lease.signal)).toMatchObject({ reason: 'revoked', revokeReason: 'the first' });
    expect(await failureOf(lease.renew())).toMatchObject({ reason: 'revoked', revokeReason: 'the first' });
    expect(await lease.release()).toBe('expired');
    expect(next.held).toBe(true);
  });

  it('comes with a forced revocation to a writer that goes on as a reader', async () => {
    const writer = await stage.open().readWrite(stage.name).write.acquire();
    await stage.two.revoke(stage.name, { reason: 'by force', force: true });
    expect(await failureOf(writer.downgrade())).toMatchObject({
      reason: 'revoked',
      revokeReason: 'by force',
    });
  });

  it('leaves the place to the next at the deadline when a revoked holder does not stop', async () => {
    const lease = await stage.one.acquire(stage.name, { ttl: 400 });
    await stage.two.revoke(stage.name, { reason: 'test' });
    const next = await stage.two.acquire(stage.name, { wait: 1_000 });
    expect([lease.held, next.held]).toEqual([false, true]);
    await next.release();
    expect(await lease.release()).toBe('expired');
  });

  it('comes with a forced revocation, and the next has the lock at once', async () => {
    const lease = await stage.one.acquire(stage.name);
    expect(await stage.two.revoke(stage.name, { reason: 'test', force: true })).toBe(true);
    const next = await stage.two.acquire(stage.name, { wait: 0 });
    expect(await abortOf(lease.signal)).toMatchObject({ reason: 'revoked', revokeReason: 'test' });
    expect(next.fence).toBeGreaterThan(lease.fence);
    await lease.release();
    expect(next.held).toBe(true);
    await next.release();
  });

  it('does not come to a name that nobody holds', async () => {
    expect(await stage.one.revoke(stage.name, { reason: 'test' })).toBe(false);
    expect(await stage.one.revoke(stage.name, { reason: 'test', force: true })).toBe(false);
    await (await stage.one.acquire(stage.name, { wait: 0 })).release();
  });
}
