import { failureOf, until } from '../../support/eventually.js';
import type { LockBusyError } from '../../../lib/base/lock-busy-error.js';
import type { Stage } from '../locks/stage.js';

export function latchContract(stage: Stage): void {
  // Not the name that the stage looks after as a lock.
  const players = () => ({ one: stage.one, two: stage.two, name: `latch:${stage.name}` });

  it('is set once; who comes later finds it set', async () => {
    const { one, two, name } = players();
    expect(await one.latch(name).count()).toBeUndefined();
    expect(await Promise.all([one.latch(name).trySetCount(2), two.latch(name).trySetCount(5)])).toEqual([
      true,
      false,
    ]);
    expect(await two.latch(name).count()).toBe(2);
  });

  it('counts down from every service, and each id once', async () => {
    const { one, two, name } = players();
    await one.latch(name).trySetCount(3);
    expect(await one.latch(name).countDown('worker 1 · ünï')).toBe(2);
    expect(await two.latch(name).countDown('worker 1 · ünï')).toBe(2);
    expect(await two.latch(name).countDown()).toBe(1);
    expect(await two.latch(name).countDown()).toBe(0);
    expect(await two.latch(name).countDown()).toBe(0);
    expect(await one.latch(name).count()).toBe(0);
  });

  it('lets all who wait go on at once when it opens, by push', async () => {
    const { one, two, name } = players();
    await one.latch(name).trySetCount(2);
    let open = 0;
    const waiting = [one, two, one, two].map((locks) =>
      locks
        .latch(name)
        .opened()
        .then(() => (open += 1)),
    );
    await one.latch(name).countDown();
    await two.latch(name).count();
    expect(open).toBe(0);
    const start = performance.now();
    await one.latch(name).countDown();
    await Promise.all(waiting);
    expect(performance.now() - start).toBeLessThan(100 + stage.lag.max);
  });

  it('opens for a service that hears no notices yet, too', async () => {
    const { one, name } = players();
    await one.latch(name).trySetCount(1);
    const opened = stage.open().latch(name).opened();
    await one.latch(name).countDown();
    await opened;
  });

  it('lets who comes late go on at once, with wait 0', async () => {
    const { one, two, name } = players();
    await one.latch(name).trySetCount(1);
    expect(await failureOf(two.latch(name).opened({ wait: 0 }))).toMatchObject({ reason: 'timeout' });
    await one.latch(name).countDown();
    await two.latch(name).opened({ wait: 0 });
  });

  it('may be waited for before anybody has set it', async () => {
    const { one, two, name } = players();
    const opened = two.latch(name).opened();
    expect(await one.latch(name).trySetCount(1)).toBe(true);
    await one.latch(name).countDown();
    await opened;
  });

  it('never counts as open when it was not set, or is forgotten', async () => {
    const { one, two, name } = players();
    expect(await failureOf(one.latch(name).opened({ wait: 30 }))).toMatchObject({ reason: 'timeout' });
    await one.latch(name).trySetCount(1, { ttl: 100 });
    const counting = failureOf(two.latch(name).opened({ wait: 300 }));
    await until('it is forgotten', async () => (await one.latch(name).count()) === undefined);
    expect(await failureOf(one.latch(name).countDown())).toMatchObject({
      code: 'LOCK_USAGE',
      lockName: name,
    });
    expect(await counting).toMatchObject({ code: 'LOCK_BUSY', reason: 'timeout', lockName: name });
  });

  it('is forgotten when it was open as well, and can be set again, for the ids that counted before, too', async () => {
    const { one, name } = players();
    const latch = one.latch(name);
    await latch.trySetCount(1, { ttl: 100 });
    expect(await latch.countDown('worker')).toBe(0);
    await until('it is forgotten', async () => (await latch.count()) === undefined);
    expect(await failureOf(latch.opened({ wait: 0 }))).toMatchObject({ reason: 'timeout' });
    expect(await latch.trySetCount(2)).toBe(true);
    expect(await latch.countDown('worker')).toBe(1);
  });

  it('sends away who waits: after its wait, at the abort of its signal, at shutdown', async () => {
    const { one, name } = players();
    await one.latch(name).trySetCount(1);
    const timeout = await failureOf<LockBusyError>(one.latch(name).opened({ wait: 40 }));
    expect(timeout).toMatchObject({ reason: 'timeout', lockName: name });
    expect(timeout.waited).toBeGreaterThanOrEqual(39);
    const controller = new AbortController();
    const aborted = failureOf(one.latch(name).opened({ signal: controller.signal }));
    controller.abort('enough');
    expect(await aborted).toMatchObject({ reason: 'aborted', cause: 'enough' });
    const before = AbortSignal.abort('too late');
    expect(await failureOf(one.latch(name).opened({ signal: before }))).toMatchObject({ reason: 'aborted' });
    const locks = stage.open();
    const closed = failureOf(locks.latch(name).opened({ wait: Infinity }));
    await locks.close();
    expect(await closed).toMatchObject({ reason: 'closed' });
    expect(await failureOf(locks.latch(name).opened())).toMatchObject({ reason: 'closed' });
  });

  it('refuses counts, ids and times out of range, with the range', async () => {
    const latch = stage.one.latch(players().name);
    for (const n of [0, -1, 1.5, NaN, 2 ** 30 + 1])
      expect((await failureOf<Error>(latch.trySetCount(n))).message).toContain('from 1 to 1073741824');
    expect((await failureOf<Error>(latch.trySetCount(1, { ttl: 99 }))).message).toContain(
      'ttl takes 100ms to 24h',
    );
    for (const id of ['', 'x'.repeat(129)])
      expect((await failureOf<Error>(latch.countDown(id))).message).toContain('1 to 128 bytes');
    expect((await failureOf<Error>(latch.opened({ wait: -1 }))).message).toContain('wait takes 0');
    expect(await latch.count()).toBeUndefined();
  });

  it('has a name of its own: a lock of that name is refused, and the other way round', async () => {
    const { one, name } = players();
    await one.latch(name).trySetCount(1, { ttl: 100 });
    expect(await failureOf(one.acquire(name, { wait: 0 }))).toMatchObject({ code: 'LOCK_STORE' });
    const other = stage.another();
    await using _lease = await one.acquire(other);
    expect(await failureOf(one.latch(other).trySetCount(1))).toMatchObject({ code: 'LOCK_STORE' });
    expect(await failureOf(one.latch(other).opened({ wait: '5s' }))).toMatchObject({ code: 'LOCK_STORE' });
    await until('the latch is forgotten', async () => (await one.latch(name).count()) === undefined);
  });
}
