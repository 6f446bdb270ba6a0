import { AsyncLocalStorage } from 'node:async_hooks';
import { jest } from '@jest/globals';
import { LockStoreError } from '../../../lib/base/errors.js';
import { UnprotectedLease } from '../../../lib/locks/lease-handle.js';
import type { Lease } from '../../../lib/locks/lock.js';
import { LockService } from '../../../lib/locks/lock-service.js';
import { LockSettings } from '../../../lib/locks/lock-settings.js';
import { MemoryServer } from '../../../lib/store/memory/memory-server.js';
import { failureOf } from '../../support/eventually.js';
import { HandClock } from '../../support/hand-clock.js';
import { HandStore, turned } from '../../support/hand-store.js';

const TTL = 3_000;

describe('a lease at risk', () => {
  let clock: HandClock, store: HandStore, locks: LockService;
  beforeEach(() => {
    clock = new HandClock();
    store = new HandStore(new MemoryServer(clock), clock);
    store.held = ({ kind }) => kind === 'renew';
    locks = LockService.over(store.store, new LockSettings({ ttl: TTL }), clock, { warn: () => undefined });
  });

  function passing(ms: number): void {
    for (const until = clock.now() + ms; clock.now() < until;) clock.pass(5);
  }

  /** Answers the renewals that are in flight. */
  async function renewed(): Promise<void> {
    for (const each of store.of('renew'))
      await each.answer({ outcome: 'renewed', last: 9, contended: false });
  }

  it('says so by the clock, and is none when it is over', async () => {
    const lease = await locks.acquire('x');
    expect(lease.atRisk).toBe(false);
    clock.jump(TTL * 0.6); // no timer has fired
    expect(lease.atRisk).toBe(true);
    clock.jump(TTL * 0.4);
    expect([lease.held, lease.atRisk]).toEqual([false, false]);
  });

  it('calls its listeners once for each silence, each in the context of whoever gave it', async () => {
    const tenant = new AsyncLocalStorage<string>();
    const heard: (string | undefined)[] = [];
    const lease = await locks.acquire('x');
    for (const name of ['a', 'b'])
      tenant.run(name, () => lease.onAtRisk(() => heard.push(tenant.getStore())));
    passing(TTL * 0.7);
    expect(heard).toEqual(['a', 'b']);
    await renewed();
    expect(lease.atRisk).toBe(false);
    passing(TTL * 0.4);
    expect(heard).toEqual(['a', 'b', 'a', 'b']);
  });

  it('calls a listener soon that came when it was at risk already, and none that was taken back', async () => {
    const heard: string[] = [];
    const lease = await locks.acquire('x');
    const takeBack = lease.onAtRisk(() => heard.push('taken back'));
    takeBack();
    passing(TTL * 0.7);
    lease.onAtRisk(() => heard.push('late'));
    lease.onAtRisk(() => heard.push('taken back at once'))();
    expect(heard).toEqual([]);
    await turned();
    expect(heard).toEqual(['late']);
  });

  it('calls no listener when it is lost or released', async () => {
    const heard: string[] = [];
    const lease = await locks.acquire('x');
    lease.onAtRisk(() => heard.push('x'));
    await lease.release();
    passing(TTL);
    expect(heard).toEqual([]);
  });

  it('goes on being renewed when a listener throws, whose error is uncaught', async () => {
    const heard: string[] = [];
    const lease = await locks.acquire('x');
    lease.onAtRisk(() => {
      throw new Error('of a listener');
    });
    lease.onAtRisk(() => heard.push('the next one'));
    const later = jest.spyOn(process, 'nextTick').mockImplementation(() => undefined);
    passing(TTL * 0.7);
    const thrown = later.mock.calls.map(([call]) => call as () => void);
    later.mockRestore();
    expect(heard).toEqual(['the next one']);
    expect(thrown.at(-1)).toThrow('of a listener');
    await renewed();
    expect(lease.remaining).toBeGreaterThan(TTL / 2);
  });

  it('of several names calls a listener once for the silence of all', async () => {
    let heard = 0;
    await locks.using(['a', 'b'], async (lease) => {
      lease.onAtRisk(() => (heard += 1));
      passing(TTL * 0.7);
      expect([heard, lease.atRisk]).toEqual([1, true]);
      await renewed();
      expect(lease.atRisk).toBe(false);
      passing(TTL * 0.4);
      expect(heard).toBe(2);
      await renewed();
    });
  });

  it('of an entry is that of the lease, until the entry ends', async () => {
    let heard = 0;
    const lease = await locks.acquire('x');
    let inner: Lease | undefined;
    await lease.using((entry) => {
      inner = entry;
      entry.onAtRisk(() => (heard += 1));
      passing(TTL * 0.7);
      expect([heard, entry.atRisk]).toEqual([1, true]);
    });
    expect(inner!.atRisk).toBe(false);
    await renewed();
    passing(TTL * 0.4);
    expect(heard).toBe(1);
  });

  it('that goes on as a reader keeps its listeners', async () => {
    let heard = 0;
    const lease = await locks.readWrite('x').write.acquire();
    lease.onAtRisk(() => (heard += 1));
    const reader = await lease.downgrade();
    passing(TTL * 0.7);
    expect(heard).toBe(1);
    expect([lease.atRisk, reader.atRisk]).toEqual([false, true]);
  });

  it('is none that runs without its lock', () => {
    const lease = new UnprotectedLease(['x'], new LockStoreError('away'));
    expect(lease.atRisk).toBe(false);
    lease.onAtRisk()();
  });

  it('takes functions only', async () => {
    const lease = await locks.acquire('x');
    const error = await failureOf(Promise.resolve().then(() => lease.onAtRisk('x' as never)));
    expect(error).toMatchObject({
      code: 'LOCK_USAGE',
      message: expect.stringMatching(/onAtRisk takes a function; it was 'x'/),
    });
  });

  it('costs no timer of its own', async () => {
    const leases = await Promise.all(Array.from({ length: 50 }, (_, n) => locks.acquire(`x${n}`)));
    const before = clock.timers.size;
    for (const lease of leases) lease.onAtRisk(() => undefined);
    expect(clock.timers.size).toBe(before);
  });
});
