import { LockStoreError } from '../../../lib/base/errors.js';
import { SystemClock } from '../../../lib/base/clock.js';
import { LockService } from '../../../lib/locks/lock-service.js';
import type { LockLogEntry } from '../../../lib/locks/lock-log.js';
import type { LockServiceOptions } from '../../../lib/locks/lock-options.js';
import { LockSettings } from '../../../lib/locks/lock-settings.js';
import { MemoryServer } from '../../../lib/store/memory/memory-server.js';
import { MemoryStore } from '../../../lib/store/memory/memory-store.js';
import { newSession } from '../../../lib/store/session-id.js';
import { FaultyStore } from '../../support/faulty-store.js';
import { abortOf, pass, until } from '../../support/eventually.js';

describe('what a developer is warned of', () => {
  const clock = new SystemClock();
  let entries: LockLogEntry[];
  let services: LockService[];

  const open = (options: LockServiceOptions = {}): LockService => {
    const store = new MemoryStore(new MemoryServer(clock), newSession(), clock);
    const settings = new LockSettings({ shutdownGrace: 0, ...options });
    const log = { warn: () => undefined, write: (entry: LockLogEntry) => void entries.push(entry) };
    const locks = LockService.over(store, settings, clock, log);
    services.push(locks);
    return locks;
  };
  const about = (event: string) => entries.filter((entry) => entry.event === event);
  const block = (ms: number): void => {
    for (const end = performance.now() + ms; performance.now() < end;);
  };

  beforeEach(() => ([entries, services] = [[], []]));
  afterEach(() => Promise.all(services.map((locks) => locks.close())));

  it('is a lease that was held past its ttl without renewal: the loss says so', async () => {
    const lease = await open().acquire('name', { ttl: 100, renew: false });
    const error = await abortOf<Error>(lease.signal);
    expect(error.message).toContain('it was taken with renew: false, and its work took longer than its ttl');
    await until('the line', () => about('lost').length > 0);
    expect(about('lost')[0]).toMatchObject({
      level: 'warn',
      lock: 'name',
      fence: lease.fence,
      reason: 'expired',
      heldFor: expect.any(Number),
      holder: expect.stringMatching(/:\d+$/),
    });
  });

  it('is a blocked event loop near a deadline, in one line for all leases', async () => {
    const locks = open();
    await Promise.all(['a', 'b', 'c'].map((name) => locks.acquire(name, { ttl: 900 })));
    await locks.acquire('safe', { ttl: '30s' });
    await pass(0);
    block(700);
    await until('the line', () => about('blocked-loop').length > 0);
    expect(about('blocked-loop')).toHaveLength(1);
    const [{ message, count, duration, lock } = {} as LockLogEntry] = about('blocked-loop');
    expect([count, lock]).toEqual([3, 'a']);
    expect(duration).toBeGreaterThan(300);
    expect(message).toMatch(
      /^The event loop of this process was blocked, .* for \d+ ms: 3 leases were not renewed/,
    );
    block(700);
    await pass(20);
    expect(about('blocked-loop')).toHaveLength(1); // the next one in ten seconds
  });

  it('is no late renewal that leaves enough time, and none of a lease that does not renew itself', async () => {
    const locks = open();
    await locks.acquire('long', { ttl: '30s' });
    await locks.acquire('fixed', { ttl: 900, renew: false });
    await pass(0);
    block(700);
    await pass(20);
    expect(about('blocked-loop')).toEqual([]);
  });

  it('is a lease that nobody releases, once, with the stack that took it', async () => {
    const locks = open({ leakDetectionThreshold: 100 });
    async function forgetful(): Promise<void> {
      await locks.acquire('forgotten');
    }
    await forgetful();
    await (await locks.acquire('released')).release();
    await locks.using('in use', () => pass(150));
    await until('the line', () => about('unreleased').length > 0);
    await pass(120);
    expect(about('unreleased')).toHaveLength(1);
    const [{ lock, place, message } = {} as LockLogEntry] = about('unreleased');
    expect(lock).toBe('forgotten');
    expect(place).toContain('forgetful');
    expect(place).toContain('development-warnings.spec');
    expect(message).toContain("The lease of 'forgotten' has been held for more than 100 ms");
    expect(message).toContain('it is renewed for as long as this process lives');
  });

  it('is a lease that nobody releases, with its end, if it ends by itself', async () => {
    const locks = open({ leakDetectionThreshold: 100 });
    await locks.acquire('fixed', { ttl: '5s', renew: false });
    await locks.acquire('limited', { maxHold: '20s' });
    await locks.allOf(['a', 'b']).acquire({ maxHold: '20s' });
    await until('the lines', () => about('unreleased').length > 2);
    const ends = about('unreleased').map(
      ({ message }) => /it ends in (\d+) ms\. It was taken/.exec(message)?.[1],
    );
    for (const [place, most] of [5_000, 20_000, 20_000].entries()) {
      expect(Number(ends[place])).toBeGreaterThan(most - 1_500);
      expect(Number(ends[place])).toBeLessThan(most - 50);
    }
  });

  it('is a writer that goes on as a reader, unless that is released', async () => {
    const locks = open({ leakDetectionThreshold: 100 });
    await (await locks.readWrite('forgotten').write.acquire()).downgrade();
    const reader = await (await locks.readWrite('released').write.acquire()).downgrade();
    await reader.release();
    await until('the line', () => about('unreleased').length > 0);
    await pass(50);
    expect(about('unreleased')).toMatchObject([{ lock: 'forgotten' }]);
  });

  it('is a lease of several names, of a reader, and of permits as well', async () => {
    const locks = open({ leakDetectionThreshold: 100 });
    await locks.allOf(['a', 'b']).acquire();
    await locks.readWrite('c').read.tryAcquire();
    await locks.semaphore('d', 2).acquire({ units: 2 });
    await until('the lines', () => about('unreleased').length > 2);
    expect(about('unreleased').map(({ lock }) => lock)).toEqual(['a, b', 'c', 'd']);
  });

  it('keeps nothing of leases that were released, however many there are', async () => {
    const locks = open({ leakDetectionThreshold: '1h' });
    for (let round = 0; round < 3_000; round += 1) await (await locks.acquire('name')).release();
    const { unreleased } = locks as unknown as { unreleased: { queue: unknown[] } };
    expect(unreleased.queue.length).toBeLessThan(1_100);
  });

  it('is not watched for unless it was asked for', async () => {
    const { unreleased } = open() as unknown as { unreleased?: unknown };
    expect(unreleased).toBeUndefined();
  });

  it('is a campaign that the store refuses, in one line and not in one for each try', async () => {
    const store = new FaultyStore(new MemoryServer(clock), newSession(), clock);
    store.fault = ({ kind }) =>
      kind === 'acquire'
        ? Promise.reject(new LockStoreError('No room.', 'lead', { refused: true }))
        : undefined;
    const log = { warn: () => undefined, write: (entry: LockLogEntry) => void entries.push(entry) };
    const locks = LockService.over(store, new LockSettings({ shutdownGrace: 0 }), clock, log);
    services.push(locks);
    const leader = locks.lead('lead', { onElected: () => Promise.reject(new Error('no work')) });
    await until('two tries', () => store.sent.length >= 2);
    expect(about('campaign')).toHaveLength(1);
    expect(about('campaign')[0]).toMatchObject({
      lock: 'lead',
      message: expect.stringContaining('No room.'),
    });
    store.fault = () => undefined;
    await until('the next line', () => about('campaign').length > 1);
    expect(about('campaign')[1]?.message).toContain('no work');
    await leader.stop();
  });
});
