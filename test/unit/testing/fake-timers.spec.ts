import { jest } from '@jest/globals';
import { Locked } from '../../../lib/index.js';
import { LockTestKit, withLocks } from '../../../lib/testing/index.js';
import { Child } from '../../support/child.js';
import { failureOf } from '../../support/eventually.js';

class Till {
  @Locked('till')
  async open(): Promise<string> {
    return 'open';
  }

  @Locked('till')
  async slow(ms: number): Promise<string> {
    await new Promise((resolve) => setTimeout(resolve, ms));
    return 'slow';
  }
}

describe('locks under the fake timers of jest', () => {
  afterEach(() => jest.useRealTimers());

  describe.each(['before', 'after'])('made %s the timers', (when) => {
    let till: Till;
    beforeEach(() => {
      if (when === 'before') till = withLocks(new Till());
      jest.useFakeTimers();
      if (when === 'after') till = withLocks(new Till());
    });

    it('serve callers who come together, though no timer is advanced', async () => {
      const calls = Array.from({ length: 100 }, () => till.open());
      expect(await Promise.all(calls)).toHaveLength(100);
    });

    it('are not lost by work that takes a minute of fake time', async () => {
      const work = till.slow(60_000);
      await jest.advanceTimersByTimeAsync(60_000);
      expect(await work).toBe('slow');
    });

    it('let a waiter give up when its wait is advanced, and not before', async () => {
      const holder = till.slow(30_000);
      const outcomes: unknown[] = [];
      const waiter = till.open().catch((error: unknown) => void outcomes.push(error));
      await jest.advanceTimersByTimeAsync(9_999);
      expect(outcomes).toEqual([]);
      await jest.advanceTimersByTimeAsync(1);
      await waiter;
      expect(outcomes).toMatchObject([{ code: 'LOCK_BUSY', reason: 'timeout', waited: 10_000 }]);
      await jest.advanceTimersByTimeAsync(20_000);
      expect(await holder).toBe('slow');
    });

    it('let a waiter in whose holder ended within the same tick', async () => {
      const holder = till.slow(5_000);
      const waiter = till.open();
      for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
      jest.advanceTimersByTime(60_000);
      expect(await Promise.all([holder, waiter])).toEqual(['slow', 'open']);
    });

    it('leave no fake timer behind', async () => {
      await Promise.all([till.open(), till.open()]);
      expect(jest.getTimerCount()).toBe(0);
    });

    it('work on when the timers are real again', async () => {
      await Promise.all([till.open(), till.open()]);
      jest.useRealTimers();
      expect(await Promise.all([till.open(), till.open()])).toEqual(['open', 'open']);
    });
  });
});

describe.each(['before', 'after'])('a kit made %s the fake timers of jest', (when) => {
  afterEach(() => jest.useRealTimers());

  function open(options = {}): { kit: LockTestKit; till: Till } {
    const made = when === 'before' ? new LockTestKit(options) : undefined;
    jest.useFakeTimers();
    const kit = made ?? new LockTestKit(options);
    return { kit, till: withLocks(new Till(), kit.locks) };
  }

  it.each(['system', 'manual'])(
    'holds, ends, fails and recovers with no timer advanced, clock %s',
    async (clock) => {
      const { kit, till } = open({ clock });
      const theirs = await kit.hold('till');
      const waiting = till.open();
      await theirs.release();
      expect(await waiting).toBe('open');
      for (const [how, reason] of [
        ['expire', 'expired'],
        ['lose', 'taken'],
      ] as const) {
        const lease = await kit.locks.acquire('till');
        await kit[how]('till');
        expect(lease.held).toBe(false);
        expect(await failureOf(Promise.resolve().then(() => lease.assertHeld()))).toMatchObject({ reason });
      }
      kit.fail();
      expect(await failureOf(till.open())).toMatchObject({ code: 'LOCK_STORE' });
      kit.recover();
      expect(await till.open()).toBe('open');
      expect(kit.held()).toEqual([]);
      await kit.close();
      expect(jest.getTimerCount()).toBe(0);
    },
  );

  it('advances a manual clock beside them, and neither moves the other', async () => {
    const { kit, till } = open({ clock: 'manual' });
    const work = till.slow(60_000);
    const outcomes: unknown[] = [];
    const waiter = till.open().catch((error: unknown) => void outcomes.push(error));
    await jest.advanceTimersByTimeAsync(30_000);
    expect(outcomes).toEqual([]);
    await kit.advance('10s');
    await waiter;
    expect(outcomes).toMatchObject([{ reason: 'timeout', waited: 10_000 }]);
    expect(kit.held('till')).toBe(true);
    await jest.advanceTimersByTimeAsync(30_000);
    expect(await work).toBe('slow');
    await kit.close();
  });
});

describe('locks under fake timers of a plain process, modules included', () => {
  it('are served, kept, waited for in fake time, and work on afterwards', async () => {
    const child = new Child('test/support/fake-timers-process.ts');
    expect(await child.exited).toBe(0);
    const said = (when: string) =>
      ['crowd 100', 'work slept', 'dated slept', 'early waits', 'waiter timeout 10000', 'holder slept']
        .concat('healed timeout', 'afterwards entered', 'kit held', 'kit timeout 10000', 'kit expired')
        .map((line) => `${when} ${line}\n`)
        .join('');
    expect(child.said).toBe(said('before') + said('after'));
  }, 30_000);
});
