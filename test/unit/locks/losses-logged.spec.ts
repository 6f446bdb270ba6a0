import { SystemClock } from '../../../lib/base/clock.js';
import { LockService } from '../../../lib/locks/lock-service.js';
import { LockSettings } from '../../../lib/locks/lock-settings.js';
import { MemoryServer } from '../../../lib/store/memory/memory-server.js';
import { MemoryStore } from '../../../lib/store/memory/memory-store.js';
import { newSession } from '../../../lib/store/session-id.js';
import { failureOf, pass, until } from '../../support/eventually.js';
import { HandClock } from '../../support/hand-clock.js';

describe('a lease that is lost', () => {
  const clock = new SystemClock();
  let server: MemoryServer;
  let warnings: string[];
  let services: LockService[];

  const open = (warn = (message: string): void => void warnings.push(message), time = clock): LockService => {
    const store = new MemoryStore(server, newSession(), time);
    const locks = new LockService(store, new LockSettings({ shutdownGrace: 0 }), time, { warn });
    services.push(locks);
    return locks;
  };
  const said = (count: number) => until(`${count} warnings`, () => warnings.length >= count);

  beforeEach(() => {
    server = new MemoryServer(clock);
    [warnings, services] = [[], []];
  });
  afterEach(() => Promise.all(services.map((locks) => locks.close())));

  it('is said at once, with its name, fence, reason, holder and since when it was held', async () => {
    const before = Date.now();
    const lease = await open().acquire('nightly', { ttl: 100, renew: false, label: 'report' });
    await said(1);
    await pass(30);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(
      new RegExp(
        `^The lease of 'nightly' \\(fence ${lease.fence}\\) expired: .*, \\d+ ms after it was granted\\. ` +
          `It was held by \\S+:${process.pid} report since (\\S+Z)\\. Nobody else has the lock now\\.$`,
      ),
    );
    const since = Date.parse(/since (\S+)\. /.exec(warnings[0] ?? '')?.[1] ?? '');
    expect(Math.abs(since - before)).toBeLessThan(200);
  });

  it('is said with who has the lock now', async () => {
    const lease = await open().acquire('name');
    const [holder] = server.read('name').state.holders;
    const { id = '', first = 0 } = holder ?? {};
    server.apply('name', { kind: 'release', id, used: first, keep: 0, done: 0 }); // as if an operator had deleted it
    const next = await open().acquire('name', { label: 'next' });
    expect(await failureOf(lease.renew())).toMatchObject({ reason: 'taken' });
    await said(1);
    expect(warnings[0]).toContain(`the store no longer knows it`);
    expect(warnings[0]).toMatch(
      new RegExp(`Now it is held by \\S+:${process.pid} next \\(fence ${next.fence}\\)\\.$`),
    );
    await next.release();
  });

  it('is said when its maxHold is over', async () => {
    const lease = await open().acquire('name', { maxHold: 100 });
    await said(1);
    expect(warnings[0]).toContain('maxHold');
    await lease.release();
    expect(warnings).toHaveLength(1);
  });

  it('is said once when a shutdown takes it from running work', async () => {
    const locks = open();
    const work = failureOf(locks.using('name', () => pass(60)));
    await until('it is held', async () => (await locks.inspect('name')).holders.length === 1);
    await locks.close();
    expect(await work).toMatchObject({ reason: 'closed' });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/'name'.*was released by shutdown.*shutdownGrace/);
  });

  it('is said when its holder gives it back too late, before any timer could find out', async () => {
    const hand = new HandClock();
    server = new MemoryServer(hand);
    const lease = await open(undefined, hand as never).acquire('name', { ttl: 1_000 });
    hand.jump(5_000); // as a blocked event loop, or a machine that was suspended
    expect(await lease.release()).toBe('expired');
    await said(1);
    expect(warnings[0]).toContain('expired');
  });

  it('is not said when it is released', async () => {
    const locks = open();
    await (await locks.acquire('name')).release();
    await locks.using('name', () => pass(1), { ttl: 100 });
    await locks.close();
    expect(warnings).toEqual([]);
  });

  it('is one of ten lines a second; of a thousand at once the others are counted', async () => {
    const locks = open();
    await Promise.all(Array.from({ length: 1_000 }, (_, n) => locks.acquire(`name:${n}`)));
    await locks.close();
    expect(warnings).toHaveLength(11);
    expect(warnings[10]).toBe('990 more leases were lost within a second: 990 × closed.');
  });

  it('is said again by single lines a second later', async () => {
    const locks = open();
    const lose = (count: number) =>
      Promise.all(
        Array.from({ length: count }, (_, n) => locks.acquire(`name:${n}`, { ttl: 100, renew: false })),
      );
    await lose(12);
    await said(11);
    expect(warnings.at(-1)).toBe('2 more leases were lost within a second: 2 × expired.');
    await pass(250); // their guard
    await lose(1);
    await said(12);
    expect(warnings.at(-1)).toContain("The lease of 'name:0'");
  });

  it('is lost in good order though the log throws', async () => {
    const locks = open(() => {
      throw new Error('the log is full');
    });
    const leases = await Promise.all(Array.from({ length: 12 }, (_, n) => locks.acquire(`name:${n}`)));
    await locks.close();
    expect(leases.map(({ held }) => held)).not.toContain(true);
  });
});
