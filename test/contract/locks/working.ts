import { failureOf } from '../../support/eventually.js';
import type { Fixture } from './fixture.js';

export function workingContract(fixture: Fixture): void {
  it('runs alone, and gives back what it returns', async () => {
    let inside = 0;
    const results = await Promise.all(
      [fixture.one, fixture.two, fixture.one, fixture.two].map((locks, index) =>
        locks.using(fixture.name, async (lease) => {
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
    expect(await fixture.one.using(fixture.name, () => 42)).toBe(42);
    const error = new Error('at once');
    expect(
      await failureOf(
        fixture.one.using(fixture.name, () => {
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
    expect(await failureOf(fixture.one.using(fixture.name, work))).toBe(thrown);
  });

  it('fails with its own error, untouched, and the lock is free', async () => {
    const error = new Error('sold out');
    expect(await failureOf(fixture.one.using(fixture.name, () => Promise.reject(error)))).toBe(error);
    await (await fixture.two.acquire(fixture.name, { wait: 1_000 })).release();
  });

  it('does not run when the lock is busy', async () => {
    await using _lease = await fixture.one.acquire(fixture.name);
    let ran = false;
    const refused = fixture.two.using(fixture.name, () => void (ran = true), { wait: 0 });
    expect(await failureOf(refused)).toMatchObject({ code: 'LOCK_BUSY', reason: 'held' });
    expect(ran).toBe(false);
  });

  it('finds its lease by current(), the innermost or by name', async () => {
    const inner = fixture.another();
    expect(fixture.one.current()).toBeUndefined();
    await fixture.one.using(fixture.name, async (lease) => {
      await Promise.resolve();
      expect(fixture.one.current()).toBe(lease);
      await fixture.one.using(inner, async (second) => {
        expect(fixture.one.current()).toBe(second);
        expect(fixture.one.current(fixture.name)).toBe(lease);
        expect(fixture.one.current('another')).toBeUndefined();
        expect(fixture.two.current()).toBeUndefined();
      });
      expect(fixture.one.current()).toBe(lease);
    });
    expect(fixture.one.current()).toBeUndefined();
  });

  it('finds it in what begins only when it is awaited, whatever kind of thenable that is', async () => {
    const { one, name } = fixture;
    const begin = (): boolean => one.current(name) !== undefined;
    type Then = Promise<boolean>['then'];
    const then: Then = (...handlers) => new Promise<boolean>((resolve) => resolve(begin())).then(...handlers);
    class LazyPromise extends Promise<boolean> {
      override then: Then = then;
    }
    for (const work of [
      () => ({ then }),
      () => Object.assign(() => undefined, { then }),
      () => new LazyPromise(() => undefined),
      async () => begin(),
    ]) {
      expect(await one.using(name, work as () => PromiseLike<boolean>)).toBe(true);
      const entry = one.using(name, (lease) => lease.using(work as () => PromiseLike<boolean>));
      expect(await entry).toBe(true);
    }
    expect(await one.using(name, () => begin)).toBe(begin);
  });

  it('does not find a lease that was taken by acquire()', async () => {
    await using _lease = await fixture.one.acquire(fixture.name);
    expect(fixture.one.current()).toBeUndefined();
  });

  it('may release its lease itself', async () => {
    const value = await fixture.one.using(fixture.name, async (lease) => {
      expect(await lease.release()).toBe('released');
      expect(fixture.one.current()).toBeUndefined();
      await (await fixture.two.acquire(fixture.name, { wait: 1_000 })).release();
      return 'done';
    });
    expect(value).toBe('done');
  });

  it('has the verbs of a mutex, too', async () => {
    const mutex = fixture.one.mutex(fixture.name);
    await using _lease = await mutex.acquire();
    expect(await fixture.two.mutex(fixture.name).tryAcquire()).toBeUndefined();
    const ran = fixture.two.mutex(fixture.name).using(() => true, { wait: 200 });
    expect(await failureOf(ran)).toMatchObject({ reason: 'timeout' });
  });
}
