import { Lines } from '../../../lib/line/lines.js';
import type { LineLease } from '../../../lib/line/line-lease.js';
import type { Request } from '../../../lib/line/request.js';
import { WHOLE } from '../../../lib/store/lock-machine.js';
import type { LockStoreListener } from '../../../lib/store/lock-store.js';
import { MemoryServer } from '../../../lib/store/memory/memory-server.js';
import { MemoryStore } from '../../../lib/store/memory/memory-store.js';
import { newSession } from '../../../lib/store/session-id.js';
import { Peer } from '../../../lib/testing/contract/peer.js';
import { HandClock } from '../../support/hand-clock.js';
import { HandStore, turned } from '../../support/hand-store.js';

const TTL = 3_000;
const LINGER = 1_000;

describe('a hold that nobody uses', () => {
  let clock: HandClock, store: HandStore, rival: Peer, lines: Lines, listener: LockStoreListener;
  beforeEach(() => {
    clock = new HandClock();
    const server = new MemoryServer(clock);
    store = new HandStore(server, clock);
    store.held = () => false;
    const gone = (): Promise<never> => Promise.reject(new Error('It reads nothing.'));
    Object.assign(store, { listen: (told: LockStoreListener) => void (listener = told), read: gone });
    rival = new Peer(new MemoryStore(server, newSession(), clock), 'name');
    lines = new Lines(store.store, clock, () => 0);
  });

  const acquire = async (more: Partial<Request> = {}): Promise<LineLease> => {
    const { linger = LINGER } = more;
    const terms = {
      units: WHOLE,
      capacity: WHOLE,
      ttl: TTL,
      guard: 300,
      once: more.wait === 0,
      identity: 'host:1',
    };
    const patience = { wait: 60_000, renews: true, maxHold: Infinity, maxWaiters: Infinity };
    const request = { name: 'name', terms: { ...terms, lingers: linger > 0 }, signal: undefined, linger };
    const lease = lines.acquire({ ...request, ...patience, ...more }, { leaseOn: (each) => each });
    await turned();
    return lease;
  };
  const pass = (ms: number): Promise<void> => {
    clock.pass(ms);
    return turned();
  };
  /** The name lingers; returns the lease that was released last. */
  const lingering = async (more: Partial<Request> = {}): Promise<LineLease> => {
    const lease = await acquire(more);
    await lease.release();
    return lease;
  };

  it('is kept at the store, and the next caller has the next fence of it', async () => {
    const { fence } = await lingering();
    expect(store.kinds).toEqual(['acquire']);
    const next = await acquire();
    expect(next.fence).toBe(fence + 1);
    await next.release();
    expect(store.kinds).toEqual(['acquire']);
    expect(lines.inUse).toBe(true);
  });

  it.each<[string, () => unknown]>([
    ['when nobody would say that others ask', () => (store.subscribed = false)],
    ['when the process shuts down', () => lines.hurry()],
  ])('is given back at once %s', async (_, begin) => {
    const lease = await acquire();
    begin();
    await lease.release();
    expect(store.kinds).toEqual(['acquire', 'release']);
  });

  it('is given back when the caller did not ask for it to be kept, and so did the one before', async () => {
    await lingering({ linger: 0 });
    expect(store.kinds).toEqual(['acquire', 'release']);
  });

  it('is given back by a caller who keeps nothing, and then nothing keeps the process alive', async () => {
    await lingering();
    const timers = clock.timers.size;
    await lingering({ linger: 0 });
    expect(store.kinds).toEqual(['acquire', 'release']);
    expect(clock.alive).toBe(false);
    expect(clock.timers.size).toBeLessThan(timers);
  });

  it('is given back after a caller who asked, where the hold was granted to one who did not', async () => {
    const first = await acquire({ linger: 0 });
    const second = acquire();
    await first.release();
    await turned();
    await (await second).release();
    expect(store.kinds).toEqual(['acquire', 'release']); // nobody elsewhere knows that it may linger
  });

  it.each<[string, () => unknown]>([
    ['others ask for it', () => rival.acquire(rival.id(), { wait: 5_000_000 })],
    ['somebody asks once', () => rival.acquire(rival.id(), { wait: 0 })],
    ['notices can be heard no more', () => listener.deaf?.()],
    ['a connection is back', () => listener.wake()],
    ['another server answers', () => listener.moved?.('Redis is another server now')],
    ['the process shuts down', () => lines.hurry()],
    ['its time is over', () => pass(LINGER)],
  ])('is given back when %s', async (_, happens) => {
    await lingering();
    const timers = clock.timers.size;
    expect(clock.alive).toBe(true); // nothing else would give it back
    await happens();
    for (const notice of store.pushed.splice(0)) listener.notice('name', notice);
    await turned();
    expect(store.of('release')).toHaveLength(1);
    expect([lines.inUse, clock.alive]).toEqual([false, false]);
    expect(clock.timers.size).toBeLessThan(timers);
  });

  it('is given back when a renewal says that others wait', async () => {
    await lingering({ linger: TTL });
    await rival.acquire(rival.id(), { wait: 5_000_000 });
    await pass(TTL / 2);

    expect(store.kinds).toEqual(['acquire', 'renew', 'release']);
  });

  it('is given back when others have asked for it while it was used and no notice could be heard', async () => {
    const lease = await acquire();
    store.subscribed = false;
    listener.deaf?.();
    await rival.acquire(rival.id(), { wait: 5_000_000 }); // that it is contended is told once
    store.subscribed = true;
    listener.wake();
    await turned();
    await lease.release();
    await turned();
    expect(store.of('release')).toHaveLength(1);
  });

  it('is kept from its last use, and no timer is made for each use', async () => {
    await lingering();
    const timers = clock.timers.size;
    for (let use = 0; use < 5; use += 1) {
      await pass(LINGER - 100);

      await lingering();
      expect(clock.timers.size).toBeLessThanOrEqual(timers);
    }
    expect(store.of('release')).toHaveLength(0);
    await pass(LINGER - 1);
    expect(store.of('release')).toHaveLength(0);
    await pass(1);
    expect(store.of('release')).toHaveLength(1);
  });

  it('is kept for as long as the last caller said, when that is shorter', async () => {
    await lingering({ linger: TTL });
    await lingering({ linger: 100 });
    await pass(100);
    expect(store.of('release')).toHaveLength(1);
  });

  it('serves nobody when too little time of it is left', async () => {
    await lingering({ renews: false, linger: TTL });
    await pass(TTL - 500);
    const next = await acquire({ renews: false });
    expect(store.kinds).toEqual(['acquire', 'release', 'acquire']);
    expect(next.remaining).toBeGreaterThan(TTL / 2);
  });

  it('is told of no loss, and gives the name back after a revocation', async () => {
    const lease = await lingering();
    const losses: string[] = [];
    lease.onLoss(() => losses.push('lost'));
    await rival.revoke();
    for (const notice of store.pushed.splice(0)) listener.notice('name', notice);
    await turned();
    expect(losses).toEqual([]);
    expect(store.kinds).toEqual(['acquire', 'renew', 'release']);
    const next = await acquire();
    expect(next.over).toBeUndefined();
  });

  it('of another process gives way to whoever asks once, within 50 ms, and no later', async () => {
    rival.store.subscribe();
    await rival.acquire(`${rival.id()}+`, { ttl: 10_000_000 });
    const refused = acquire({ wait: 0, linger: 0 }).catch((error: Error) => error);
    await turned();
    for (let ms = 0; ms < 49; ms += 1) {
      await pass(1);
    }
    const asked = store.of('acquire').length;
    expect(asked).toBe(4); // a holder who works hears each of them, and the server serves each of them
    await pass(2);

    await pass(1);

    expect(await refused).toMatchObject({ reason: 'held' });
  });
});
