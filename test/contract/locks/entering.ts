import { failureOf, until } from '../../support/eventually.js';
import { Gate } from '../kinds/gate.js';
import type { Fixture } from './fixture.js';

/** What a call finds that asks for a lock which its own context holds, and did not say that it is nested. */
export function enteringContract(fixture: Fixture): void {
  it('waits in line like any other call, and is told at its wait that it may wait for itself', async () => {
    const { one, name } = fixture;
    for (const nested of [
      () => one.using(name, () => 'entered', { wait: 40 }),
      () => one.using(name, () => 'entered', { wait: 40, reentrant: false }),
      () => one.using([name], () => 'entered', { wait: 40 }),
      () => one.acquire(name, { wait: 40 }),
    ]) {
      const refusal = await failureOf<Error>(one.using<unknown>(name, nested));
      expect(refusal).toMatchObject({ code: 'LOCK_BUSY', reason: 'timeout', lockName: name });
      expect(refusal.message).toContain(`Its own context holds '${name}', so it may be waiting for itself`);
      expect(refusal.message).toContain('lease.using(work)');
      expect(refusal.message).toContain('within: lease');
    }
  });

  it('finds the lock busy when it asks once', async () => {
    const { one, name } = fixture;
    await one.using(name, async () => {
      expect(await one.tryAcquire(name)).toBeUndefined();
      const refusal = await failureOf<Error>(one.using(name, () => undefined, { wait: 0 }));
      expect(refusal).toMatchObject({ reason: 'held' });
      expect(refusal.message).toContain('it may be waiting for itself');
    });
  });

  it('is served after its holder, with a fence of its own, when the holder does not wait for it', async () => {
    const { one, name } = fixture;
    let later!: Promise<number>;
    const first = await one.using(name, async (lease) => {
      later = one.using(name, ({ fence }) => fence);
      await until('the holder works on', () => lease.held);
      return lease.fence;
    });
    expect(await later).toBeGreaterThan(first);
  });

  it('waits like everybody else in work that outlives the lease', async () => {
    const { one, two, name } = fixture;
    let late!: Promise<string>;
    const end = new Gate();
    await one.using(name, () => {
      late = end.opened.then(() => {
        expect(one.current()).toBeUndefined();
        return one.using(name, () => 'alone', { reentrant: true });
      });
    });
    const other = await two.acquire(name);
    end.open();
    await until('the late work waits', async () => (await fixture.report()).queue.length === 1);
    await other.release();
    expect(await late).toBe('alone');
  });

  it('takes the lock anew after the work gave it back', async () => {
    const { one, two, name } = fixture;
    await one.using(name, async (lease) => {
      await lease.release();
      const other = await two.acquire(name);
      const refusal = await failureOf<Error>(one.using(name, () => undefined, { wait: 0, reentrant: true }));
      expect(refusal).toMatchObject({ reason: 'held' });
      expect(refusal.message).not.toContain('itself');
      await other.release();
      await one.using(name, (second) => expect(second.fence).toBeGreaterThan(lease.fence));
    });
  });
}
