import { failureOf, until } from '../../support/eventually.js';
import type { Lease, WriteLease } from '../../../lib/locks/lock.js';
import type { Fixture } from '../locks/fixture.js';
import { Gate, Room } from './gate.js';

/** Who may come in while the lock is held: by a handle, or by the context where that was asked for. */
export function reentryContract(fixture: Fixture): void {
  describe('by handle', () => byHandle(fixture));
  describe('by context, with reentrant: true', () => byContext(fixture));
}

function byHandle(fixture: Fixture): void {
  it('has the fence of the lease, through every kind that locks the name alone, at any depth', async () => {
    const { one, two, name } = fixture;
    const { read, write } = one.readWrite(name);
    const fences = await one.using(name, (outer) =>
      outer.using((entered) =>
        one.using(
          [name],
          (all) =>
            write.using(
              (writer) =>
                read.using(
                  async (reader) => {
                    expect(await two.tryAcquire(name)).toBeUndefined();
                    expect(await failureOf(write.using(() => 1, { within: reader }))).toMatchObject({
                      code: 'LOCK_USAGE',
                    });
                    return [outer, entered, all, writer, reader].map(({ fence }) => fence);
                  },
                  { within: writer },
                ),
              { within: all },
            ),
          { within: entered },
        ),
      ),
    );
    expect(new Set(fences).size).toBe(1);
    expect(fences).toHaveLength(5);
  });

  it('works for a lease that was taken by acquire, which gives nothing back before the entry ends', async () => {
    const { one, two, name } = fixture;
    const lease = await one.acquire(name);
    const gate = new Gate();
    const entry = lease.using(async (entered) => {
      await gate.opened;
      entered.assertHeld();
      return entered.held;
    });
    const released = lease.release();
    expect(await failureOf(lease.using(() => 'late'))).toMatchObject({
      code: 'LOCK_LOST',
      reason: 'released',
    });
    expect(await two.tryAcquire(name)).toBeUndefined();
    expect(lease.held).toBe(true);
    gate.open();
    expect([await entry, await released]).toEqual([true, 'released']);
    expect(lease.held).toBe(false);
    await (await two.acquire(name)).release();
  });

  it('keeps the lock for an entry that nobody awaits, so that it never works beside the next holder', async () => {
    const { one, two, name } = fixture;
    const room = new Room();
    const [gate, begun] = [new Gate(), new Gate()];
    let entry!: Promise<void>;
    await one.using(name, (lease) => {
      entry = lease.using(async (entered) => {
        room.enter();
        begun.open();
        await gate.opened;
        entered.assertHeld();
        room.leave();
      });
      return begun.opened;
    });
    const next = two.using(name, () => room.stay(1));
    await fixture.queued(1);
    gate.open();
    await Promise.all([entry, next]);
    expect(room.most).toBe(1);
  });

  it('ends with its work: what still runs does not hold it, and lets nobody in', async () => {
    const { one, name } = fixture;
    await one.using(name, async (lease) => {
      let left!: Lease;
      await lease.using((entered) => void (left = entered));
      expect([left.held, left.remaining]).toEqual([false, 0]);
      expect(() => left.assertHeld()).toThrow(
        expect.objectContaining({ code: 'LOCK_LOST', reason: 'released' }),
      );
      for (const late of [left.using(() => 1), one.using(name, () => 1, { within: left }), left.renew()])
        expect(await failureOf(late)).toMatchObject({ code: 'LOCK_LOST', reason: 'released' });
      await left.release();
      expect(lease.held).toBe(true);
    });
  });

  it('lets entries take turns, each also when others fail, and what they begin within themselves with them', async () => {
    const { one, name } = fixture;
    const room = new Room();
    const outcomes = await one.using(name, (lease) =>
      Promise.allSettled([
        lease.using(() => room.stay(5)),
        lease.using(() => Promise.reject(new Error('fails'))),
        one.using([name], () => room.stay(2), { within: lease }),
        one.readWrite(name).read.using(() => room.stay(2), { within: lease }),
        // What it begins and does not await still keeps its siblings out.
        lease.using((entered) => void entered.using(() => room.stay(5))),
        lease.using(() => room.stay(1)),
        lease.using((entered) => entered.using((inner) => inner.using(() => room.stay(1)))),
      ]),
    );
    expect(room.most).toBe(1);
    expect(outcomes.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'fulfilled',
    ]);
  });

  it('enters those of several names that the lease is on, and takes the others', async () => {
    const { one, two, name } = fixture;
    const [other, third] = [fixture.another(), fixture.another()];
    const room = new Room();
    await one.using([name, other], async (lease) => {
      await Promise.all([
        lease.using((all) => {
          expect([...all.names].sort()).toEqual([name, other].sort());
          return room.stay(5);
        }),
        one.using(other, () => room.stay(5), { within: lease }),
        one.using(
          [other, third],
          async (mixed) => {
            expect(mixed.fenceOf(other)).toBe(lease.fenceOf(other));
            expect(await two.tryAcquire(third)).toBeUndefined();
            await one.using([third, other], () => room.stay(2), { within: mixed });
          },
          { within: lease },
        ),
      ]);
      await until('the third is free', async () => (await fixture.report(third)).inUse === 0);
      expect(lease.held).toBe(true);
    });
    expect(room.most).toBe(1);
  });

  it('refuses a lease that is none, of another service, of another name or of a semaphore', async () => {
    const { one, two, name } = fixture;
    const other = fixture.another();
    const semaphore = one.semaphore(fixture.another('permits'), 3);
    await one.using(name, async (lease) => {
      await semaphore.using(async (permit) => {
        const refused: [() => Promise<unknown>, RegExp][] = [
          [() => one.using(name, () => 1, { within: 7 as never }), /within takes a lease .* it was 7/],
          [() => one.using(name, () => 1, { within: {} as never }), /within takes a lease/],
          [() => two.using(name, () => 1, { within: lease }), /another LockService/],
          [() => one.using(other, () => 1, { within: lease }), new RegExp(`not on '${other}'`)],
          [() => permit.using(() => 1), /semaphore/],
          [() => semaphore.using(() => 1, { within: permit }), /semaphore/],
        ];
        for (const [call, why] of refused) {
          const error = await failureOf<Error>(call());
          expect(error).toMatchObject({ code: 'LOCK_USAGE' });
          expect(error.message).toMatch(why);
        }
      });
    });
  });

  it('lets a writer read, and after its downgrade what entered it goes on as a reader', async () => {
    const { one, two, name } = fixture;
    const { read, write } = one.readWrite(name);
    await write.using(async (writer: WriteLease) => {
      await read.using((reader) => expect(reader.held).toBe(true), { within: writer });
      expect(await two.readWrite(name).read.tryAcquire()).toBeUndefined();
      await write.using(
        async (entered) => {
          const reader = await entered.downgrade();
          expect([reader.held, reader.fence]).toEqual([true, writer.fence]);
          entered.assertHeld();
        },
        { within: writer },
      );
      await (await two.readWrite(name).read.acquire({ wait: 1_000 })).release();
      expect(await failureOf(write.using(() => 1, { within: writer }))).toMatchObject({ code: 'LOCK_USAGE' });
      await read.using((reader) => expect(reader.fence).toBe(writer.fence), { within: writer });
    });
    expect((await fixture.report()).inUse).toBe(0);
  });

  it('fails after the lease was lost, without running the work', async () => {
    const { one, name } = fixture;
    const lease = await one.acquire(name, { ttl: 100, renew: false });
    await until('the lease ends', () => !lease.held);
    let ran = false;
    expect(await failureOf(lease.using(() => void (ran = true)))).toMatchObject({
      code: 'LOCK_LOST',
      reason: 'expired',
    });
    expect(ran).toBe(false);
    await lease.release();
  });

  it('waits for a sibling no longer than its wait, and leaves at the abort of its signal', async () => {
    const { one, name } = fixture;
    const gate = new Gate();
    const controller = new AbortController();
    await one.using(name, async (lease) => {
      const long = lease.using(() => gate.opened);
      expect(await failureOf(lease.using(() => 1, { wait: 0 }))).toMatchObject({ reason: 'held' });
      expect(await failureOf(lease.using(() => 1, { wait: 20 }))).toMatchObject({ reason: 'timeout' });
      const aborted = failureOf(lease.using(() => 1, { signal: controller.signal }));
      controller.abort('enough');
      expect(await aborted).toMatchObject({ reason: 'aborted', cause: 'enough' });
      expect(await failureOf(lease.using(() => 1, { signal: controller.signal }))).toMatchObject({
        reason: 'aborted',
      });
      gate.open();
      await long;
      expect(await lease.using(() => 'free again', { wait: 0 })).toBe('free again');
    });
  });
}

