import { failureOf, until } from '../../support/eventually.js';
import type { Stage } from '../locks/stage.js';
import { Gate, Room } from './gate.js';

export function reentryContract(stage: Stage): void {
  it('has the fence of the outer entry, through every kind that locks the name alone', async () => {
    const { one, name } = stage;
    const { read, write } = one.readWrite(name);
    const fences = await one
      .mutex(name)
      .using((outer) =>
        write.using((writer) =>
          read.using((reader) =>
            one.using([name], (all) => [outer, writer, reader, all].map(({ fence }) => fence)),
          ),
        ),
      );
    expect(new Set(fences).size).toBe(1);
    expect(fences).toHaveLength(4);
  });

  it('lets a writer read, and the lock stays exclusive', async () => {
    const { one, two, name } = stage;
    await one.readWrite(name).write.using(() =>
      one.readWrite(name).read.using(async (reader) => {
        expect(reader.held).toBe(true);
        expect(await two.readWrite(name).read.tryAcquire()).toBeUndefined();
      }),
    );
  });

  it('lets a reader read again while a writer waits', async () => {
    const { one, two, name } = stage;
    await one.readWrite(name).read.using(async (outer) => {
      const writing = two.readWrite(name).write.using(() => 'written');
      await stage.queued(1);
      await one.readWrite(name).read.using((inner) => expect(inner.fence).toBe(outer.fence));
      return { writing };
    });
  });

  it('refuses a reader that asks to write, and says why', async () => {
    const { one, name } = stage;
    const { read, write } = one.readWrite(name);
    await read.using(async () => {
      for (const upgrade of [
        write.using(() => 1),
        one.using(name, () => 1),
        write.acquire(),
        one.acquire(name),
      ])
        expect(await failureOf(upgrade)).toMatchObject({ code: 'LOCK_USAGE', lockName: name });
      const why = await failureOf<Error>(write.using(() => 1));
      expect(why.message).toContain('two readers that do so would wait for each other');
    });
  });

  it('lets siblings of Promise.all take turns, each of them also when others are refused', async () => {
    const { one, name } = stage;
    const room = new Room();
    const outcomes = await one.using(name, () =>
      Promise.allSettled([
        one.using(name, () => room.stay(5)),
        one.using(name, () => Promise.reject(new Error('fails'))),
        one.using([name], () => room.stay(2)),
        one.readWrite(name).read.using(() => room.stay(2)),
        one.using(name, () => room.stay(), { reentrant: false }),
      ]),
    );
    expect(room.most).toBe(1);
    expect(outcomes.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
      'rejected',
    ]);
  });

  it('lets siblings that enter one of several names take turns, too', async () => {
    const { one, name } = stage;
    const [other, third] = [stage.another(), stage.another()];
    const room = new Room();
    await one.using([name, other], () =>
      Promise.all([
        one.using([name, other], () => room.stay(5)),
        one.using(other, () => room.stay(5)),
        one.using([other, third], () => room.stay(5)),
      ]),
    );
    expect(room.most).toBe(1);
  });

  it('ends by wait when siblings wait for each other, and names both locks', async () => {
    const { one, name } = stage;
    const other = stage.another();
    const [first, second] = [new Gate(), new Gate()];
    const crossing = one.using([name, other], () =>
      Promise.allSettled([
        one.using(name, async () => {
          first.open();
          await second.opened;
          return one.using(other, () => 'both', { wait: 60 });
        }),
        one.using(other, async () => {
          second.open();
          await first.opened;
          return one.using(name, () => 'both', { wait: 60_000 });
        }),
      ]),
    );
    const [gaveUp, went] = await crossing;
    expect(gaveUp).toMatchObject({ reason: { code: 'LOCK_BUSY', reason: 'timeout', lockName: other } });
    expect((gaveUp as PromiseRejectedResult).reason.message).toContain(`allOf(['${name}', '${other}'])`);
    expect(went).toMatchObject({ status: 'fulfilled', value: 'both' });
  });

  it('waits for a sibling no longer than its wait, and leaves at the abort of its signal', async () => {
    const { one, name } = stage;
    const gate = new Gate();
    const controller = new AbortController();
    await one.using(name, async () => {
      const long = one.using(name, () => gate.opened);
      expect(await failureOf(one.using(name, () => 1, { wait: 0 }))).toMatchObject({ reason: 'held' });
      expect(await failureOf(one.using(name, () => 1, { wait: 20 }))).toMatchObject({ reason: 'timeout' });
      const aborted = failureOf(one.using(name, () => 1, { signal: controller.signal }));
      controller.abort('enough');
      expect(await aborted).toMatchObject({ reason: 'aborted', cause: 'enough' });
      gate.open();
      await long;
      expect(await one.using(name, () => 'free again', { wait: 0 })).toBe('free again');
    });
  });

  it('is not inherited by work that outlives its lease, even when it waited for a sibling', async () => {
    const { one, two, name } = stage;
    const gate = new Gate();
    let late!: Promise<number>;
    const outer = await one.using(name, async (lease) => {
      const begun = new Gate();
      void one.using(name, () => {
        begun.open();
        return gate.opened;
      });
      await begun.opened;
      late = one.using(name, ({ fence }) => fence);
      return lease.fence;
    });
    const other = await two.acquire(name);
    gate.open();
    await stage.queued(1);
    await other.release();
    expect(await late).toBeGreaterThan(Math.max(outer, other.fence));
  });

  it('takes the lock anew after the work gave it back, and fails after it was lost', async () => {
    const { one, name } = stage;
    await one.using(name, async (lease) => {
      await lease.release();
      await one.using(name, (again) => expect(again.fence).toBeGreaterThan(lease.fence));
    });
    let ran = false;
    const losing = one.using(
      name,
      async (lease) => {
        await until('the lease ends', () => !lease.held);
        await one.using(name, () => void (ran = true));
      },
      { ttl: 100, renew: false },
    );
    expect(await failureOf(losing)).toMatchObject({ code: 'LOCK_LOST' });
    expect(ran).toBe(false);
  });
}
