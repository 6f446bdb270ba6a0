import type { LockBusyError } from '../../../lib/base/errors.js';
import { createLockService } from '../../../lib/locks/create-lock-service.js';
import type { LockService } from '../../../lib/locks/lock-service.js';
import type { LockServiceOptions } from '../../../lib/locks/lock-options.js';
import type { UsingOptions } from '../../../lib/locks/lock.js';
import { LockSettings } from '../../../lib/locks/lock-settings.js';
import { toHttpException } from '../../../lib/nest/http-exception.js';
import { HoldTimes } from '../../../lib/line/line-setup.js';
import { failureOf, pass } from '../../support/eventually.js';

const ME = `\\S+:${process.pid}`;

describe('what a refusal says', () => {
  let locks: LockService;
  beforeEach(() => (locks = createLockService({ log: { warn: () => undefined }, shutdownGrace: 0 })));
  afterEach(() => locks.close());

  /** A name held for a piece of work, as `using` does. */
  function hold(name: string, label?: string): Promise<() => void> {
    return new Promise((held) => {
      const { lines, settings } = (
        locks as unknown as { setup: { lines: LinesLike; settings: LockSettings } }
      ).setup;
      const request = settings.request(name, { label }, 0, undefined, 'using');
      void lines.acquire(request, { leaseOn: (lease) => held(() => void lease.release()) });
    });
  }
  interface LinesLike {
    acquire(request: object, maker: { leaseOn(lease: { release(): Promise<unknown> }): void }): Promise<void>;
  }

  it('names the holder, the time that the caller waited, and when the name is free at the latest', async () => {
    const release = await hold('name', 'report');
    const busy = await failureOf<LockBusyError>(locks.acquire('name', { wait: 60 }));
    expect(busy.message).toMatch(
      new RegExp(
        `^The lock 'name' was not granted within ${busy.waited} ms\\. It is held by ${ME} report and will be free in at most ` +
          `${Math.ceil(busy.retryAfter ?? 0)} ms unless the holder renews it\\. ` +
          'Raise wait, or hold the lock for less time\\.$',
      ),
    );
    expect(busy.waited).toBeGreaterThanOrEqual(60);
    release();
  });

  it('says of a lease that this process acquired that the call may wait for itself, and the remedy', async () => {
    const lease = await locks.acquire('name');
    await pass(20);
    const busy = await failureOf<LockBusyError>(locks.using('name', () => undefined, { wait: 30 }));
    expect(busy.message).toMatch(
      new RegExp(
        `held by a lease that this process \\(${ME}\\) took with acquire\\(\\) [5-9]\\d ms ago|ago and will be free`,
      ),
    );
    expect(busy.message).toContain('If this call was made under that lease, it waits for itself');
    expect(busy.message).toContain('lease.using(work)');
    expect(busy.message).toContain('{ within: lease }');
    await lease.release();
  });

  it('says when to try again by the median of the last holds, not by the ttl', async () => {
    const http = (error: LockBusyError) => toHttpException(error).getResponse() as { retryAfter: number };
    const refused = (label?: string) => failureOf<LockBusyError>(locks.acquire('name', { wait: 0, label }));
    let release = await hold('name');
    const first = await refused();
    expect([first.retryIn, http(first).retryAfter]).toEqual([undefined, 1]);
    expect(first.retryAfter).toBeGreaterThan(9_000);
    await pass(30);
    release();

    release = await hold('name', 'report');
    expect((await refused()).retryIn).toBeGreaterThanOrEqual(29); // nothing is known of reports yet
    release();
    release = await hold('name', 'report');
    const third = await refused();
    expect(third.retryIn).toBeLessThan(20); // as the report before
    release();
  });

  it('counts no holds that no work had: those that were rolled back, that left a mark first, or only found one', async () => {
    let release = await hold('a', 'job');
    await pass(30);
    release();
    release = await hold('b', 'other');
    for (let time = 0; time < 8; time += 1) {
      await failureOf(locks.using(['a', 'b'], () => undefined, { wait: 0, label: 'job' }));
      await locks.once('c', () => pass(30), { doneTtl: '1m', mark: 'start', label: 'job' });
    }
    release();
    release = await hold('a', 'job');
    const { retryIn } = await failureOf<LockBusyError>(locks.acquire('a', { wait: 0, label: 'job' }));
    expect(retryIn).toBeGreaterThanOrEqual(29);
    release();
  });

  it('says when to try again also to a caller for whom the line is too long', async () => {
    (await hold('name'))();
    const lease = await locks.acquire('name');
    const waits = locks.acquire('name');
    const full = await failureOf<LockBusyError>(locks.using('name', () => undefined, { maxWaiters: 1 }));
    expect(full).toMatchObject({ reason: 'full', retryIn: expect.any(Number) });
    await lease.release();
    await (await waits).release();
  });

  it('keeps that time in the errors of several locks', async () => {
    (await hold('a'))();
    const lease = await locks.acquire('b');
    const busy = await failureOf<LockBusyError>(locks.using(['a', 'b'], () => undefined, { wait: 30 }));
    expect(busy.retryIn).toEqual(expect.any(Number));
    expect(busy.whileHolding(['c']).retryIn).toBe(busy.retryIn);
    await lease.release();
  });
});

describe('the times for which locks were held', () => {
  it('are the median of the last 64, by label and of all', () => {
    const times = new HoldTimes();
    expect(times.typical('h:1')).toBeUndefined();
    for (let ms = 1; ms <= 1_000; ms += 1) times.add('h:1', ms);
    for (let n = 0; n < 3; n += 1) times.add('h:1 report', 5_000);
    expect(times.typical('h:1 report')).toBe(5_000);
    expect(times.typical('other:2 report')).toBe(5_000);
    expect(times.typical('', 'h:1 report')).toBe(5_000);
    expect(times.typical('h:1 unknown')).toBe(972);
    expect(times.typical('h:1')).toBe(972);
  });

  it('are kept of 256 labels: the oldest makes room', () => {
    const times = new HoldTimes();
    for (let n = 0; n < 257; n += 1) times.add(`h:1 label ${n}`, n + 1);
    expect(times.typical('h:1 label 256')).toBe(257);
    expect(times.typical('h:1 label 1')).toBe(2);
    expect(times.typical('h:1 label 0')).toBe(times.typical('h:1')); // as one that was never seen
  });
});

describe('the wait that nobody chose', () => {
  const wait = (options: UsingOptions, module: LockServiceOptions) =>
    new LockSettings(module).request('n', options, undefined).wait;

  it.each<[UsingOptions, LockServiceOptions, number]>([
    [{}, {}, 11_500],
    [{ ttl: 100 }, {}, 10_000],
    [{ ttl: '8s' }, {}, 10_000],
    [{ ttl: '15s' }, {}, 16_500],
    [{ ttl: '1m' }, {}, 30_000],
    [{}, { ttl: '20s' }, 21_500],
    [{}, { ttl: '20s', guard: '3s' }, 24_000],
    [{}, { wait: '2s' }, 2_000],
    [{ ttl: '15s' }, { wait: '10s' }, 10_000],
    [{ ttl: '15s', wait: 5 }, { wait: '10s' }, 5],
  ])('with %j in a registration of %j is %i ms', (options, module, ms) => {
    expect(wait(options, module)).toBe(ms);
    expect(new LockSettings(module).waitOf(options)).toBe(ms);
  });

  it('is none for tryAcquire', async () => {
    expect(new LockSettings({}).request('n', {}, 0)).toMatchObject({ wait: 0, terms: { once: true } });
  });
});
