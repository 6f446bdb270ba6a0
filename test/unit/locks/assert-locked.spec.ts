import { LockStoreError } from '../../../lib/base/errors.js';
import { createLockService } from '../../../lib/locks/create-lock-service.js';
import { UnprotectedLease } from '../../../lib/locks/lease-handle.js';
import type { LockService } from '../../../lib/locks/lock-service.js';

const open = (options: Parameters<typeof createLockService>[0] = {}): LockService =>
  createLockService({ redis: 'memory', shutdownGrace: 0, log: { warn: () => undefined }, ...options });

describe('assertLocked', () => {
  let locks: LockService;
  beforeEach(() => (locks = open()));
  afterEach(() => locks.close());

  const usage = (message: RegExp) =>
    expect.objectContaining({ code: 'LOCK_USAGE', message: expect.stringMatching(message) });

  it('throws a LockUsageError where nobody has taken the lock, or only another one', async () => {
    expect(() => locks.assertLocked('x')).toThrow(usage(/must run under the lock 'x'.*does not hold it/));
    await locks.using('y', () => {
      expect(() => locks.assertLocked('x')).toThrow(usage(/must run under the lock 'x'/));
    });
  });

  it('is content with a lock of the running call, alone or among several, as a writer or a reader', async () => {
    await locks.using('x', async () => {
      await Promise.resolve();
      locks.assertLocked('x');
    });
    await locks.using(['a', 'b'], () => locks.assertLocked('b'));
    await locks.readWrite('book').read.using(() => locks.assertLocked('book'));
  });

  it('is content with a lease that is given, and checks that one, not the context', async () => {
    const lease = await locks.acquire('x');
    locks.assertLocked('x', lease);
    expect(() => locks.assertLocked('x')).toThrow(usage(/does not hold it/));
    expect(() => locks.assertLocked('y', lease)).toThrow(usage(/'y'.*lease that it was given is on 'x'/));
    await locks.using(['a', 'b'], (both) => {
      locks.assertLocked('a', both);
      expect(() => locks.assertLocked('x', both)).toThrow(usage(/is on 'a', 'b'/));
    });
    await lease.release();
    expect(() => locks.assertLocked('x', lease)).toThrow(
      expect.objectContaining({ code: 'LOCK_LOST', reason: 'released' }),
    );
  });

  it('throws a LockLostError when the lease is lost', async () => {
    await locks
      .using('x', (lease) => {
        locks.lose('x', 'taken');
        for (const given of [undefined, lease])
          expect(() => locks.assertLocked('x', given)).toThrow(
            expect.objectContaining({ code: 'LOCK_LOST', reason: 'taken' }),
          );
      })
      .catch(() => undefined);
    expect.assertions(2);
  });

  it('throws the error of the store for work that runs without its lock', () => {
    const away = new LockStoreError('away');
    expect(() => locks.assertLocked('x', new UnprotectedLease(['x'], away))).toThrow(away);
  });

  it('takes leases of this LockService only', async () => {
    const other = open();
    const lease = await other.acquire('x');
    expect(() => locks.assertLocked('x', lease)).toThrow(usage(/another LockService/));
    expect(() => locks.assertLocked('x', {} as never)).toThrow(usage(/takes a lease of this library/));
    await other.close();
  });

  it('goes by the name that is locked, with nameOf', async () => {
    const named = open({ nameOf: (name) => `tenant:${name}` });
    await named.using('x', (lease) => {
      named.assertLocked('x');
      named.assertLocked('x', lease);
    });
    await named.close();
  });
});
