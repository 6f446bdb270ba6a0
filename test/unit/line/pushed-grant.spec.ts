import { SystemClock } from '../../../lib/base/clock.js';
import { Lines } from '../../../lib/line/lines.js';
import type { LineLease } from '../../../lib/line/line-lease.js';
import { WHOLE } from '../../../lib/store/lock-machine.js';
import { MemoryServer } from '../../../lib/store/memory/memory-server.js';
import { newSession } from '../../../lib/store/session-id.js';
import { until } from '../../support/eventually.js';
import { FaultyStore } from '../../support/faulty-store.js';

const TTL = 10_000;
const CLAIM = 2_000;

describe('a pushed grant', () => {
  const clock = new SystemClock();
  let stores: [FaultyStore, FaultyStore];
  let lines: [Lines, Lines];

  beforeEach(() => {
    const server = new MemoryServer(clock);
    const open = () => new FaultyStore(server, newSession(), clock);
    stores = [open(), open()];
    lines = [new Lines(stores[0], clock), new Lines(stores[1], clock)];
  });
  afterEach(async () => {
    await Promise.all(lines.map((line) => line.close(0)));
    await Promise.all(stores.map((store) => store.close()));
  });

  function acquire(line: Lines): Promise<LineLease> {
    const terms = { units: WHOLE, capacity: WHOLE, ttl: TTL, guard: 500, once: false, identity: 'test:1' };
    const patience = { wait: 5_000, maxHold: Infinity, maxWaiters: Infinity, signal: undefined };
    return line.acquire({ name: 'name', terms, renews: true, ...patience }, { leaseOn: (lease) => lease });
  }

  /** What the second process sent after it was pushed the lock; `work` begins as soon as it has it. */
  async function sentAfterPush(work: (lease: LineLease) => unknown): Promise<string[]> {
    const [[, store], [one, two]] = [stores, lines];
    const held = await acquire(one);
    const waiting = acquire(two);
    await until('the second process waits, and listens', async () => {
      const { queue } = (await store.read('name', 1_000)).state;
      return queue[0]?.subscribed === true;
    });
    const before = store.sent.length;
    const worked = waiting.then(work);
    await held.release();
    await worked;
    return store.sent.slice(before).map(({ kind }) => kind);
  }

  it('is confirmed when the work has begun', async () => {
    let lease: LineLease | undefined;
    let sentAtOnce = -1;
    const [, store] = stores;
    const sent = await sentAfterPush((granted) => {
      lease = granted;
      sentAtOnce = store.sent.filter(({ kind }) => kind === 'renew').length;
      expect(granted.remaining).toBeLessThanOrEqual(CLAIM);
      return until('it is a lease of its full ttl', () => granted.remaining > CLAIM);
    });
    expect(sentAtOnce).toBe(0);
    expect(sent).toEqual(['renew']);
    await lease?.release();
  });

  it('costs no renewal when the work is over as soon as it has begun', async () => {
    const sent = await sentAfterPush((lease) => lease.release());
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    expect(sent).toEqual(['release']);
    expect(stores[1].sent.filter(({ kind }) => kind === 'renew')).toEqual([]);
  });

  it('is confirmed for the caller to whom it was handed off at the same moment', async () => {
    const next = new Promise<LineLease>((resolve, reject) => {
      void sentAfterPush((lease) => {
        const following = acquire(lines[1]);
        void lease.release();
        following.then(resolve, reject);
      });
    });
    const lease = await next;
    await until('it is a lease of its full ttl', () => lease.remaining > CLAIM);
    await lease.release();
  });
});
