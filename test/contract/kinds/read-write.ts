import { failureOf, until } from '../../support/eventually.js';
import type { WriteLease } from '../../../lib/locks/lock.js';
import type { Fixture } from '../locks/fixture.js';
import { Gate, Room } from './gate.js';

const READERS = 32;

export function readWriteContract(fixture: Fixture): void {
  it('lets 32 readers of two services in at once', async () => {
    const room = new Room();
    const all = new Gate();
    const reading = Array.from({ length: READERS }, (_, index) =>
      (index % 2 ? fixture.one : fixture.two).readWrite(fixture.name).read.using(async () => {
        room.enter();
        if (room.inside === READERS) all.open();
        await all.opened;
        room.leave();
      }),
    );
    await Promise.all(reading);
    expect(room.most).toBe(READERS);
  });

  it('lets a writer in alone: no reader, no writer, no mutex beside it', async () => {
    const { one, two, name } = fixture;
    const writer = await one.readWrite(name).write.acquire();
    expect(await two.readWrite(name).read.tryAcquire()).toBeUndefined();
    expect(await two.readWrite(name).write.tryAcquire()).toBeUndefined();
    expect(await two.mutex(name).tryAcquire()).toBeUndefined();
    expect(await one.readWrite(name).read.tryAcquire()).toBeUndefined();
    await writer.release();
    const reader = await two.readWrite(name).read.acquire();
    expect(await one.tryAcquire(name)).toBeUndefined();
    await reader.release();
  });

  it('serves by phases: no reader passes a writer that waits, and readers side by side enter together', async () => {
    const { one, name } = fixture;
    const first = await one.readWrite(name).read.acquire();
    const order: string[] = [];
    const done: Promise<void>[] = [];
    const together = new Gate();
    let readers = 0;
    for (const [index, mode] of (['write', 'read', 'read', 'write', 'read'] as const).entries()) {
      const lock = fixture.open().readWrite(name)[mode];
      done.push(
        lock.using(async () => {
          order.push(mode);
          if (index !== 1 && index !== 2) return;
          if ((readers += 1) === 2) together.open();
          await together.opened; // each of the two waits for the other inside
        }),
      );
      await fixture.queued(index + 1);
    }
    await first.release();
    await Promise.all(done);
    expect(order).toEqual(['write', 'read', 'read', 'write', 'read']);
  });

  it('lets a writer wait only for the readers before it, however many keep coming', async () => {
    const { one, two, name } = fixture;
    let coming = true;
    let writing = false;
    let entered = 0;
    const stream = Array.from({ length: 8 }, async (_, index) => {
      const { read } = (index % 2 ? one : two).readWrite(name);
      while (coming)
        await read.using(async () => {
          entered += 1;
          expect(writing).toBe(false);
          await new Promise((resolve) => setTimeout(resolve, 1));
        });
    });
    await until('readers come', () => entered > 8);
    const before = entered;
    await fixture
      .open()
      .readWrite(name)
      .write.using(() => void (writing = true));
    const passed = entered - before;
    [writing, coming] = [false, false];
    await Promise.all(stream);
    expect(passed).toBeLessThan(200);
  });

  it('gives all readers fences above every writer before them', async () => {
    const { one, two, name } = fixture;
    const fences: number[] = [];
    for (const mode of ['write', 'read', 'write', 'read', 'read', 'write'] as const)
      await (mode === 'read' ? one : two).readWrite(name)[mode].using(({ fence }) => void fences.push(fence));
    expect(fences).toEqual([...new Set(fences)].sort((a, b) => a - b));
  });

  it('lets a writer go on as a reader without a gap, with its fence, and wakes the readers that wait', async () => {
    const { one, two, name } = fixture;
    const writer = await one.readWrite(name).write.acquire();
    const waiting = [one, two, two].map((locks) => locks.readWrite(name).read.acquire());
    const later = fixture.open().readWrite(name).write.acquire();
    await until('they wait', async () => (await fixture.report()).queue.length >= 3);
    const reader = await writer.downgrade();
    expect([writer.held, reader.held, reader.fence]).toEqual([false, true, writer.fence]);
    const others = await Promise.all(waiting);
    for (const other of others) expect(other.fence).toBeGreaterThan(reader.fence);
    expect(await two.tryAcquire(name)).toBeUndefined();
    for (const lease of [reader, ...others]) await lease.release();
    await (await later).release();
  });

  it('lets no writer in between a downgrade and its release', async () => {
    const { one, two, name } = fixture;
    const room = new Room();
    let reading = false;
    const write = () =>
      two.readWrite(name).write.using(async () => {
        expect(reading).toBe(false);
        await room.stay();
      });
    await Promise.all(
      Array.from({ length: 10 }, async () => {
        await one.readWrite(name).write.using(async (lease: WriteLease) => {
          room.enter();
          room.leave();
          const reader = await lease.downgrade();
          reading = true;
          await new Promise((resolve) => setTimeout(resolve, 1));
          reader.assertHeld();
          reading = false;
        });
        await write();
      }),
    );
    expect(room.most).toBe(1);
  });

  it('makes the call a reader: it reads again, finds the reader’s lease, and may not write any more', async () => {
    const { one, two, name } = fixture;
    const { read, write } = one.readWrite(name);
    await write
      .using(async (lease) => {
        const reader = await lease.downgrade();
        expect([one.current(), one.current(name)]).toEqual([reader, reader]);
        const nested = { reentrant: true };
        await read.using((inner) => expect(inner.fence).toBe(lease.fence), nested);
        expect(await failureOf(write.using(() => 1, nested))).toMatchObject({ code: 'LOCK_USAGE' });
        expect(await two.readWrite(name).read.tryAcquire({ wait: 1_000 })).toMatchObject({ held: true });
      })
      .finally(async () => undefined);
    await until('one reader is left', async () => (await fixture.report()).holders.length === 1);
    await two.revoke(name, { reason: 'end of the test', force: true });
  });

  it('downgrades once: asked again it answers the same lease; a released writer cannot', async () => {
    const { one, name } = fixture;
    const writer = await one.readWrite(name).write.acquire();
    expect(await writer.downgrade()).toBe(await writer.downgrade());
    expect(await writer.release()).toBe('released');
    expect((await fixture.report()).inUse).toBe(0);
    const other = await one.readWrite(name).write.acquire();
    await other.release();
    expect(await failureOf(other.downgrade())).toMatchObject({ code: 'LOCK_LOST', reason: 'released' });
  });

  it('can be downgraded by a nested writer, whatever the outer entry was called', async () => {
    const { one, name } = fixture;
    await one.mutex(name).using(() =>
      one.readWrite(name).write.using(
        async (lease) => {
          expect((await lease.downgrade()).held).toBe(true);
        },
        { reentrant: true },
      ),
    );
  });

  it('tells a writer at its downgrade that its lease was taken away', async () => {
    const { one, two, name } = fixture;
    const writer = await one.readWrite(name).write.acquire({ ttl: '20s' });
    const downgraded = new Gate();
    const lost = two.revoke(name, { reason: 'test', force: true }).then(() => downgraded.open());
    await lost;
    expect(await failureOf(writer.downgrade())).toMatchObject({ code: 'LOCK_LOST' });
  });

  it('waits for a reader that died no longer than its lease lasts', async () => {
    const { one, name } = fixture;
    const dead = await one.readWrite(name).read.acquire({ ttl: 200, renew: false });
    const start = performance.now();
    await fixture.two.using(name, ({ fence }) => expect(fence).toBeGreaterThan(dead.fence));
    expect(performance.now() - start).toTakeLessThan(200 + 50 + 50, fixture.lag.max);
  });
}