function byContext(fixture: Fixture): void {
  const nested = { reentrant: true };

  it('enters without waiting, at any depth, through every kind that locks the name alone', async () => {
    const { one, two, name } = fixture;
    const { read, write } = one.readWrite(name);
    const fences = await one.using(name, (outer) =>
      write.using(
        (writer) =>
          one.using(
            [name],
            (all) =>
              read.using(async (reader) => {
                expect(await two.tryAcquire(name)).toBeUndefined();
                return [outer, writer, all, reader].map(({ fence }) => fence);
              }, nested),
            nested,
          ),
        nested,
      ),
    );
    expect(new Set(fences).size).toBe(1);
    expect(fences).toHaveLength(4);
  });

  it('is the default of a service that says so, and what the call says counts more', async () => {
    const { name } = fixture;
    const trusting = fixture.open({ reentrant: true });
    await trusting.using(name, async (outer) => {
      await trusting.using(name, (inner) => expect(inner.fence).toBe(outer.fence));
      const refusal = failureOf(trusting.using(name, () => 1, { reentrant: false, wait: 20 }));
      expect(await refusal).toMatchObject({ code: 'LOCK_BUSY', reason: 'timeout' });
    });
  });

  it('lets a reader read again while a writer waits, and refuses one that asks to write', async () => {
    const { one, two, name } = fixture;
    const { read, write } = one.readWrite(name);
    let writing!: Promise<string>;
    await read.using(async (outer) => {
      writing = two.readWrite(name).write.using(() => 'written');
      await fixture.queued(1);
      await read.using((inner) => expect(inner.fence).toBe(outer.fence), nested);
      for (const upgrade of [write.using(() => 1, nested), one.using(name, () => 1, nested)]) {
        const why = await failureOf<Error>(upgrade);
        expect(why).toMatchObject({ code: 'LOCK_USAGE', lockName: name });
        expect(why.message).toContain('two readers that do so would wait for each other');
      }
      // Without asking for re-entry it waits like anybody.
      const waits = await failureOf<Error>(write.using(() => 1, { wait: 20 }));
      expect(waits).toMatchObject({ code: 'LOCK_BUSY', reason: 'timeout' });
      expect(waits.message).toContain('it may be waiting for itself');
    });
    expect(await writing).toBe('written');
  });

  it('lets siblings of Promise.all take turns', async () => {
    const { one, name } = fixture;
    const room = new Room();
    const outcomes = await one.using(name, () =>
      Promise.allSettled([
        one.using(name, () => room.stay(5), nested),
        one.using(name, () => Promise.reject(new Error('fails')), nested),
        one.using([name], () => room.stay(2), nested),
        one.readWrite(name).read.using(() => room.stay(2), nested),
      ]),
    );
    expect(room.most).toBe(1);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
  });

  it('never enters a semaphore: each call takes its own permit, and is told when it waits for itself', async () => {
    const { one, name } = fixture;
    const semaphore = one.semaphore(name, 2);
    await semaphore.using(async () => {
      await semaphore.using(async () => {
        expect(await semaphore.available()).toBe(0);
        const refusal = await failureOf<Error>(semaphore.using(() => 1, { ...nested, wait: 20 }));
        expect(refusal).toMatchObject({ reason: 'timeout' });
        expect(refusal.message).toContain('take all units at once');
      }, nested);
    });
  });

  it('ends by wait when siblings wait for each other', async () => {
    const { one, name } = fixture;
    const other = fixture.another();
    const [first, second] = [new Gate(), new Gate()];
    const [gaveUp, went] = await one.using([name, other], () =>
      Promise.allSettled([
        one.using(
          name,
          async () => {
            first.open();
            await second.opened;
            return one.using(other, () => 'both', { ...nested, wait: 60 });
          },
          nested,
        ),
        one.using(
          other,
          async () => {
            second.open();
            await first.opened;
            return one.using(name, () => 'both', { ...nested, wait: 60_000 });
          },
          nested,
        ),
      ]),
    );
    expect(gaveUp).toMatchObject({ reason: { code: 'LOCK_BUSY', reason: 'timeout', lockName: other } });
    expect(went).toMatchObject({ status: 'fulfilled', value: 'both' });
  });

  it('fails after the lease was lost, and does not run under it', async () => {
    const { one, name } = fixture;
    let ran = false;
    const losing = one.using(
      name,
      async (lease) => {
        await until('the lease ends', () => !lease.held);
        await one.using(name, () => void (ran = true), nested);
      },
      { ttl: 100, renew: false },
    );
    expect(await failureOf(losing)).toMatchObject({ code: 'LOCK_LOST', reason: 'expired' });
    expect(ran).toBe(false);
  });
}
