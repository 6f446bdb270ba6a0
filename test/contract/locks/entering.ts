import { failureOf, pass, until } from '../../support/eventually.js';
import type { Stage } from './stage.js';

export function enteringContract(stage: Stage): void {
  it('needs no waiting for the call that holds it, at any depth, and has the same fence', async () => {
    const { one, name } = stage;
    const fences = await one.using(name, async (outer) =>
      one.using(name, async (inner) => {
        await pass(1);
        return one.using(name, (innermost) => [outer.fence, inner.fence, innermost.fence]);
      }),
    );
    expect(new Set(fences).size).toBe(1);
  });

  it('does not free the lock at the end of the inner work', async () => {
    const { one, two, name } = stage;
    await one.using(name, async (outer) => {
      await one.using(name, () => undefined);
      expect(outer.held).toBe(true);
      expect(await two.tryAcquire(name)).toBeUndefined();
    });
  });

  it('lets siblings take turns', async () => {
    const { one, name } = stage;
    let inside = 0;
    await one.using(name, () =>
      Promise.all(
        Array.from({ length: 5 }, (_, index) =>
          one
            .using(name, async () => {
              expect((inside += 1)).toBe(1);
              await pass(1);
              inside -= 1;
              if (index === 2) throw new Error('one of them fails');
            })
            .catch(() => undefined),
        ),
      ),
    );
  });

  it('waits like everybody else in work that outlives the lease', async () => {
    const { one, two, name } = stage;
    let late!: Promise<string>;
    let ended!: () => void;
    const end = new Promise<void>((resolve) => (ended = resolve));
    await one.using(name, () => {
      late = end.then(() => {
        expect(one.current()).toBeUndefined();
        return one.using(name, () => 'alone');
      });
    });
    const other = await two.acquire(name);
    ended();
    await until('the late work waits', async () => (await stage.report()).queue.length === 1);
    await other.release();
    expect(await late).toBe('alone');
  });

  it('waits like everybody else after the work released its lease', async () => {
    const { one, two, name } = stage;
    await one.using(name, async (lease) => {
      await lease.release();
      const other = await two.acquire(name);
      expect(await failureOf(one.using(name, () => undefined, { wait: 0 }))).toMatchObject({
        reason: 'held',
      });
      await other.release();
      await one.using(name, (second) => expect(second.fence).toBeGreaterThan(lease.fence));
    });
  });

  it('does not run under a lease that is lost', async () => {
    const { one, name } = stage;
    let ran = false;
    const work = one.using(
      name,
      async (lease) => {
        await until('the lease is over', () => !lease.held);
        await one.using(name, () => void (ran = true));
      },
      { ttl: 100, renew: false },
    );
    expect(await failureOf(work)).toMatchObject({ code: 'LOCK_LOST', reason: 'expired' });
    expect(ran).toBe(false);
  });

  it('is refused with reentrant: false', async () => {
    const { one, name } = stage;
    const nested = one.using(name, () => one.using(name, () => undefined, { reentrant: false }));
    const refusal = await failureOf<Error>(nested);
    expect(refusal).toMatchObject({ code: 'LOCK_USAGE', lockName: name });
    expect(refusal.message).toContain('reentrant is false');
  });

  it('is not for acquire: inside its own hold it is refused at once', async () => {
    const { one, two, name } = stage;
    await one.using(name, async () => {
      expect(await failureOf(one.acquire(name))).toMatchObject({ code: 'LOCK_USAGE', lockName: name });
      expect(await failureOf(one.tryAcquire(name))).toMatchObject({ code: 'LOCK_USAGE' });
      expect(await two.tryAcquire(name)).toBeUndefined();
    });
  });

  it('is not for a lease that was taken by acquire()', async () => {
    const { one, name } = stage;
    const lease = await one.acquire(name);
    const entering = one.using(name, () => undefined, { wait: 30 });
    expect(await failureOf(entering)).toMatchObject({ reason: 'timeout' });
    await lease.release();
  });
}
