import { LockTestKit } from '../../../lib/testing/lock-test-kit.js';
import { failureOf } from '../../support/eventually.js';
import { HeardEvents } from '../../support/heard-events.js';

describe('several locks of which one is busy', () => {
  it('tell of the first round, which asks for all together, and then of each that is taken', async () => {
    await using kit = new LockTestKit({ clock: 'manual' });
    const busy = await kit.locks.acquire('b');
    using heard = new HeardEvents({ traced: false });
    const work = kit.locks.using(['a', 'b'], ({ held }) => held, { wait: '5s' });
    await kit.advance(100);
    await busy.release();
    expect(await work).toBe(true);
    await kit.advance(0);
    expect(heard.orderOf('a')).toEqual(['granted', 'released', 'granted', 'released']);
    expect(heard.orderOf('b')).toEqual(['busy', 'released', 'granted', 'released']);
    expect(heard.of('busy', 'b')).toMatchObject([{ reason: 'held' }]);
  });
});

describe('several locks while the store is silent', () => {
  const opened = (): LockTestKit => new LockTestKit({ clock: 'manual' });

  it.each([['one by itself', 'a'] as const, ['one in a list', ['a']] as const, ['two', ['a', 'b']] as const])(
    'are taken when it answers again within wait: %s',
    async (_, names) => {
      await using kit = opened();
      kit.fail('silent');
      const work = kit.locks.using(names, ({ held }) => held, { wait: '5s' });
      await kit.advance('1.5s');
      kit.recover();
      await kit.advance('1s');
      expect(await work).toBe(true);
      await kit.advance(0);
      expect(kit.held()).toEqual([]);
    },
  );

  it('fail at the end of wait, with nothing held', async () => {
    await using kit = opened();
    kit.fail('silent');
    let over = false;
    const failed = failureOf(kit.locks.using(['a', 'b'], () => 1, { wait: '3s' })).finally(
      () => (over = true),
    );
    await kit.advance('2.5s');
    expect(over).toBe(false);
    await kit.advance('1s');
    expect(await failed).toMatchObject({ code: 'LOCK_STORE', refused: false });
    kit.recover();
    await kit.advance('1s');
    expect(kit.held()).toEqual([]);
  });

  it('fail at once without wait, and when it refuses', async () => {
    await using kit = opened();
    kit.fail('silent');
    const untried = failureOf(kit.locks.using(['a', 'b'], () => 1, { wait: 0 }));
    await kit.advance('1s');
    expect(await untried).toMatchObject({ code: 'LOCK_STORE', refused: false });
    kit.recover();
    kit.fail('refusing');
    const refused = failureOf(kit.locks.using(['a', 'b'], () => 1, { wait: '5s' }));
    await kit.advance(0);
    expect(await refused).toMatchObject({ code: 'LOCK_STORE', refused: true });
  });
});
