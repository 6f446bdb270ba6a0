import { failureOf, pass, until } from '../../support/eventually.js';
import type { Lease, WriteLease } from '../../../lib/locks/lock.js';
import type { Fixture } from '../locks/fixture.js';
import { Gate, Room } from './gate.js';

/** What may go wrong around entries: releases, losses, refusals and downgrades while they work or wait. */
export function reentryEdgesContract(fixture: Fixture): void {
  const nested = { reentrant: true };

  describe('an entry that nobody awaits, after its lease was given back', () => {
    /** Runs `work` in an entry whose lease has been given back meanwhile. */
    const afterRelease = async <T>(work: (entered: Lease) => Promise<T>): Promise<T> => {
      const { one, name } = fixture;
      const [gate, begun] = [new Gate(), new Gate()];
      let entry!: Promise<T>;
      await one.using(name, (lease) => {
        entry = lease.using(async (entered) => {
          begun.open();
          await gate.opened;
          return work(entered);
        });
        return begun.opened;
      });
      gate.open();
      return entry;
    };

    it('still holds the lock in its context', async () => {
      const { one, name } = fixture;
      const seen = await afterRelease(async (entered) => [
        one.current(name)?.fence === entered.fence,
        one.current()?.held,
      ]);
      expect(seen).toEqual([true, true]);
    });

    it('is entered through its own lease, and by its context on request', async () => {
      const { one, two, name } = fixture;
      const seen = await afterRelease(async (entered) => [
        await entered.using(() => 'by handle'),
        await one.using(name, () => 'within', { within: entered }),
        await one.using(name, () => 'by context', { ...nested, wait: 40 }),
        await two.tryAcquire(name),
      ]);
      expect(seen).toEqual(['by handle', 'within', 'by context', undefined]);
    });

    it('is told that it may wait for itself when it asks without re-entry', async () => {
      const { one, name } = fixture;
      const refusal = await afterRelease(() => failureOf<Error>(one.using(name, () => 1, { wait: 40 })));
      expect(refusal.message).toContain('it may be waiting for itself');
    });

    it('lets nobody in any more when it gave the lease back itself', async () => {
      const { one, name } = fixture;
      await one.using(name, (lease) =>
        lease.using(async (entered) => {
          const released = entered.release();
          expect(entered.held).toBe(true);
          expect(entered.release()).toBe(released);
          for (const late of [entered.using(() => 1), lease.using(() => 1)])
            expect(await failureOf(late)).toMatchObject({ code: 'LOCK_LOST', reason: 'released' });
          void released;
        }),
      );
      await (await fixture.two.acquire(name)).release();
    });
  });

  describe('a downgrade', () => {
    it('while the release waits for entries leaves nothing held', async () => {
      const { one, two, name } = fixture;
      const { write } = one.readWrite(name);
      const lease = await write.acquire();
      const gate = new Gate();
      const entry = write.using(
        async (entered: WriteLease) => {
          await gate.opened;
          await entered.downgrade();
        },
        { within: lease },
      );
      const released = lease.release();
      gate.open();
      await entry;
      expect(await released).toBe('released');
      await (await two.acquire(name, { wait: '2s' })).release();
    });

    it('while the release waits lets no new entry in', async () => {
      const { one, name } = fixture;
      const { write, read } = one.readWrite(name);
      const lease = await write.acquire();
      const [gate, down] = [new Gate(), new Gate()];
      const entry = write.using(
        async (entered: WriteLease) => {
          await entered.downgrade();
          down.open();
          await gate.opened;
        },
        { within: lease },
      );
      const released = lease.release();
      await down.opened;
      expect(await failureOf(read.using(() => 1, { within: lease }))).toMatchObject({ reason: 'released' });
      gate.open();
      await Promise.all([entry, released]);
    });

    it('by one entry goes on to tell the others, and the holder, of a loss by the signals they have', async () => {
      const { one, two, name } = fixture;
      const { write } = one.readWrite(name);
      const lease = await write.acquire();
      const { signal } = lease;
      await write.using((entered: WriteLease) => entered.downgrade(), { within: lease });
      expect(signal.aborted).toBe(false);
      await two.revoke(name, { reason: 'test', force: true });
      const reader = await lease.downgrade();
      await until('the reader knows', async () => {
        await reader.renew().catch(() => undefined);
        return !reader.held;
      });
      await until('the signal of before tells', () => signal.aborted);
      expect(signal.reason).toMatchObject({ code: 'LOCK_LOST' });
      await reader.release();
    });

    it('by the entry that works leaves those that wait hearing of a loss', async () => {
      const { one, two, name } = fixture;
      const { write, read } = one.readWrite(name);
      const lease = await write.acquire();
      const [down, over] = [new Gate(), new Gate()];
      const entry = failureOf(
        write.using(
          async (entered: WriteLease) => {
            await entered.downgrade();
            down.open();
            await over.opened;
          },
          { within: lease },
        ),
      );
      const waiting = failureOf(read.using(() => 1, { within: lease, wait: '5s' }));
      await down.opened;
      await two.revoke(name, { reason: 'test' });
      const reader = await lease.downgrade();
      await until('the reader knows', () =>
        reader.renew().then(
          () => false,
          () => !reader.held,
        ),
      );
      expect(await waiting).toMatchObject({ code: 'LOCK_LOST', reason: 'revoked' });
      over.open();
      expect(await entry).toMatchObject({ code: 'LOCK_LOST', reason: 'revoked' });
      await reader.release();
    });

    it('refuses an entry to write that was waiting, and lets the next one in', async () => {
      const { one, name } = fixture;
      const { write, read } = one.readWrite(name);
      await write.using(async (lease: WriteLease) => {
        const gate = new Gate();
        const first = write.using(
          async (entered: WriteLease) => {
            await gate.opened;
            await entered.downgrade();
          },
          { within: lease },
        );
        const second = failureOf(write.using(() => 1, { within: lease }));
        const third = read.using(() => 'read', { within: lease });
        gate.open();
        await first;
        expect(await second).toMatchObject({ code: 'LOCK_USAGE' });
        expect(await third).toBe('read');
      });
      expect((await fixture.report()).inUse).toBe(0);
    });
  });

  describe('a turn', () => {
    it('passes on when those who wait for it leave: by abort, by wait, by an error of their own', async () => {
      const { one, name } = fixture;
      const room = new Room();
      await one.using(name, async (lease) => {
        const gate = new Gate();
        const controller = new AbortController();
        const working = lease.using(() => gate.opened);
        const aborted = failureOf(lease.using(() => 1, { signal: controller.signal }));
        const late = failureOf(lease.using(() => 1, { wait: 20 }));
        const throws = failureOf(
          lease.using(() => {
            throw new Error('at once');
          }),
        );
        const last = lease.using(() => room.stay(1));
        controller.abort();
        expect(await late).toMatchObject({ reason: 'timeout' });
        gate.open();
        await Promise.all([working, last]);
        expect([await aborted, await throws]).toMatchObject([{ reason: 'aborted' }, { message: 'at once' }]);
        expect(await lease.using(() => 'free', { wait: 0 })).toBe('free');
      });
      expect((await fixture.report()).inUse).toBe(0);
    });

    it('is not given to a call whose signal has aborted, nor to one with bad options', async () => {
      const { one, name } = fixture;
      await one.using(name, async (lease) => {
        let ran = false;
        const work = (): void => void (ran = true);
        const gone = AbortSignal.abort('gone');
        expect(await failureOf(lease.using(work, { signal: gone }))).toMatchObject({
          code: 'LOCK_BUSY',
          reason: 'aborted',
          cause: 'gone',
        });
        for (const bad of [{ signal: {} as AbortSignal }, { wait: -1 }, 7 as never])
          for (const call of [
            () => lease.using(work, bad),
            () => one.using(name, work, typeof bad === 'number' ? bad : { ...bad, within: lease }),
          ])
            expect(await failureOf(call())).toMatchObject({ code: 'LOCK_USAGE' });
        expect(await failureOf(lease.using(7 as never))).toMatchObject({ code: 'LOCK_USAGE' });
        expect(ran).toBe(false);
        expect(await lease.using(() => 'free', { wait: 0 })).toBe('free');
      });
      expect((await fixture.report()).inUse).toBe(0);
    });

    it('of several names is waited for no longer than wait in all', async () => {
      const { one, name } = fixture;
      const other = fixture.another();
      await one.using([name, other], async (lease) => {
        const gates = [new Gate(), new Gate()] as const;
        const first = one.using(name, () => gates[0].opened, { within: lease });
        const second = one.using(other, () => gates[1].opened, { within: lease });
        const began = performance.now();
        const both = failureOf(lease.using(() => 1, { wait: 200 }));
        await pass(120);
        gates[0].open();
        expect(await both).toMatchObject({ code: 'LOCK_BUSY', reason: 'timeout' });
        expect(performance.now() - began).toTakeLessThan(310, fixture.lag.max);
        gates[1].open();
        await Promise.all([first, second]);
        expect(await lease.using(() => 'free', { wait: 0 })).toBe('free');
      });
    });

    it('is refused at once when the lease is lost while a sibling works on', async () => {
      const { one, two, name } = fixture;
      const lease = await one.acquire(name);
      const gate = new Gate();
      const working = lease.using(() => gate.opened).catch((error: unknown) => error);
      const waiting = failureOf(lease.using(() => 1, { wait: Infinity }));
      await two.revoke(name, { reason: 'test', force: true });
      await lease.renew().catch(() => undefined);
      expect(await waiting).toMatchObject({ code: 'LOCK_LOST' });
      gate.open();
      await working;
      await lease.release();
    });
  });

  it('a turn of several names is refused when one was lost while another was waited for', async () => {
    const { one, two } = fixture;
    const [first, second] = [fixture.another('a'), fixture.another('b')];
    const lease = await one.allOf([first, second]).acquire();
    const [gate, over] = [new Gate(), new Gate()];
    const working = [
      one.using(first, () => gate.opened, { within: lease }),
      failureOf(one.using(second, () => over.opened, { within: lease })),
    ];
    const waiting = failureOf(lease.using(() => 1, { wait: '5s' }));
    await two.revoke(second, { reason: 'test' });
    await until('the loss is known', () =>
      lease.renew().then(
        () => false,
        () => !lease.held,
      ),
    );
    gate.open();
    expect(await waiting).toMatchObject({ code: 'LOCK_LOST', lockName: second, reason: 'revoked' });
    over.open();
    await Promise.all(working);
    await lease.release();
  });

  it('a loss while an entry works is reported to its caller, with the outcome', async () => {
    const { one, name } = fixture;
    const lease = await one.acquire(name, { ttl: 100, renew: false });
    const entry = lease.using(async (entered) => {
      await until('the lease ends', () => !entered.held);
      return 'written';
    });
    const error = await failureOf<Error>(entry);
    expect(error).toMatchObject({ code: 'LOCK_LOST', reason: 'expired', result: 'written' });
    await lease.release();
  });

  it('a part of several that is given back alone leaves the names around in the context', async () => {
    const { one, name } = fixture;
    const [a, b] = [fixture.another('a'), fixture.another('b')];
    await one.using(name, async (outer) => {
      await one.using([a, b], async (all) => {
        const back: Promise<unknown>[] = [];
        await one.using(b, (entered) => void back.push(entered.release()), { within: all });
        await one.using(a, () => expect(one.current(name)).toBeDefined(), { within: all });
        expect(one.current(b)).toBeUndefined();
        await Promise.all(back);
      });
      expect(one.current(name)?.fence).toBe(outer.fence);
      expect(await one.using(name, () => 'entered', { ...nested, wait: 0 })).toBe('entered');
    });
  });

  it('an entry that takes more names counts from its call: the lease is kept until it has ended', async () => {
    const { one, two, name } = fixture;
    const other = fixture.another();
    const room = new Room();
    const blocking = await two.acquire(other);
    const lease = await one.acquire(name);
    const entry = one.using([name, other], () => room.stay(5), { within: lease });
    await fixture.queued(1, other);
    const released = lease.release();
    const next = two.using(name, () => room.stay(5));
    await fixture.queued(1);
    await blocking.release();
    await Promise.all([entry, next]);
    expect([room.most, await released]).toEqual([1, 'released']);
  });

  it('entries of a lease with minHold or await using keep it, and what is left of the minimum counts after them', async () => {
    const { one, two, name } = fixture;
    const gate = new Gate();
    let entry!: Promise<void>;
    const began = performance.now();
    await one.using(name, (lease) => void (entry = lease.using(() => gate.opened)), { minHold: 150 });
    expect(await two.tryAcquire(name)).toBeUndefined();
    gate.open();
    await entry;
    await (await two.acquire(name, { wait: '2s' })).release();
    expect(performance.now() - began).toBeGreaterThan(140);

    const other = fixture.another();
    const second = new Gate();
    {
      await using lease = await one.acquire(other);
      entry = lease.using(() => second.opened);
    }
    expect(await two.tryAcquire(other)).toBeUndefined();
    second.open();
    await entry;
    await (await two.acquire(other, { wait: '2s' })).release();
  });

  it('at the end of a shutdown grace all entries learn that it was closed, working and waiting ones', async () => {
    const { name } = fixture;
    const locks = fixture.open({ shutdownGrace: 30 });
    const gate = new Gate();
    const lease = await locks.acquire(name);
    const working = failureOf(lease.using(() => gate.opened));
    const waiting = failureOf(lease.using(() => 1, { wait: Infinity }));
    await locks.close();
    expect(await waiting).toMatchObject({ code: 'LOCK_LOST', reason: 'closed' });
    gate.open();
    expect(await working).toMatchObject({ code: 'LOCK_LOST', reason: 'closed' });
    expect(await lease.release()).toBe('expired');
    await (await fixture.two.acquire(name, { wait: '2s' })).release();
  });

  it('a leader enters its lease, and steps down when its entries have ended', async () => {
    const { one, two, name } = fixture;
    const gate = new Gate();
    const seen: string[] = [];
    const elected = new Gate();
    const leader = one.lead(name, {
      onElected: async (lease) => {
        seen.push(await lease.using(() => 'entered'));
        void lease.using(() => gate.opened).then(() => seen.push('ended'));
        elected.open();
      },
    });
    await elected.opened;
    const stopped = leader.stop().then(() => seen.push('stopped'));
    expect(await two.tryAcquire(name)).toBeUndefined();
    gate.open();
    await stopped;
    expect(seen).toEqual(['entered', 'ended', 'stopped']);
  });

  it('a leader that lost its lease stops although an entry of it works on', async () => {
    const { one, two, name } = fixture;
    const [gate, elected, revoked] = [new Gate(), new Gate(), new Gate()];
    let entry!: Promise<unknown>;
    const leader = one.lead(name, {
      onElected: async (lease) => {
        entry = failureOf(lease.using(() => gate.opened));
        elected.open();
      },
      onRevoked: () => revoked.open(),
    });
    await elected.opened;
    await two.revoke(name, { reason: 'test', force: true });
    await revoked.opened;
    await leader.stop();
    gate.open();
    expect(await entry).toMatchObject({ code: 'LOCK_LOST' });
  });

  it('leaves the mark of once when entries of its work end later', async () => {
    const { one, two, name } = fixture;
    const gate = new Gate();
    let entry!: Promise<void>;
    const options = { doneTtl: '5s' } as const;
    await one.once(name, (lease) => void (entry = lease.using(() => gate.opened)), options);
    const second = two.once(name, () => 'again', options);
    await fixture.queued(1);
    gate.open();
    await entry;
    expect(await second).toEqual({ ran: false });
  });
}
