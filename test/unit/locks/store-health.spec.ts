import { LockTestKit } from '../../../lib/testing/index.js';

describe('checks of the health that come at the same time', () => {
  it('do not take over that a probe got no answer which had less time than they have', async () => {
    await using kit = new LockTestKit({ clock: 'manual' });
    kit.fail('silent');
    const [short, long] = [30, 1_000].map((timeout) => kit.locks.health({ timeout }));
    await kit.advance(20);
    const late = kit.locks.health({ timeout: 30 });
    kit.recover();
    await kit.advance(15);
    expect(await short).toMatchObject({ status: 'down' });
    expect(await Promise.all([long, late])).toMatchObject([{ status: 'up' }, { status: 'up' }]);
  });

  it('are answered in time, however long the store is silent', async () => {
    await using kit = new LockTestKit({ clock: 'manual' });
    kit.fail('silent');
    const checks = [30, 30, 100].map((timeout) => kit.locks.health({ timeout }));
    await kit.advance(31);
    expect(await Promise.all(checks.slice(0, 2))).toMatchObject([{ status: 'down' }, { status: 'down' }]);
    await kit.advance(70);
    const { status, took } = await checks[2]!;
    expect([status, Math.round(took)]).toEqual(['down', 100]);
  });

  it('share what a store refuses, and what it answers', async () => {
    await using kit = new LockTestKit({ clock: 'manual' });
    kit.fail('refusing');
    const refused = [30, 1_000].map((timeout) => kit.locks.health({ timeout }));
    expect(await Promise.all(refused)).toMatchObject([
      { status: 'down', took: 0 },
      { status: 'down', took: 0 },
    ]);
    kit.recover();
    const answered = [30, 1_000].map((timeout) => kit.locks.health({ timeout }));
    expect(await Promise.all(answered)).toMatchObject([{ status: 'up' }, { status: 'up' }]);
  });
});
