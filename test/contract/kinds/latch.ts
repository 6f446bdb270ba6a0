import { getEventListeners } from 'node:events';
import { failureOf, until } from '../../support/eventually.js';
import type { LockBusyError } from '../../../lib/base/errors.js';
import type { Fixture } from '../locks/fixture.js';

export function latchContract(fixture: Fixture): void {
  // Not the name that the fixture looks after as a lock.
  const players = () => ({ one: fixture.one, two: fixture.two, name: `latch:${fixture.name}` });

  it('is set once; later callers find it set', async () => {
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

  it('lets all waiting callers go on at once when it opens, by push', async () => {
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
    expect(performance.now() - start).toTakeLessThan(100, fixture.lag.max);
  });

  it('opens for a service that hears no notices yet, too', async () => {
    const { one, name } = players();
    await one.latch(name).trySetCount(1);
    const opened = fixture.open().latch(name).opened();
    await one.latch(name).countDown();
    await opened;
  });

  it('lets a late caller go on at once, with wait 0', async () => {
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

  it('refuses waiting callers: after their wait, when their signal aborts, at shutdown', async () => {
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
    const locks = fixture.open();
    const closed = failureOf(locks.latch(name).opened({ wait: Infinity }));
    await locks.close();
    expect(await closed).toMatchObject({ reason: 'closed' });
    expect(await failureOf(locks.latch(name).opened())).toMatchObject({ reason: 'closed' });
  });

  describe('with rounds', () => {
    /** The same latch of two services, for a round. */
    const rounds = (round: string) => {
      const { one, two, name } = players();
      return [one.latch(name, { round }), two.latch(name, { round }), one.latch(name)] as const;
    };

    it('is set once a round, and an open one stays open, however late somebody comes', async () => {
      const [one, two, any] = rounds('2031-01-01');
      expect(await one.trySetCount(2)).toBe(true);
      expect(await two.trySetCount(5)).toBe(false);
      expect(await one.countDown('a')).toBe(1);
      expect(await two.countDown('b')).toBe(0);
      expect(await two.trySetCount(2)).toBe(false);
      expect([await one.count(), await any.count()]).toEqual([0, 0]);
      expect(await two.countDown('c')).toBe(0);
      await two.opened({ wait: 0 });
      await any.opened({ wait: 0 });
    });

    it('begins another round in place of one that never finished, for the ids that counted before, too', async () => {
      const [old] = rounds('yesterday');
      const [one, two] = rounds('today · ünï');
      await old.trySetCount(2);
      await old.countDown('worker');
      expect(await two.count()).toBeUndefined();
      expect(await two.trySetCount(2)).toBe(true);
      expect(await one.trySetCount(2)).toBe(false);
      expect(await one.countDown('worker')).toBe(1);
      expect(await old.count()).toBeUndefined();
      expect(await failureOf(old.countDown('late'))).toMatchObject({
        code: 'LOCK_USAGE',
        lockName: players().name,
        message:
          `The round 'yesterday' of the latch '${players().name}' is over: another round has replaced it; ` +
          "its current round is 'today · ünï'.",
      });
      expect(await one.count()).toBe(1);
    });

    it('never goes back to a round that was replaced: a slow process cannot begin it again', async () => {
      const [first] = rounds('1');
      const [second] = rounds('2');
      const [third] = rounds('3');
      for (const each of [first, second, third]) expect(await each.trySetCount(1)).toBe(true);
      for (const each of [first, second, third]) expect(await each.trySetCount(1)).toBe(false);
      expect(await third.count()).toBe(1);
    });

    it('says so to whoever counts down a round that is not begun, and counts nothing', async () => {
      const [today] = rounds('today');
      const [, tomorrow] = rounds('tomorrow');
      expect(await failureOf(tomorrow.countDown())).toMatchObject({ code: 'LOCK_USAGE' });
      await today.trySetCount(1);
      expect((await failureOf<Error>(tomorrow.countDown())).message).toContain(
        "is not set, or its ttl is over; its current round is 'today'",
      );
      expect(await today.count()).toBe(1);
    });

    it('lets each go on when its own round opens, and those of the round before, if it was open', async () => {
      const [first, slow] = rounds('1');
      const [second, early] = rounds('2');
      await first.trySetCount(1);
      let open = false;
      const waiting = early.opened().then(() => (open = true));
      await first.countDown();
      await first.opened({ wait: 0 });
      expect(await second.trySetCount(1)).toBe(true);
      await slow.opened({ wait: 0 });
      expect([await slow.count(), open]).toEqual([0, false]);
      const start = performance.now();
      await second.countDown();
      await waiting;
      expect(performance.now() - start).toTakeLessThan(100, fixture.lag.max);
    });

    it('tells those who wait for a round at once when another replaces it before it has opened', async () => {
      const [old, waits] = rounds('old');
      const [next] = rounds('new');
      await old.trySetCount(1);
      const waiting = failureOf(waits.opened({ wait: Infinity }));
      await old.count();
      const start = performance.now();
      await next.trySetCount(1);
      expect(await waiting).toMatchObject({
        code: 'LOCK_USAGE',
        message: expect.stringContaining("its current round is 'new'"),
      });
      expect(performance.now() - start).toTakeLessThan(100, fixture.lag.max);
      expect(await failureOf(waits.opened())).toMatchObject({ code: 'LOCK_USAGE' });
    });

    it('is the current one for callers that name none, and a round without a name gives way to it', async () => {
      const [round, , any] = rounds('named');
      await any.trySetCount(3);
      expect(await failureOf(round.countDown())).toMatchObject({ code: 'LOCK_USAGE' });
      expect(await round.trySetCount(2)).toBe(true);
      expect(await any.trySetCount(5)).toBe(false);
      expect(await any.countDown()).toBe(1);
      expect(await round.count()).toBe(1);
    });

    it('is forgotten after its ttl, and can be set again', async () => {
      const [round] = rounds('short');
      await round.trySetCount(1, { ttl: 100 });
      await round.countDown('a');
      await until('it is forgotten', async () => (await round.count()) === undefined);
      expect(await failureOf(round.countDown('a'))).toMatchObject({ code: 'LOCK_USAGE' });
      expect(await round.trySetCount(2)).toBe(true);
      expect(await round.countDown('a')).toBe(1);
    });

    it('refuses a round that is none, and options that it does not know', async () => {
      const { one, name } = players();
      for (const round of ['', 'x'.repeat(129), 7, null, '\ud800'])
        expect(() => one.latch(name, { round } as never)).toThrow('The option round takes a');
      expect(() => one.latch(name, { rounds: 'x' } as never)).toThrow(
        "There is no option 'rounds' here; the only option is round.",
      );
      const latch = one.latch(name);
      expect((await failureOf<Error>(latch.trySetCount(1, { tll: 5 } as never))).message).toContain("'tll'");
      expect((await failureOf<Error>(latch.opened({ timeout: 5 } as never))).message).toContain(
        'are wait, signal',
      );
      expect((await failureOf<Error>(latch.opened({ signal: {} } as never))).message).toContain(
        'AbortSignal',
      );
    });
  });

  it('watches a signal that many share with one listener, and leaves none', async () => {
    const { one, two, name } = players();
    const { signal } = new AbortController();
    await one.latch(name).trySetCount(1);
    const waiting = Array.from({ length: 30 }, () => two.latch(name).opened({ signal }));
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    await one.latch(name).countDown();
    await Promise.all(waiting);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  it('refuses counts, ids and times out of range, with the range', async () => {
    const latch = fixture.one.latch(players().name);
    for (const n of [0, -1, 1.5, NaN, 2 ** 30 + 1])
      expect((await failureOf<Error>(latch.trySetCount(n))).message).toContain('from 1 to 1073741824');
    for (const ttl of [99, '25h', null])
      expect((await failureOf<Error>(latch.trySetCount(1, { ttl } as never))).message).toContain(
        'ttl takes 100ms to 24h',
      );
    expect((await failureOf<Error>(latch.trySetCount(1, null as never))).message).toContain('be an object');
    for (const id of ['', 'x'.repeat(129)])
      expect((await failureOf<Error>(latch.countDown(id))).message).toContain('1 to 128 bytes');
    for (const id of ['worker \ud83d', '\udc00', '\udc00\ud800'])
      expect((await failureOf<Error>(latch.countDown(id))).message).toContain('half of a surrogate pair');
    expect((await failureOf<Error>(latch.opened({ wait: -1 }))).message).toContain('wait takes 0');
    expect(await latch.count()).toBeUndefined();
    await latch.trySetCount(2);
    expect(await latch.countDown('worker \u{1f510}')).toBe(1);
  });

  it('has a name of its own: a lock of that name is refused, and the other way round', async () => {
    const { one, two, name } = players();
    await one.latch(name).trySetCount(1, { ttl: '20s' });
    const called = (lock: string) =>
      expect.objectContaining({ code: 'LOCK_STORE', lockName: lock, message: expect.stringContaining(lock) });
    for (const asked of [
      () => one.acquire(name, { wait: 0 }),
      () => one.revoke(name, { reason: 'test' }),
      () => one.inspect(name),
    ])
      expect(await failureOf(asked())).toEqual(called(name));
    const other = fixture.another();
    await using _lease = await one.acquire(other);
    const latch = one.latch(other);
    for (const asked of [() => latch.trySetCount(1), () => latch.count(), () => latch.opened({ wait: '5s' })])
      expect(await failureOf(asked())).toEqual(called(other));
    const waiting = two.acquire(other); // the record of a few who wait has another form
    await fixture.queued(1, other);
    expect((await failureOf<Error>(latch.countDown())).message).toContain(
      'holds a lock: its name is in use; choose another name.',
    );
    expect((await failureOf<Error>(one.acquire(name, { wait: 0 }))).message).toContain('holds a latch');
    await _lease.release();
    await (await waiting).release();
  });
}
