import { failureOf } from '../../support/eventually.js';
import type { LockService } from '../../../lib/locks/lock-service.js';
import type { Lease, WriteLease } from '../../../lib/locks/lock.js';
import type { Fixture } from '../locks/fixture.js';
import { Gate } from './gate.js';

/** Has an entry give the lease back; others may enter it afterwards, since that is refused. */
function releaseEntry(lease: Lease): Promise<void> {
  return lease.using(async (entry) => {
    const refusal = await failureOf(entry.release());
    await entry.using(() => undefined);
    throw refusal;
  });
}

export function onceContract(fixture: Fixture): void {
  it('keeps its lease for itself when the work goes on as a reader', async () => {
    const { one, name } = fixture;
    let runs = 0;
    const work = async (lease: Lease): Promise<void> => {
      runs += 1;
      const reader = await (lease as WriteLease).downgrade();
      expect(await failureOf(reader.release())).toMatchObject({ code: 'LOCK_USAGE' });
      expect(await failureOf(lease.release())).toMatchObject({ code: 'LOCK_USAGE' });
      expect(await failureOf(reader.handOver())).toMatchObject({ code: 'LOCK_USAGE' });
    };
    const outcomes = [
      await one.once(name, work, { doneTtl: '1m' }),
      await one.once(name, work, { doneTtl: '1m' }),
    ];
    expect([outcomes.map(({ ran }) => ran), runs]).toEqual([[true, false], 1]);
  });

  it('runs in one of many callers; the others wait until it is done and go on', async () => {
    const { one, two, name } = fixture;
    let [runs, done] = [0, false];
    const outcomes = await Promise.all(
      [one, two, one, two, fixture.open(), one].map((locks) =>
        locks
          .once(
            name,
            async () => {
              runs += 1;
              await new Promise((resolve) => setTimeout(resolve, 20));
              done = true;
              return 'migrated';
            },
            { doneTtl: '1m' },
          )
          .then((outcome) => {
            expect(done).toBe(true);
            return outcome;
          }),
      ),
    );
    expect(runs).toBe(1);
    expect(outcomes.filter(({ ran }) => ran)).toEqual([{ ran: true, value: 'migrated' }]);
    expect(outcomes.filter(({ ran }) => !ran)).toHaveLength(5);
  });

  it('does not run again within doneTtl, and runs again after it', async () => {
    const { one, two, name } = fixture;
    const once = (locks = one) => locks.once(name, () => 1, { doneTtl: 150 });
    expect(await once()).toEqual({ ran: true, value: 1 });
    expect([await once(), await once(two)]).toEqual([{ ran: false }, { ran: false }]);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await once(two)).toEqual({ ran: true, value: 1 });
  });

  it('runs again after doneTtl, also in a process in which somebody always asks', async () => {
    const { one, name } = fixture;
    const runs: number[] = [];
    const end = performance.now() + 650;
    const asking = async (): Promise<void> => {
      while (performance.now() < end)
        await one.once(name, () => runs.push(performance.now()), { doneTtl: 100 });
    };
    await Promise.all([asking(), asking(), asking(), asking()]);
    expect(runs.length).toBeGreaterThan(2);
    expect(runs.length).toBeLessThanOrEqual(7);
    for (const [at, run] of runs.entries())
      if (at > 0) expect(run - runs[at - 1]!).toTakeLessThan(160, fixture.lag.max);
  });

  it.each(['another service', 'a caller beside it'])(
    'fails for the caller whose work failed, and %s runs it',
    async (who) => {
      const { one, name } = fixture;
      const next = who === 'another service' ? fixture.two : one;
      const [gate, error] = [new Gate(), new Error('no disk')];
      const failing = failureOf(
        one.once(name, () => gate.opened.then(() => Promise.reject(error)), { doneTtl: '1m' }),
      );
      const second = next.once(name, () => 'second', { doneTtl: '1m' });
      const third = next.once(name, () => 'third', { doneTtl: '1m' });
      gate.open();
      expect(await failing).toBe(error);
      expect([await second, await third]).toEqual([{ ran: true, value: 'second' }, { ran: false }]);
    },
  );

  it("runs with mark: 'start' in one of them though nobody waits by default: who finds the mark holds the name for a moment", async () => {
    const [one, two] = [fixture.open({ wait: 0 }), fixture.open({ wait: 0 })];
    await Promise.all([one.ready(), two.ready()]);
    const terms = { doneTtl: '1m', mark: 'start', maxWaiters: 1 } as const;
    const names = Array.from({ length: 100 }, () => fixture.another('fire'));
    const runs = await Promise.all(
      names.map(async (name, late) => {
        let ran = 0;
        const run = (locks: LockService): Promise<unknown> =>
          locks.once(name, () => (ran += 1), terms).catch(() => undefined);
        const first = run(one);
        for (let turn = 0; turn < late; turn += 1) await Promise.resolve(); // it comes at every moment of the other's
        await Promise.all([first, run(two)]);
        return ran;
      }),
    );
    expect(runs).toEqual(names.map(() => 1));
  });

  it('waits for the caller that runs it no longer than its wait', async () => {
    const { one, two, name } = fixture;
    const gate = new Gate();
    const running = one.once(name, () => gate.opened, { doneTtl: '1m' });
    const refused = failureOf(two.once(name, () => 1, { doneTtl: '1m', wait: 30 }));
    expect(await refused).toMatchObject({ code: 'LOCK_BUSY', reason: 'timeout' });
    gate.open();
    expect(await running).toMatchObject({ ran: true });
  });

  it('gives the work its lease, and tells when it was lost, with the outcome', async () => {
    const { one, two, name } = fixture;
    const lost = await failureOf(
      one.once(
        name,
        async (lease) => {
          expect(one.current()).toBe(lease);
          await two.revoke(name, { reason: 'test', force: true });
          await new Promise((resolve) => {
            if (lease.signal.aborted) resolve(undefined);
            lease.signal.addEventListener('abort', resolve);
          });
          return 'late';
        },
        { doneTtl: '1m', ttl: 300 },
      ),
    );
    expect(lost).toMatchObject({ code: 'LOCK_LOST', reason: 'revoked' });
    expect(await two.once(name, () => 'again', { doneTtl: '1m' })).toEqual({ ran: true, value: 'again' });
  });

  it.each<[string, (lease: Lease) => Promise<void>]>([
    ['release()', async (lease: Lease) => void (await lease.release())],
    ['await using', async (lease: Lease) => void (await lease[Symbol.asyncDispose]())],
    ['release() of an entry', releaseEntry],
    ['await using of an entry', (lease: Lease) => lease.using((entry) => entry[Symbol.asyncDispose]())],
    [
      'await using of several',
      (lease: Lease) =>
        fixture.one.using([lease.names[0]!, fixture.another()], (both) => both[Symbol.asyncDispose](), {
          within: lease,
        }),
    ],
  ])('refuses %s to its work, which goes on and is marked as done at its end', async (_by, release) => {
    const { one, two, name } = fixture;
    const work = async (lease: Lease): Promise<void> => {
      expect(await failureOf(release(lease))).toMatchObject({
        code: 'LOCK_USAGE',
        message: expect.stringContaining('it is the lease of once(), which gives it back itself') as string,
      });
      expect(await lease.using(() => lease.held)).toBe(true);
    };
    let kept!: Lease;
    const once = (locks: LockService): Promise<unknown> =>
      locks.once(name, (lease) => work((kept = lease)), { doneTtl: '1m' });
    expect(await once(one)).toMatchObject({ ran: true });
    expect(await once(two)).toEqual({ ran: false });
    expect(await kept.release()).toBe('released');
  });

  it.each(['start', 'end'] as const)(
    "refuses work that is no function, and options that are none, without a mark: with mark: '%s'",
    async (mark) => {
      const { one, name } = fixture;
      const options = { doneTtl: '1m', mark } as const;
      for (const work of [undefined, Promise.resolve(1), { run: () => 1 }])
        expect(await failureOf(one.once(name, work as never, options))).toMatchObject({
          code: 'LOCK_USAGE',
          lockName: name,
          message: expect.stringContaining('must be a function') as string,
        });
      for (const none of [undefined, null, '1m', []])
        expect(await failureOf(one.once(name, () => 1, none as never))).toMatchObject({
          code: 'LOCK_USAGE',
          message: expect.stringContaining('must be an object') as string,
        });
      expect((await fixture.report()).fence).toBeUndefined();
      expect(await one.once(name, () => 1, options)).toEqual({ ran: true, value: 1 });
    },
  );

  it('refuses a doneTtl out of range, or none; a call that holds the name waits, and is told why', async () => {
    const { one, name } = fixture;
    for (const doneTtl of [99, '25h', undefined, NaN])
      expect(await failureOf(one.once(name, () => 1, { doneTtl } as never))).toMatchObject({
        code: 'LOCK_USAGE',
      });
    const nested = one.using(name, () => one.once(name, () => 1, { doneTtl: '1m', wait: 20 }));
    const waits = await failureOf<Error>(nested);
    expect(waits).toMatchObject({ code: 'LOCK_BUSY', reason: 'timeout' });
    expect(waits.message).toContain('it may be waiting for itself');
  });

  describe("with mark: 'start'", () => {
    const once = { doneTtl: '1m', mark: 'start' } as const;

    it('marks the name before the work begins: whoever asks meanwhile is refused or finds it run', async () => {
      const { one, two, name } = fixture;
      const [begun, gate] = [new Gate(), new Gate()];
      const work = (lease: { fence: number }) => {
        begun.open();
        return gate.opened.then(() => lease.fence);
      };
      const running = one.once(name, work, once);
      await begun.opened;
      expect(await failureOf(two.once(name, () => 'again', { ...once, wait: 0 }))).toMatchObject({
        code: 'LOCK_BUSY',
        reason: 'held',
      });
      const waiting = two.once(name, () => 'again', once);
      gate.open();
      expect(await running).toEqual({ ran: true, value: expect.any(Number) });
      expect(await waiting).toEqual({ ran: false });
    });

    it('does not run what has failed, nor what lost its lease', async () => {
      const { one, two, name } = fixture;
      const error = new Error('no disk');
      expect(await failureOf(one.once(name, () => Promise.reject(error), once))).toBe(error);
      expect(await two.once(name, () => 'again', once)).toEqual({ ran: false });
      const other = `${name}:lost`;
      const lost = one.once(
        other,
        async (lease) => {
          await two.revoke(other, { reason: 'test', force: true });
          await new Promise((resolve) => {
            if (lease.signal.aborted) resolve(undefined);
            lease.signal.addEventListener('abort', resolve);
          });
        },
        once,
      );
      expect(await failureOf(lost)).toMatchObject({ code: 'LOCK_LOST', reason: 'revoked' });
      expect(await two.once(other, () => 'again', once)).toEqual({ ran: false });
    });

    it('runs in one of many that ask at once, and the mark lasts from the start', async () => {
      const { one, two, name } = fixture;
      let runs = 0;
      const ask = (locks: typeof one) =>
        locks
          .once(name, () => void (runs += 1), { ...once, doneTtl: 1_000 })
          .catch((error: unknown) => error);
      const outcomes = await Promise.all([one, two, one, two, one, two].map(ask));
      expect(runs).toBe(1);
      expect(outcomes.filter((each) => (each as { ran?: boolean }).ran)).toHaveLength(1);
    });
  });
}
