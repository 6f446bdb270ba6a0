import type { LockBusyError } from '../../../lib/base/errors.js';
import type { LockLogEntry } from '../../../lib/locks/lock-log.js';
import type { LockServiceOptions } from '../../../lib/locks/lock-options.js';
import { LockService } from '../../../lib/locks/lock-service.js';
import { LockSettings } from '../../../lib/locks/lock-settings.js';
import type { UsingOptions } from '../../../lib/locks/lock.js';
import type { AcquireOperation, LockOperation } from '../../../lib/store/lock-operation.js';
import type { Answered } from '../../../lib/store/lock-store.js';
import { MemoryServer } from '../../../lib/store/memory/memory-server.js';
import { MemoryStore } from '../../../lib/store/memory/memory-store.js';
import { newSession } from '../../../lib/store/session-id.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

const FOUND = 3_000;

/** A store that keeps what it was asked to do. */
class HeardStore extends MemoryStore {
  readonly heard: { readonly name: string; readonly operation: LockOperation }[] = [];
  reads = 0;

  override execute<O extends LockOperation>(
    name: string,
    operation: O,
    timeout: number,
  ): Promise<Answered<O>> {
    this.heard.push({ name, operation });
    return super.execute(name, operation, timeout);
  }
  override read(...args: Parameters<MemoryStore['read']>): ReturnType<MemoryStore['read']> {
    this.reads += 1;
    return super.read(...args);
  }
}

type Outcome = 'done' | LockBusyError;

