import { AsyncLocalStorage } from 'node:async_hooks';
import { LockService } from '../../../lib/locks/lock-service.js';
import { LockSettings } from '../../../lib/locks/lock-settings.js';
import { MemoryServer } from '../../../lib/store/memory/memory-server.js';
import { MemoryStore } from '../../../lib/store/memory/memory-store.js';
import { newSession } from '../../../lib/store/session-id.js';
import { HandClock } from '../../support/hand-clock.js';

const HOUR = 3_600_000;
const TERMS = { ttl: 5_000, renew: false } as const;

describe('the signal of a lease whose time was over in a jump of the clock', () => {
  let clock: HandClock, locks: LockService;
  beforeEach(() => {
    clock = new HandClock();
    const store = new MemoryStore(new MemoryServer(clock), newSession(), clock);
    locks = LockService.over(store, new LockSettings({}), clock, { warn: () => undefined });
  });

  it.each([['one name', 'a'] as const, ['several', ['a', 'b']] as const])(
    'is aborted when it is read again: %s',
    async (_, names) => {
      const lease = await locks.allOf([names].flat()).acquire(TERMS);
      const { signal } = lease;
      clock.jump(HOUR);
      expect([lease.held, lease.signal.aborted]).toEqual([false, true]);
      expect(lease.signal).toBe(signal);
      expect(signal.reason).toMatchObject({ code: 'LOCK_LOST', reason: 'expired' });
    },
  );

  it('calls its listeners in the context of whoever asked for it first, and once', async () => {
    const heard: unknown[] = [];
    const context = new AsyncLocalStorage<string>();
    const lease = await locks.acquire('a', TERMS);
    context.run('first', () => lease.signal.addEventListener('abort', () => heard.push(context.getStore())));
    clock.jump(HOUR);
    context.run('second', () => expect(lease.signal.aborted).toBe(true));
    clock.pass(10_000);
    expect(lease.signal.aborted).toBe(true);
    expect(heard).toEqual(['first']);
  });

  it('aborts within a second when nobody reads it, also after a downgrade', async () => {
    const lease = await locks.acquire('a', TERMS);
    const writer = await locks.readWrite('b').write.acquire(TERMS);
    const signals = [lease.signal, writer.signal];
    await writer.downgrade();
    clock.pass(500);
    clock.jump(HOUR);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false]);
    clock.pass(1_000);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
  });

  it('does not abort a lease that was released', async () => {
    const lease = await locks.acquire('a', TERMS);
    const { signal } = lease;
    await lease.release();
    clock.jump(HOUR);
    expect([lease.signal.aborted, signal.aborted]).toEqual([false, false]);
  });
});
