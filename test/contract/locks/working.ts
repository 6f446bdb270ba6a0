import { failureOf } from '../../support/eventually.js';
import type { Stage } from './stage.js';

export function workingContract(stage: Stage): void {
  it('runs alone, and gives back what it returns', async () => {
    let inside = 0;
    const results = await Promise.all(
      [stage.one, stage.two, stage.one, stage.two].map((locks, index) =>
        locks.using(stage.name, async (lease) => {
          expect([(inside += 1), lease.held]).toEqual([1, true]);
          await new Promise((resolve) => setImmediate(resolve));
          inside -= 1;
          return index;
        }),
      ),
    );
    expect(results).toEqual([0, 1, 2, 3]);
  });

  it('may be synchronous', async () => {
    expect(await stage.one.using(stage.name, () => 42)).toBe(42);
    const error = new Error('at once');
    expect(
      await failureOf(
        stage.one.using(stage.name, () => {
          throw error;
        }),
      ),
    ).toBe(error);
  });

  it('fails with what it threw, whatever that is', async () => {
    const thrown = { code: 402 };
    const work = () => {
      // eslint-disable-next-line @typescript-eslint/only-throw-error -- users do
      throw thrown;
    };
    expect(await failureOf(stage.one.using(stage.name, work))).toBe(thrown);
  });

  it('fails with its own error, untouched, and the lock is free', async () => {
    const error = new Error('sold out');
    expect(await failureOf(stage.one.using(stage.name, () => Promise.reject(error)))).toBe(error);
    await (await stage.two.acquire(stage.name, { wait: 1_000 })).release();
  });

  it('does not run when the lock is busy', async () => {
    await using _lease = await stage.one.acquire(stage.name);
    let ran = false;
    const refused = stage.two.using(stage.name, () => void (ran = true), { wait: 0 });
    expect(await failureOf(refused)).toMatchObject({ code: 'LOCK_BUSY', reason: 'held' });
    expect(ran).toBe(false);
  });

  it('finds its lease by current(), the innermost or by name', async () => {
    const inner = stage.another();
    expect(stage.one.current()).toBeUndefined();
    await stage.one.using(stage.name, async (lease) => {
      await Promise.resolve();
      expect(stage.one.current()).toBe(lease);
      await stage.one.using(inner, async (second) => {
        expect(stage.one.current()).toBe(second);
        expect(stage.one.current(stage.name)).toBe(lease);
        expect(stage.one.current('another')).toBeUndefined();
        expect(stage.two.current()).toBeUndefined();
      });
      expect(stage.one.current()).toBe(lease);
    });
    expect(stage.one.current()).toBeUndefined();
  });

  it('does not find a lease that was taken by acquire()', async () => {
    await using _lease = await stage.one.acquire(stage.name);
    expect(stage.one.current()).toBeUndefined();
  });

  it('may release its lease itself', async () => {
    const value = await stage.one.using(stage.name, async (lease) => {
      expect(await lease.release()).toBe('released');
      expect(stage.one.current()).toBeUndefined();
      await (await stage.two.acquire(stage.name, { wait: 1_000 })).release();
      return 'done';
    });
    expect(value).toBe('done');
  });

  it('has the verbs of a mutex, too', async () => {
    const mutex = stage.one.mutex(stage.name);
    await using _lease = await mutex.acquire();
    expect(await stage.two.mutex(stage.name).tryAcquire()).toBeUndefined();
    const ran = stage.two.mutex(stage.name).using(() => true, { wait: 200 });
    expect(await failureOf(ran)).toMatchObject({ reason: 'timeout' });
  });
}