describe('calls that wait for each other', () => {
  let clock: ManualClock, server: MemoryServer, lines: LockLogEntry[], services: LockService[];
  const stores = new Map<LockService, HeardStore>();
  beforeEach(() => {
    clock = new ManualClock();
    server = new MemoryServer(clock, 60_000);
    [lines, services] = [[], []];
  });
  afterEach(async () => {
    for (const each of services) {
      const closed = each.close();
      await clock.advance(100);
      await closed;
    }
    stores.clear();
  });

  /** The locks of one process: `host:100`, `host:101`, … */
  function open(options: LockServiceOptions = {}): LockService {
    const settings = new LockSettings({ shutdownGrace: 0, ...options });
    Object.assign(settings, { process: `host:${100 + services.length}` });
    const store = new HeardStore(server, newSession(), clock);
    const log = { warn: () => undefined, write: (line: LockLogEntry) => void lines.push(line) };
    const locks = LockService.over(store, settings, clock, log);
    stores.set(locks, store);
    services.push(locks);
    return locks;
  }
  const told = (): LockLogEntry[] => lines.filter(({ event }) => event === 'deadlock');

  /** Holds `own`, waits for `other` while it does (from `begin` on), and keeps what became of it. */
  function nested(
    locks: LockService,
    own: string,
    other: string,
    options: UsingOptions = {},
    begin?: Promise<void>,
  ): Outcome[] {
    const outcome: Outcome[] = [];
    const ask = async (): Promise<void> => {
      await begin;
      await locks.using(other, () => undefined, { wait: '10s', ...options });
    };
    void locks.using(own, ask).then(
      () => void outcome.push('done'),
      (error: LockBusyError) => void outcome.push(error),
    );
    return outcome;
  }

  /** One after the other is granted its name, and then each of them asks for that of the next. */
  async function ring(
    members: readonly {
      readonly locks: LockService;
      readonly name: string;
      readonly options?: UsingOptions;
    }[],
  ): Promise<Outcome[][]> {
    let begin!: () => void;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const outcomes: Outcome[][] = [];
    for (const [place, { locks, name, options }] of members.entries()) {
      const [next] = [...members.slice(place + 1), ...members];
      outcomes.push(nested(locks, name, next?.name ?? '', options, begun));
      await clock.advance(1);
    }
    begin();
    await clock.advance(0);
    return outcomes;
  }
  const reasons = (outcomes: readonly Outcome[][]): unknown[] =>
    outcomes.map(([each]) => (each === undefined || each === 'done' ? each : each.reason));

  const rings: [string, number[]][] = [
    ['two of one process', [0, 0]],
    ['three of one process', [0, 0, 0]],
    ['two processes', [0, 1]],
    ['three processes', [0, 1, 2]],
    ['three calls of two processes', [0, 1, 1]],
    ['four calls of two processes in turn', [0, 1, 0, 1]],
    ['four calls of two processes, side by side', [0, 0, 1, 1]],
  ];

  it.each([...rings, ['eight processes', [0, 1, 2, 3, 4, 5, 6, 7]]] as [string, number[]][])(
    '%s: one line, and each error says who holds and who waits',
    async (_what, of) => {
      const processes = [...new Set(of)].map(() => open());
      const members = of.map((which, place) => ({
        locks: processes[which] as LockService,
        name: `n${place}`,
      }));
      const outcomes = await ring(members);
      await clock.advance(1_990);
      expect(told()).toEqual([]);
      await clock.advance(FOUND - 1_990);
      const [line, ...more] = told();
      expect(more).toEqual([]);
      expect(line).toMatchObject({ level: 'warn', count: of.length, lock: expect.stringMatching(/^n\d$/) });
      for (const [place, which] of of.entries())
        expect(line?.message).toMatch(
          new RegExp(
            `host:${100 + which} holds 'n${place}' \\(fence \\d+\\) and waits for 'n${(place + 1) % of.length}'`,
          ),
        );
      expect(line?.message).toContain("deadlock: 'fail'");
      await clock.advance(8_000);
      expect(told()).toHaveLength(1);
      const refused = outcomes.map(([error]) => error).filter((error) => error !== 'done') as LockBusyError[];
      expect(refused.length).toBeGreaterThan(0);
      for (const error of refused) {
        expect(error).toMatchObject({ code: 'LOCK_BUSY', reason: 'timeout' });
        expect(error.message).toContain('There is a deadlock: ');
        expect(error.message).toContain('Take them together: allOf(');
        expect(error.deadlock?.map(({ name, waitsFor }) => `${name} ${waitsFor}`).sort()).toEqual(
          of.map((_, place) => `n${place} n${(place + 1) % of.length}`),
        );
        expect(error.deadlock?.every(({ holder }) => holder?.host === 'host')).toBe(true);
      }
    },
  );

  it.each(rings)("%s with deadlock: 'fail': exactly one gives way", async (_what, of) => {
    const processes = [...new Set(of)].map(() => open({ deadlock: 'fail' }));
    const outcomes = await ring(
      of.map((which, place) => ({ locks: processes[which] as LockService, name: `n${place}` })),
    );
    await clock.advance(FOUND);
    expect(reasons(outcomes)).toEqual(of.map((_, place) => (place === of.length - 1 ? 'deadlock' : 'done')));
    expect(told()).toHaveLength(1);
    const [error] = outcomes.at(-1) as [LockBusyError];
    expect(error.message).toMatch(
      /^The wait for the lock 'n0' was given up after \d+ ms, so that others can go on\. /,
    );
    expect(error.deadlock).toHaveLength(of.length);
    expect(told()[0]?.message).toContain("The wait for 'n0' is ended now");
  });

  it('only those give way who say so, however long they had waited before', async () => {
    const [one, two] = [open(), open()];
    const first = await two.acquire('b');
    const patient = nested(one, 'a', 'b', { wait: '1h', deadlock: 'fail' });
    await clock.advance(60_000);
    expect([patient, told()]).toEqual([[], []]);
    const closing: Outcome[] = [];
    const asked = first.using(() => two.using('a', () => undefined, { wait: '30s' }));
    void asked.then(
      () => void closing.push('done'),
      (error: LockBusyError) => void closing.push(error),
    );
    await clock.advance(FOUND);
    expect(reasons([patient, closing])).toEqual(['deadlock', 'done']);
    await first.release();
  });

  it('the names of leases of acquire count when they are entered, or given as within', async () => {
    const [one, two] = [open(), open({ deadlock: 'fail' })];
    const [a, b] = [await one.acquire('a'), await two.acquire('b')];
    const outcome: Outcome[] = [];
    const keep = (promise: Promise<unknown>): void =>
      void promise.then(
        () => void outcome.push('done'),
        (error: LockBusyError) => void outcome.push(error),
      );
    keep(one.using(['a', 'b'], () => undefined, { within: a, wait: '20s' }).finally(() => a.release()));
    keep(b.using(() => two.acquire('a', { wait: '20s' })).finally(() => b.release()));
    await clock.advance(FOUND);
    expect(reasons([outcome])).toEqual(['deadlock']);
    expect(outcome[1]).toBe('done');
  });

  it('what allOf has taken so far counts', async () => {
    const [one, two] = [open(), open({ deadlock: 'fail' })];
    const together: Outcome[] = [];
    const opposite = nested(two, 'b', 'a', { wait: '20s' });
    await clock.advance(0);
    void one
      .using(['a', 'b'], () => undefined, { wait: '20s' })
      .then(
        () => void together.push('done'),
        (error: LockBusyError) => void together.push(error),
      );
    await clock.advance(FOUND);
    // two had a at once, as allOf takes nothing before it has seen that b is taken
    expect([reasons([opposite, together])]).toEqual([['done', 'done']]);
    // Now allOf is first: it holds c and waits for d.
    const wait = { wait: '20s' } as const;
    const d = await two.acquire('d');
    const both: Outcome[] = [];
    void one
      .using(['c', 'd'], () => undefined, wait)
      .then(
        () => void both.push('done'),
        (error: LockBusyError) => void both.push(error),
      );
    await clock.advance(10);
    const refused: Outcome[] = [];
    void d
      .using(() => two.using('c', () => undefined, wait))
      .catch((error: LockBusyError) => void refused.push(error))
      .finally(() => d.release());
    await clock.advance(FOUND);
    expect(reasons([refused, both])).toEqual(['deadlock', 'done']);
  });

  describe('are not reported', () => {
    it('when nobody waits for those who wait', async () => {
      const [one, two] = [open({ deadlock: 'fail' }), open({ deadlock: 'fail' })];
      const lease = await two.acquire('b');
      const waiting = nested(one, 'a', 'b', { wait: '1h' });
      const behind = nested(two, 'c', 'a', { wait: '1h' });
      await clock.advance(60_000);
      await lease.release();
      await clock.advance(100);
      expect([reasons([waiting, behind]), told()]).toEqual([['done', 'done'], []]);
    });

    it('when one of them holds as a reader, or some permits', async () => {
      const [one, two] = [open(), open()];
      const read = one.readWrite('a').read.using(() => one.using('b', () => undefined, { wait: 8_000 }));
      const write = two.using('b', () => two.using('a', () => undefined, { wait: 8_000 }));
      const permits = one
        .semaphore('s', 2)
        .using(() => one.using('c', () => undefined, { wait: 8_000 }), { units: 1 });
      const other = two.using('c', () =>
        two.semaphore('s', 2).using(() => undefined, { units: 2, wait: 8_000 }),
      );
      const all = Promise.allSettled([read, write, permits, other]);
      await clock.advance(9_000);
      await all;
      expect(told()).toEqual([]);
    });

    it('when the work is over that had begun the wait, or its lease was given back', async () => {
      const [one, two] = [open({ deadlock: 'fail' }), open({ deadlock: 'fail' })];
      const stray: Outcome[] = [];
      const askAlone = (): void =>
        void one
          .using('b', () => undefined, { wait: '1h' })
          .then(
            () => void stray.push('done'),
            (error: LockBusyError) => void stray.push(error),
          );
      const b = await two.acquire('b');
      await one.using('a', () => askAlone()); // nobody awaits it
      const other = nested(one, 'x', 'y');
      await clock.advance(0);
      const again = await one.acquire('a');
      const waits = b.using(() => two.using('a', () => undefined, { wait: '1h' }));
      await clock.advance(20_000);
      expect([stray, told()]).toEqual([[], []]);
      expect(reasons([other])).toEqual(['done']);
      await again.release();
      await waits;
      await b.release();
      await clock.advance(10);
      expect(stray).toEqual(['done']);
    });

    it('when a name goes from caller to caller in a process, under one hold', async () => {
      const [one, two] = [open({ deadlock: 'fail' }), open({ deadlock: 'fail' })];
      const outcomes: Outcome[][] = [];
      const b = await two.acquire('b');
      // Each holds a for a while and asks for b without waiting for the answer: the name a moves on under the same id.
      const turnsOfA = (async () => {
        for (let turn = 0; turn < 12; turn += 1) {
          const next = one.using('a', () => undefined, { wait: '1h' });
          await one.using('a', async () => {
            outcomes.push([]);
            void one.using('b', () => undefined, { wait: 900 }).catch(() => undefined);
            await clock.advance(0);
          });
          await next;
        }
      })();
      const waits = b.using(() => two.using('a', () => undefined, { wait: '1h' }));
      for (let step = 0; step < 60; step += 1) await clock.advance(500);
      await Promise.all([turnsOfA, waits]);
      await b.release();
      expect(told()).toEqual([]);
    });

    it('when a stranger in the context of the holder waits for that holder, as is right', async () => {
      const [one, two] = [open({ deadlock: 'fail' }), open({ deadlock: 'fail' })];
      const outcome: Outcome[] = [];
      let go!: () => void;
      const going = new Promise<void>((resolve) => (go = resolve));
      const holder = one.using('a', async () => {
        // A queue runs somebody else's job here: it takes b, and then waits for a.
        const job = one.using('b', () => one.using('a', () => undefined, { wait: '1h' }));
        void job.then(
          () => void outcome.push('done'),
          (error: LockBusyError) => void outcome.push(error),
        );
        await going;
      });
      const third = nested(two, 'c', 'a', { wait: '1h' });
      await clock.advance(20_000);
      expect(told()).toEqual([]);
      go();
      await holder;
      await clock.advance(10);
      expect([outcome, third]).toEqual([['done'], ['done']]);
    });

    it('when one of them goes on before the second walk', async () => {
      const [one, two] = [open(), open()];
      const outcomes = [nested(one, 'a', 'b', { wait: 1_900 }), nested(two, 'b', 'a', { wait: '10s' })];
      await clock.advance(5_000);
      expect([reasons(outcomes), told()]).toEqual([['timeout', 'done'], []]);
      expect((outcomes[0]?.[0] as LockBusyError).message).not.toContain('There is a deadlock');
    });

    it('when a process has said nothing since the first walk', async () => {
      const [one, two] = [open(), open()];
      const options = { wait: '1h' } as const;
      // The first process has the larger fence: it is the one that would log.
      const outcomes = await ring([
        { locks: two, name: 'b', options },
        { locks: one, name: 'a', options },
      ]);
      await clock.advance(700);
      // The second process stands still: nothing that it would say reaches the server.
      const store = stores.get(two) as HeardStore;
      const { execute, read } = store;
      Object.assign(store, {
        execute: () => new Promise(() => undefined),
        read: () => new Promise(() => undefined),
      });
      await clock.advance(4_000);
      expect(told()).toEqual([]);
      expect(reasons(outcomes)).toEqual([undefined, undefined]);
      expect(stores.get(one)?.reads).toBeGreaterThan(1);
      Object.assign(store, { execute, read });
    });
  });

  it('what is held is told only by those who have waited while they hold, and no longer than that', async () => {
    const [one, two] = [open(), open()];
    const acquires = (locks: LockService, name: string): AcquireOperation[] =>
      (stores.get(locks)?.heard ?? []).flatMap(({ name: each, operation }) =>
        each === name && operation.kind === 'acquire' ? [operation] : [],
      );
    await one.using('a', () => one.using('b', () => undefined)); // nested, and nobody is in the way
    const lease = await two.acquire('b');
    const plain = one.acquire('b', { wait: '1h' });
    await clock.advance(3_000);
    expect(acquires(one, 'b').some((operation) => 'holding' in operation)).toBe(false);
    await lease.release();
    await clock.advance(0);
    const held = await plain;
    const waits = nested(two, 'a', 'b', { wait: '1h' });
    await clock.advance(200);
    expect(acquires(two, 'b').some((operation) => 'holding' in operation)).toBe(false);
    await clock.advance(3_000);
    const { holding } = acquires(two, 'b').at(-1) as AcquireOperation;
    expect(holding).toEqual([
      {
        name: 'a',
        id: server.read('a').state.holders[0]?.id,
        fence: expect.any(Number),
        turn: 1,
        yields: false,
        behind: -1,
      },
    ]);
    expect(server.read('b').state.queue[0]?.holding).toEqual(holding);
    await held.release();
    await clock.advance(0);
    expect(waits).toEqual(['done']);
  });

  it('whoever waits without holding anything reads nothing, and a walk reads little', async () => {
    const [one, two] = [open(), open()];
    const lease = await two.acquire('x');
    const plain = one.acquire('x', { wait: '1h' });
    await clock.advance(30_000);
    expect(stores.get(one)?.reads).toBe(0);
    const names = Array.from({ length: 100 }, (_, index) => `n${index}`);
    const waiting = names.map((name) => nested(one, name, 'x', { wait: '1h' }));
    await clock.advance(10_000);
    const reads = stores.get(one)?.reads ?? 0;
    expect(reads).toBeGreaterThan(0);
    expect(reads).toBeLessThanOrEqual(32 * 10);
    const told_ = server.read('x').state.queue[0]?.holding ?? [];
    expect(told_).toHaveLength(16);
    await lease.release();
    await (await plain).release();
    await clock.advance(1_000);
    expect(waiting.every(([outcome]) => outcome === 'done')).toBe(true);
  });

  it('refuses another word', () => {
    const locks = open();
    const options = { deadlock: 'ignore' } as unknown as UsingOptions;
    expect(() => new LockSettings({ deadlock: 'ignore' } as unknown as LockServiceOptions)).toThrow(
      "The option deadlock takes 'warn' or 'fail'; it was 'ignore'.",
    );
    return expect(locks.acquire('a', options)).rejects.toMatchObject({
      code: 'LOCK_USAGE',
      message: "The option deadlock takes 'warn' or 'fail'; it was 'ignore'.",
    });
  });
});
