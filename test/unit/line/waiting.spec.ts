import { getEventListeners } from 'node:events';
import { Lines } from '../../../lib/line/lines.js';
import type { Request } from '../../../lib/line/request.js';
import type { LineLease } from '../../../lib/line/line-lease.js';
import { LockSettings } from '../../../lib/locks/lock-settings.js';
import { MemoryServer } from '../../../lib/store/memory/memory-server.js';
import { MemoryStore } from '../../../lib/store/memory/memory-store.js';
import { newSession } from '../../../lib/store/session-id.js';
import { failureOf } from '../../support/eventually.js';
import { HandClock } from '../../support/hand-clock.js';

describe('callers who wait', () => {
  let clock: HandClock, line: Lines;
  const settings = new LockSettings({});
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const take = (more: Partial<Request> = {}) =>
    line.acquire<LineLease>(
      { ...settings.request('name', {}, undefined), ...more },
      { leaseOn: (lease) => lease },
    );

  beforeEach(() => {
    clock = new HandClock();
    line = new Lines(new MemoryStore(new MemoryServer(clock), newSession(), clock), clock);
  });
  afterEach(() => line.close(0));

  it('do not keep the process alive when nobody is in their way', async () => {
    let anchors = 0;
    const { anchor } = clock;
    clock.anchor = () => {
      anchors += 1;
      return anchor.call(clock);
    };
    for (let round = 0; round < 100; round += 1) void (await take()).release();
    expect(anchors).toBe(0);
  });

  it('keep it alive until the last of them has the lock, all by one timer', async () => {
    const first = await take();
    expect(clock.alive).toBe(false);
    const waiting = [take(), take()];
    await turn();
    expect(clock.alive).toBe(true);
    await first.release();
    await (await waiting[0])?.release();
    const last = await waiting[1];
    expect(clock.alive).toBe(false);
    await last?.release();
  });

  it('keep it alive until they are refused, by time, signal or shutdown', async () => {
    await take();
    const late = failureOf(take({ wait: 500 }));
    clock.pass(499);
    expect(clock.alive).toBe(true);
    clock.pass(1);
    expect(await late).toMatchObject({ reason: 'timeout', waited: 500 });
    expect(clock.alive).toBe(false);

    const leaving = new AbortController();
    const aborted = failureOf(take({ signal: leaving.signal }));
    expect(clock.alive).toBe(true);
    leaving.abort();
    expect(await aborted).toMatchObject({ reason: 'aborted' });
    expect(clock.alive).toBe(false);

    const closed = failureOf(take());
    expect(clock.alive).toBe(true);
    const closing = line.close(0);
    clock.pass(1); // the grace is over
    await closing;
    expect(await closed).toMatchObject({ reason: 'closed' });
    expect(clock.alive).toBe(false);
  });

  it('keep it alive when they wait for ever', async () => {
    const first = await take();
    const waiting = take({ wait: Infinity });
    expect(clock.alive).toBe(true);
    await first.release();
    await (await waiting).release();
    expect(clock.alive).toBe(false);
  });

  it('do not when nobody awaits them', async () => {
    const first = await take();
    const waiting = take({ wait: Infinity, unattended: true });
    await turn();
    expect(clock.alive).toBe(false);
    await first.release();
    await (await waiting).release();
  });

  it('at a latch do so too, and share one listener of one signal', async () => {
    await line.setup.store.latch('gate', { kind: 'set', round: '', count: 1, ttl: 60_000_000 }, 1_000);
    const { signal } = new AbortController();
    const waiting = Array.from({ length: 20 }, () => line.opened('gate', '', 5_000, signal));
    await turn();
    expect([clock.alive, getEventListeners(signal, 'abort').length]).toEqual([true, 1]);
    await line.setup.store.latch('gate', { kind: 'down', round: '', id: '1' }, 1_000);
    await Promise.all(waiting);
    expect([clock.alive, getEventListeners(signal, 'abort').length]).toEqual([false, 0]);
  });
});
