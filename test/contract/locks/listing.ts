import type { LockReport } from '../../../lib/locks/inspector.js';
import type { LockService } from '../../../lib/locks/lock-service.js';
import { failureOf } from '../../support/eventually.js';
import type { Fixture } from './fixture.js';

/** What is listed, by name; a name that comes twice is an error. */
export async function listed(locks: LockService): Promise<Map<string, LockReport>> {
  const reports = new Map<string, LockReport>();
  for await (const report of locks.list()) {
    expect(reports.has(report.name)).toBe(false);
    reports.set(report.name, report);
  }
  return reports;
}

export function listingContract(fixture: Fixture): void {
  it('are those with a holder or a queue, each reported as by inspect', async () => {
    const { one, two, name } = fixture;
    const [read, given] = [fixture.another('list ünï · [a]*'), fixture.another()];
    const lease = await one.acquire(name, { label: 'the report' });
    const waiting = two.acquire(name);
    await fixture.queued(1);
    const reading = await two.readWrite(read).read.acquire();
    await (await one.acquire(given)).release();
    const reports = await listed(one);
    for (const each of [name, read]) {
      const { holders, at: _, ...rest } = await one.inspect(each);
      expect(reports.get(each)).toMatchObject(rest);
      expect(reports.get(each)?.holders).toMatchObject(
        holders.map(({ remaining, ...holder }) => (expect(remaining).toBeGreaterThan(0), holder)),
      );
    }
    expect(reports.get(name)).toMatchObject({ holders: [{ label: 'the report' }], queue: [{}] });
    expect(reports.has(given)).toBe(false);
    await Promise.all([lease.release(), reading.release()]);
    await (await waiting).release();
    const after = await listed(two);
    for (const each of [name, read, given]) expect(after.has(each)).toBe(false);
  });

  it('say how each of them is held and waited for', async () => {
    const { one, two, name } = fixture;
    const permits = fixture.another();
    const { read, write } = one.readWrite(name);
    const reading = await read.acquire();
    const permit = await one.semaphore(permits, 3).acquire({ units: 2 });
    const writing = two.readWrite(name).write.acquire();
    const permitted = two.semaphore(permits, 3).acquire({ units: 2 });
    await Promise.all([fixture.queued(1), fixture.queued(1, permits)]);
    const WHOLE = 2 ** 30;
    const [shared, semaphore] = [await one.inspect(name), await one.inspect(permits)];
    expect(shared).toMatchObject({ capacity: WHOLE, inUse: 1, holders: [{ kind: 'shared', units: 1 }] });
    expect(shared).toMatchObject({ queue: [{ kind: 'exclusive', units: WHOLE }] });
    expect(semaphore).toMatchObject({ permits: 3, capacity: 3, inUse: 2 });
    expect(semaphore).toMatchObject({
      holders: [{ kind: 'semaphore', units: 2 }],
      queue: [{ kind: 'semaphore' }],
    });
    await Promise.all([reading.release(), permit.release()]);
    await Promise.all([(await writing).release(), (await permitted).release()]);
    await using _lease = await write.acquire();
    expect(await two.inspect(name)).toMatchObject({ holders: [{ kind: 'exclusive', units: WHOLE }] });
    for (const report of [shared, await one.inspect(permits)]) expect(report).not.toHaveProperty('permits');
  });

  it('are no latches', async () => {
    const { one, name } = fixture;
    await one.latch(`latch:${name}`).trySetCount(1, { ttl: 1_000 });
    await using _lease = await one.acquire(name);
    expect([...(await listed(one)).keys()].filter((each) => each.includes(name))).toEqual([name]);
  });

  it('are no leases that ended by themselves', async () => {
    const locks = fixture.open({ guard: 0 });
    const began = performance.now();
    await listed(fixture.one); // an emulated server lists slowly
    const ttl = Math.min(2_000, 200 + 5 * (performance.now() - began));
    const lease = await locks.acquire(fixture.name, { ttl, renew: false });
    expect((await listed(fixture.one)).has(fixture.name)).toBe(true);
    await new Promise((resolve) => lease.signal.addEventListener('abort', resolve, { once: true }));
    await fixture.one.inspect(fixture.name); // the server's clock may be a moment behind
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect((await listed(fixture.one)).has(fixture.name)).toBe(false);
  }, 20_000);

  it('can be left in the middle, and asked for by several at once', async () => {
    const names = Array.from({ length: 20 }, () => fixture.another());
    const leases = await Promise.all(names.map((name) => fixture.one.acquire(name)));
    for await (const { holders } of fixture.two.list()) {
      expect(holders.length).toBeGreaterThan(0);
      break;
    }
    for (const reports of await Promise.all([listed(fixture.one), listed(fixture.two)]))
      for (const name of names) expect(reports.has(name)).toBe(true);
    await Promise.all(leases.map((lease) => lease.release()));
  });

  it('are not listed by a closed service', async () => {
    const locks = fixture.open();
    await locks.close();
    expect(await failureOf(listed(locks))).toMatchObject({ code: 'LOCK_STORE' });
  });
}
