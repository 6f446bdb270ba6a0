import { failureOf } from '../../support/eventually.js';
import type { Fixture } from './fixture.js';

export function severalContract(fixture: Fixture): void {
  it('are held together: one lease, a fence for each', async () => {
    const { one, two, name } = fixture;
    const other = fixture.another();
    await one.using([name, other], async (lease) => {
      expect([...lease.names].sort()).toEqual([name, other].sort());
      for (const each of [name, other]) expect(String(lease.fenceOf(each))).toMatch(/^\d{16}$/);
      expect(() => lease.fence).toThrow('fenceOf');
      expect(() => lease.fenceOf('another')).toThrow(`not on 'another'`);
      expect([lease.held, lease.signal.aborted, lease.remaining > 9_000]).toEqual([true, false, true]);
      lease.assertHeld();
      await lease.renew();
      expect(await two.tryAcquire(name)).toBeUndefined();
      expect(await two.tryAcquire(other)).toBeUndefined();
      expect(one.current()).toBe(lease);
      expect(one.current(other)?.fence).toBe(lease.fenceOf(other));
    });
    await (await two.acquire(name)).release();
    await (await two.acquire(other)).release();
  });

  it('are all taken or none', async () => {
    const { one, two, name } = fixture;
    const [before, after] = [`a:${fixture.another()}`, `z:${fixture.another()}`];
    await using _lease = await two.acquire(name);
    for (const wait of [0, 200]) {
      const busy = await failureOf(one.using([after, name, before], () => undefined, { wait }));
      expect(busy).toMatchObject({ code: 'LOCK_BUSY', lockName: name });
      for (const free of [before, after]) await (await two.acquire(free, { wait: 1_000 })).release();
    }
  });

  it('are taken without deadlock in whatever order they are named', async () => {
    const { one, two, name } = fixture;
    const other = fixture.another();
    let inside = 0;
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        (index % 2 ? one : two).using(index % 3 ? [name, other] : [other, name], async () => {
          expect((inside += 1)).toBe(1);
          await Promise.resolve();
          inside -= 1;
        }),
      ),
    );
  });

  it('are entered again by the call that holds them, and those that it lacks are taken', async () => {
    const { one, two, name } = fixture;
    const [other, third] = [fixture.another(), fixture.another()];
    await one.using([name, other], async (outer) => {
      const nested = { reentrant: true };
      await one.using(
        [other, name],
        (inner) => expect(inner.fenceOf(name)).toBe(outer.fenceOf(name)),
        nested,
      );
      await one.using(other, (inner) => expect(inner.fenceOf(other)).toBe(outer.fenceOf(other)), nested);
      await one.using(
        [name, third],
        async (inner) => {
          expect(inner.fenceOf(name)).toBe(outer.fenceOf(name));
          expect(await two.tryAcquire(third)).toBeUndefined();
        },
        nested,
      );
      expect(outer.held).toBe(true);
      await (await two.acquire(third, { wait: 1_000 })).release();
    });
  });

  it('may be one, or one twice', async () => {
    const { one, name } = fixture;
    await one.using([name, name], (lease) => {
      expect(lease.names).toEqual([name]);
      expect(lease.fence).toBe(lease.fenceOf(name));
    });
  });

  it('are lost together', async () => {
    const { one, two, name } = fixture;
    const other = fixture.another();
    const work = one.using(
      [name, other],
      async (lease) => {
        const lost = new Promise((resolve) => lease.signal.addEventListener('abort', resolve));
        await two.revoke(other, { reason: 'test' });
        await lost;
        expect(lease.held).toBe(false);
        return 'done';
      },
      { ttl: 1_000 },
    );
    expect(await failureOf(work)).toMatchObject({ code: 'LOCK_LOST', lockName: other, result: 'done' });
  });

  it('are lost also when the work gives back what is left of them', async () => {
    const { one, two, name } = fixture;
    const other = fixture.another();
    // Whichever comes first in order is the one that was released in time.
    for (const lost of [name, other]) {
      const work = one.using(
        [name, other],
        async (lease) => {
          const loss = new Promise((resolve) => lease.signal.addEventListener('abort', resolve));
          await two.revoke(lost, { reason: 'test' });
          await loss;
          await lease.release();
          return 'done';
        },
        { ttl: 1_000 },
      );
      expect(await failureOf(work)).toMatchObject({ reason: 'revoked', lockName: lost, result: 'done' });
    }
  });
}
