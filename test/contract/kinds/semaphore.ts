import type { LockUsageError } from '../../../lib/base/errors.js';
import { failureOf, until } from '../../support/eventually.js';
import type { Fixture } from '../locks/fixture.js';
import { Gate, Room } from './gate.js';

export function semaphoreContract(fixture: Fixture): void {
  it('answers who asks once in time for one command, however many ask at the same time', async () => {
    const { one, two, name } = fixture;
    const held = await two.semaphore(name, 2).acquire({ units: 2 });
    const leaving = new AbortController();
    const waits = { wait: 5_000, signal: leaving.signal };
    const line = Array.from({ length: 20 }, () => failureOf(one.semaphore(name, 2).acquire(waits)));
    const began = performance.now();
    const tries = [1, 2, 3].map(() => one.semaphore(name, 2).tryAcquire());
    expect(await Promise.all(tries)).toEqual([undefined, undefined, undefined]);
    expect(performance.now() - began).toTakeLessThan(150, fixture.lag.max);
    leaving.abort();
    await Promise.all(line);
    await held.release();
  });

  it('gives who asks once what those before it leave, though they are many and ask in the same moment', async () => {
    const semaphore = fixture.one.semaphore(fixture.name, 21);
    const asked = Array.from({ length: 20 }, () => semaphore.acquire());
    const began = performance.now();
    const last = semaphore.tryAcquire();
    const leases = [...(await Promise.all(asked)), await last];
    expect(performance.now() - began).toTakeLessThan(200, fixture.lag.max);
    expect(leases.filter((lease) => lease?.held)).toHaveLength(21);
    for (const lease of leases) await lease?.release();
  });

  it('serves all who fit at once, whatever the ttl of those who leave', async () => {
    const semaphore = fixture.one.semaphore(fixture.name, 5);
    const leaving = new AbortController();
    const began = performance.now();
    const first = failureOf(semaphore.acquire({ ttl: '1m', signal: leaving.signal }));
    const second = semaphore.acquire({ ttl: '5s', wait: '3s' });
    leaving.abort();
    const third = semaphore.acquire({ ttl: '1m', wait: '3s' });
    const leases = await Promise.all([second, third]);
    await first;
    expect(performance.now() - began).toTakeLessThan(150, fixture.lag.max);
    expect(leases[0].remaining).toBeLessThanOrEqual(5_000);
    await Promise.all(leases.map((lease) => lease.release()));
  });

  it('takes no longer for each of thousands who ask once at the same time', async () => {
    const { one, two, name } = fixture;
    const held = await two.semaphore(name, 2).acquire({ units: 2 });
    const leaving = new AbortController();
    const semaphore = one.semaphore(name, 2);
    const waits = { wait: '1m', signal: leaving.signal } as const;
    const line = Array.from({ length: 1_000 }, () => failureOf(semaphore.acquire(waits)));
    const began = performance.now();
    const tries = Array.from({ length: 1_000 }, () => semaphore.tryAcquire());
    expect((await Promise.all(tries)).some((lease) => lease !== undefined)).toBe(false);
    expect(performance.now() - began).toTakeLessThan(1_000, fixture.lag.max);
    leaving.abort();
    await Promise.all(line);
    await held.release();
  });

  it('serves the callers of a process in their order, also when one before them leaves', async () => {
    const { one, two, name } = fixture;
    const held = await two.semaphore(name, 4).acquire({ units: 4 });
    const leaving = new AbortController();
    const semaphore = one.semaphore(name, 4);
    const first = failureOf(semaphore.acquire({ units: 3, signal: leaving.signal }));
    const served: string[] = [];
    const take = async (who: string, units: number): Promise<void> => {
      const lease = await semaphore.acquire({ units });
      served.push(who);
      await lease.release();
    };
    const both = [take('second', 2), take('third', 3)];
    await fixture.queued(3);
    leaving.abort();
    await first;
    await fixture.queued(2);
    await held.release();
    await Promise.all(both);
    expect(served).toEqual(['second', 'third']);
  });

  it('lets as many in as it has permits, over 20 callers of one shared instance', async () => {
    const semaphore = fixture.one.semaphore(fixture.name, 3);
    const room = new Room();
    await Promise.all(Array.from({ length: 20 }, () => semaphore.using(() => room.stay(2))));
    expect(room.most).toBe(3);
  });

  it('grants to callers that ask once at the same moment as many permits as there are', async () => {
    const semaphore = fixture.one.semaphore(fixture.name, 3);
    const asked = [{}, {}, { wait: 2_000 }, {}, {}].map((options) => semaphore.tryAcquire(options));
    const leases = (await Promise.all(asked)).filter((lease) => lease !== undefined);
    expect(leases).toHaveLength(3);
    expect(await semaphore.tryAcquire()).toBeUndefined();
    for (const lease of leases) await lease.release();
  });

  it('counts the permits of all services together', async () => {
    const room = new Room();
    await Promise.all(
      Array.from({ length: 24 }, (_, index) =>
        (index % 2 ? fixture.one : fixture.two).semaphore(fixture.name, 3).using(() => room.stay(2)),
      ),
    );
    expect(room.most).toBe(3);
  });

  it('weighs callers: each takes its units, their sum never exceeds the permits, and nobody overtakes a heavy one', async () => {
    const { one, two, name } = fixture;
    const [light, heavy] = [one.semaphore(name, 5), two.semaphore(name, 5)];
    const first = await light.acquire({ units: 2 });
    expect(await light.available()).toBe(3);
    const whole = heavy.acquire({ units: 5 });
    await fixture.queued(1);
    const behind = light.acquire({ units: 1 });
    await fixture.queued(2);
    expect(await light.tryAcquire()).toBeUndefined();
    await first.release();
    const lease = await whole;
    expect(await light.available()).toBe(0);
    expect((await fixture.report()).inUse).toBe(5);
    await lease.release();
    await (await behind).release();
  });

  it('never exceeds its permits with mixed weights', async () => {
    let [inUse, most] = [0, 0];
    await Promise.all(
      Array.from({ length: 30 }, (_, index) => {
        const units = (index % 4) + 1;
        return (index % 2 ? fixture.one : fixture.two).semaphore(fixture.name, 4).using(
          async () => {
            most = Math.max(most, (inUse += units));
            await new Promise((resolve) => setTimeout(resolve, 1));
            inUse -= units;
          },
          { units },
        );
      }),
    );
    expect(most).toBe(4);
  });

  it.each(['another service', 'a caller beside it'])(
    'refuses %s that counts otherwise, with both numbers, at once and for every share',
    async (who) => {
      const { one, name } = fixture;
      const other = who === 'another service' ? fixture.two : one;
      const lease = await one.semaphore(name, 3).acquire();
      for (const ask of [
        () => other.semaphore(name, 5).acquire(),
        () => other.semaphore(name, 5).acquire({ units: 5, wait: 0 }),
        () => other.semaphore(name, 1).tryAcquire(),
        () => other.acquire(name),
        () => other.readWrite(name).read.tryAcquire(),
      ])
        expect(await failureOf(ask())).toMatchObject({ code: 'LOCK_USAGE', lockName: name });
      const refusal = await failureOf<Error>(other.semaphore(name, 5).acquire());
      expect(refusal.message).toContain('a semaphore of 3 permits');
      expect(refusal.message).toContain('a semaphore of 5 permits');
      const { code, lockName, message } = await failureOf<LockUsageError>(
        other.semaphore(name, 5).available(),
      );
      expect({ code, lockName, message }).toEqual({
        code: 'LOCK_USAGE',
        lockName: name,
        message: refusal.message,
      });
      await lease.release();
    },
  );

  it('says how many are free to whoever counts otherwise once nobody uses it', async () => {
    const { one, two, name } = fixture;
    const mutex = await one.acquire(name, { ttl: 100, renew: false });
    expect(await failureOf(two.semaphore(name, 5).available())).toMatchObject({ code: 'LOCK_USAGE' });
    await until('its lease is over', async () => (await fixture.report()).inUse === 0);
    expect(await two.semaphore(name, 5).available()).toBe(5);
    expect(await mutex.release()).toBe('expired');
    expect(await two.semaphore(name, 5).available()).toBe(5);
  });

  it('takes another number of permits when nobody uses it', async () => {
    const { one, two, name } = fixture;
    await (await one.semaphore(name, 3).acquire()).release();
    const leases = await Promise.all(
      Array.from({ length: 5 }, () => two.semaphore(name, 5).acquire({ wait: 500 })),
    );
    expect((await fixture.report()).capacity).toBe(5);
    for (const lease of leases) await lease.release();
    await (await two.acquire(name)).release();
  });

  it.each([0, -1, 1.5, NaN, Infinity, '1', null, 2 ** 30])(
    'refuses %p as units and as permits, with the range',
    async (bad) => {
      const semaphore = fixture.one.semaphore(fixture.name, 3);
      for (const refused of [
        semaphore.acquire({ units: bad as number }),
        semaphore.using(() => 1, { units: bad as number }),
      ]) {
        const refusal = await failureOf<Error>(refused);
        expect(refusal).toMatchObject({ code: 'LOCK_USAGE', lockName: fixture.name });
        expect(refusal.message).toContain('from 1 to 3');
      }
      expect(() => fixture.one.semaphore(fixture.name, bad as number)).toThrow('from 1 to 1073741823');
      expect(await semaphore.available()).toBe(3);
    },
  );

  it('refuses more units than permits, with both numbers', async () => {
    const refusal = await failureOf<Error>(fixture.one.semaphore(fixture.name, 3).acquire({ units: 4 }));
    expect(refusal).toMatchObject({ code: 'LOCK_USAGE' });
    expect(refusal.message).toMatch(/from 1 to 3; it was 4/);
  });

  it('is not entered again: a call that holds a permit and asks for another takes two', async () => {
    const semaphore = fixture.one.semaphore(fixture.name, 2);
    await semaphore.using(async (outer) => {
      await semaphore.using(async (inner) => {
        expect(inner.fence).toBeGreaterThan(outer.fence);
        expect(await semaphore.available()).toBe(0);
        expect(await failureOf(semaphore.using(() => 1, { wait: 0 }))).toMatchObject({ reason: 'held' });
      });
      await until('one is free again', async () => (await semaphore.available()) === 1);
    });
  });

  it('is renewed permit by permit', async () => {
    const semaphore = fixture.one.semaphore(fixture.name, 2);
    const [kept, left] = await Promise.all([
      semaphore.acquire({ ttl: 400 }),
      semaphore.acquire({ ttl: 400, renew: false }),
    ]);
    await until('one permit is free', async () => (await semaphore.available()) === 1);
    expect([kept?.held, left?.held]).toEqual([true, false]);
    await kept?.release();
  });

  it('gives the permit of one who leaves the queue to the next', async () => {
    const { one, two, name } = fixture;
    const lease = await one.semaphore(name, 1).acquire();
    const leaving = failureOf(two.semaphore(name, 1).acquire({ wait: 50 }));
    const staying = fixture.open().semaphore(name, 1).acquire();
    await leaving;
    await fixture.queued(1);
    await lease.release();
    await (await staying).release();
  });

  it('serves many callers beyond what one process asks for at a time', async () => {
    const semaphore = fixture.one.semaphore(fixture.name, 40);
    const room = new Room();
    const all = new Gate();
    await Promise.all(
      Array.from({ length: 40 }, () =>
        semaphore.using(async () => {
          room.enter();
          if (room.inside === 40) all.open();
          await all.opened;
          room.leave();
        }),
      ),
    );
    expect(room.most).toBe(40);
  });
}
