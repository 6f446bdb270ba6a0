import { Injectable } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  createLockService,
  DistributedLockModule,
  type FirePlan,
  LockBusyError,
  Locked,
  LockInterceptor,
  type LockProfile,
  LockService,
} from '../../lib/index.js';
import { DistributedLockTestingModule, LockTestKit, withLocks } from '../../lib/testing/index.js';
import { Door, errorOf } from '../support/door.js';
import { failureOf, until } from '../support/eventually.js';

const door = new Door();
const inner = new LockBusyError('another lock is busy', 'other', { reason: 'held', waited: 0 });

@Injectable()
class Jobs {
  @Locked('job', { wait: 0 })
  async plain(): Promise<string> {
    return door.pass('ran');
  }

  @Locked('job', { onBusy: 'skip' })
  async skipped(): Promise<string | undefined> {
    return door.pass('ran');
  }

  @Locked('job', { wait: '20ms', onBusy: (error) => `${error.reason}: ${error.lockName}` })
  async fallback(): Promise<string> {
    return door.pass('ran');
  }

  @Locked('free', { onBusy: 'skip' })
  async busyInside(): Promise<void> {
    throw inner;
  }

  @Locked('job', { profile: 'patient' })
  async patient(): Promise<string> {
    return door.pass('ran');
  }

  @Locked('job', { profile: 'patient', wait: 0, label: undefined, onBusy: undefined })
  async hasty(): Promise<string> {
    return door.pass('ran');
  }
}

let module: TestingModule;
let jobs: Jobs;

async function start(profiles: Record<string, LockProfile>, provider: object = Jobs): Promise<TestingModule> {
  const started = await Test.createTestingModule({
    imports: [DistributedLockModule.forRoot({ profiles })],
    providers: [provider as typeof Jobs],
  })
    .setLogger(false as never)
    .compile();
  return started.init();
}

beforeAll(async () => {
  module = await start({ patient: { wait: '30ms', onBusy: (error) => `profile: ${error.reason}` } });
  jobs = module.get(Jobs);
});
afterAll(() => module.close());
afterEach(() => door.open());

/** Someone else holds the lock `job` while `work` runs. */
async function whileHeld<T>(work: () => Promise<T>): Promise<T> {
  const lease = await module.get(LockService).acquire('job');
  try {
    return await work();
  } finally {
    await lease.release();
  }
}

describe('onBusy', () => {
  it('throws the LockBusyError unless said otherwise', async () => {
    expect(await errorOf(whileHeld(() => jobs.plain()))).toBeInstanceOf(LockBusyError);
  });

  it('skips at once, and runs when the lock is free', async () => {
    const before = Date.now();
    expect(await whileHeld(() => jobs.skipped())).toBeUndefined();
    expect(Date.now() - before).toBeLessThan(1_000);
    expect(await jobs.skipped()).toBe('ran');
  });

  it('returns the value of a function, which is given the error', async () => {
    expect(await whileHeld(() => jobs.fallback())).toBe('timeout: job');
  });

  it('never takes a busy error of the method itself for a busy lock', async () => {
    expect(await errorOf(jobs.busyInside())).toBe(inner);
  });

  it('does not hide that the locks are closed', async () => {
    const other = await start({ patient: {} });
    await other.close();
    expect(await errorOf(other.get(Jobs).skipped())).toMatchObject({ code: 'LOCK_BUSY', reason: 'closed' });
  });
});

describe("deadlock: 'fail'", () => {
  const account = (id: string): string => `account:${id}`;

  @Injectable()
  class Transfers {
    /** Both transfers hold their first account before one of them asks for the other. */
    readonly begun = new Map<string, () => void>();

    @Locked(account)
    async transfer(from: string, to: string, how: 'credit' | 'creditByProfile' | 'creditInstead') {
      await new Promise<void>((resolve) => this.begun.set(from, resolve));
      return this[how](to);
    }

    @Locked(account, { wait: '20s', deadlock: 'fail' })
    async credit(_to: string): Promise<string> {
      return 'credited';
    }

    @Locked(account, { profile: 'yielding' })
    async creditByProfile(_to: string): Promise<string> {
      return 'credited';
    }

    @Locked(account, { wait: '20s', deadlock: 'fail', onBusy: ({ reason }) => `instead: ${reason}` })
    async creditInstead(_to: string): Promise<string> {
      return 'credited';
    }
  }

  it.each(['credit', 'creditByProfile', 'creditInstead'] as const)(
    'of a method: one of two that wait for each other in %s gives way, and the other goes on',
    async (how) => {
      const profiles = { yielding: { wait: '20s', deadlock: 'fail' } } as const;
      const started = await Test.createTestingModule({
        imports: [DistributedLockTestingModule.forRoot({ clock: 'manual', profiles })],
        providers: [Transfers],
      })
        .setLogger(false as never)
        .compile();
      await started.init();
      const [transfers, kit] = [started.get(Transfers), started.get(LockTestKit)];
      const ends: unknown[] = [];
      for (const [from, to] of [
        ['a', 'b'],
        ['b', 'a'],
      ] as const) {
        void transfers.transfer(from, to, how).then(
          (value) => ends.push(value),
          (error: unknown) => ends.push(error),
        );
        await until('it holds its first account', () => transfers.begun.has(from));
        await kit.advance(1);
      }
      for (const begin of transfers.begun.values()) begin();
      await kit.advance('3s');
      const gaveWay = how === 'creditInstead' ? 'instead: deadlock' : expect.any(LockBusyError);
      expect(ends).toEqual([gaveWay, 'credited']);
      if (how !== 'creditInstead')
        expect(ends[0]).toMatchObject({
          reason: 'deadlock',
          lockName: 'account:a', // the later holder, by its fence, gives way
          deadlock: [{ waitsFor: expect.any(String) }, { waitsFor: expect.any(String) }],
        });
      await started.close();
    },
  );
});

describe('a profile', () => {
  it('gives a method its options', async () => {
    expect(await whileHeld(() => jobs.patient())).toBe('profile: timeout');
  });

  it('yields to the options of the method, except to those that are undefined', async () => {
    expect(await whileHeld(() => jobs.hasty())).toBe('profile: held');
  });

  it('that is missing fails the start, and says which there are', async () => {
    const error = await errorOf(start({ hasty: {}, slow: {} }));
    expect(error).toMatchObject({ code: 'LOCK_USAGE' });
    expect(error.message).toMatch(/no lock profile 'patient'; the profiles are 'hasty', 'slow'/);
    expect((await errorOf(start({}, { provide: 'jobs', useValue: new Jobs() }))).message).toMatch(
      /there are no profiles/,
    );
    const interceptor = LockInterceptor('name', { profile: 'toString' });
    expect((await errorOf(start({ hasty: {} }, interceptor))).message).toMatch(/no lock profile 'toString'/);
  });

  it('belongs to the registration that the method locks with', async () => {
    @Injectable()
    class Reports {
      @Locked('report', { locks: 'reports', profile: 'quick' })
      async run(): Promise<string> {
        return 'ran';
      }

      @Locked('report', { profile: 'other' })
      async other(): Promise<string> {
        return 'ran';
      }
    }
    const registrations = [
      DistributedLockModule.forRoot({ profiles: { other: {} } }),
      DistributedLockModule.forRoot({ name: 'reports', profiles: { quick: { wait: 0 } } }),
    ];
    const other = await Test.createTestingModule({ imports: registrations, providers: [Reports] })
      .setLogger(false as never)
      .compile();
    await other.init();
    const reports = other.get(Reports);
    expect([await reports.run(), await reports.other()]).toEqual(['ran', 'ran']);
    await other.close();
  });

  it('with an option that it cannot have fails the start', async () => {
    expect((await errorOf(start({ patient: { ttl: 1 } }))).message).toMatch(
      /The profile 'patient': The option ttl/,
    );
    const nested = { profile: 'other' } as LockProfile;
    expect((await errorOf(start({ patient: nested }))).message).toMatch(
      /cannot choose a registration, a profile, a signal or fires/,
    );
  });
});

describe('options that never go together', () => {
  const fires: FirePlan = { nearest: (now) => ({ at: now, period: 60_000 }) };
  const once = { fires, onBusy: 'skip' } as const;
  const locked = (options: object): object => {
    class Refused {
      async run(): Promise<undefined> {}
    }
    const decorate = Locked('x', options as Parameters<typeof Locked>[1]) as MethodDecorator;
    const descriptor = Object.getOwnPropertyDescriptor(Refused.prototype, 'run')!;
    decorate(Refused.prototype, 'run', descriptor);
    Object.defineProperty(Refused.prototype, 'run', descriptor);
    return Refused;
  };

  it.each<[string, object, LockProfile, RegExp]>([
    ['fires and minHold', once, { minHold: '1s' }, /fires and minHold exclude each other/],
    ['fires and reentrant', once, { reentrant: true }, /fires and reentrant exclude each other/],
    ['fires and linger', once, { linger: '1s' }, /fires and linger exclude each other/],
    [
      'readers and linger',
      { mode: 'read' },
      { linger: '1s' },
      /linger is for locks that exclude every other/,
    ],
    ['some permits and linger', { linger: '1s' }, { permits: 2 }, /linger is for locks that exclude/],
    ['ttl and a longer linger', { ttl: '1s' }, { linger: '2s' }, /linger takes at most the ttl/],
    ['the default ttl and a longer linger', {}, { linger: '11s' }, /at most the ttl of the call \(10s\)/],
  ])('fail the start when the profile brings one: %s', async (_what, options, profile, message) => {
    const started = start({ odd: profile }, locked({ profile: 'odd', ...options }));
    expect(await failureOf(started)).toMatchObject({
      code: 'LOCK_USAGE',
      message: expect.stringMatching(message),
    });
    expect(await failureOf(started)).toMatchObject({
      message: expect.stringMatching(/@Locked on Refused\.run uses the profile 'odd': /),
    });
  });

  it.each<[object, RegExp]>([
    [{ mode: 'read', linger: '1s' }, /linger is for locks that exclude every other/],
    [{ permits: 2, linger: '1s' }, /linger is for locks that exclude every other/],
    [{ ttl: '1s', linger: '2s' }, /linger takes at most the ttl of the call \(1s\)/],
    [{ linger: '11s' }, /linger takes at most the ttl of the call \(10s\)/],
  ])('fail the start when the method has both: %j', async (options, message) => {
    for (const each of [locked(options), LockInterceptor('x', options)])
      expect(await failureOf(start({}, each))).toMatchObject({
        code: 'LOCK_USAGE',
        message: expect.stringMatching(message),
      });
  });

  it('are refused where they are written, if one is fires', () => {
    expect(() => locked({ ...once, linger: '1s' })).toThrow(/fires and linger exclude each other/);
  });

  it.each<object>([
    { mode: 'read', linger: 0 },
    { permits: 2, units: 2, linger: '1s' },
    { ttl: '1s', linger: '1s' },
    { ttl: '20s', linger: '15s' },
  ])('pass the start where they do: %j', async (options) => {
    const started = await start({}, locked(options));
    await started.close();
  });
});

describe('the signal of a call', () => {
  class Jobs {
    readonly stopping = new AbortController();

    @Locked('job', { signal: (_job: string, signal?: AbortSignal) => signal })
    async run(job: string, _signal?: AbortSignal): Promise<string> {
      return job;
    }

    @Locked('job', {
      signal(this: Jobs) {
        return this.stopping.signal;
      },
    })
    async *steps(): AsyncGenerator<string> {
      yield 'step';
    }

    @Locked('job', { onBusy: 'skip', wait: '5s', signal: (signal: AbortSignal) => signal })
    async skipped(_signal: AbortSignal): Promise<string | undefined> {
      return 'ran';
    }

    @Locked('job', { signal: (() => 'no signal') as unknown as () => AbortSignal })
    async wrong(): Promise<void> {}
  }

  it('comes from its arguments or its instance, and ends its waiting', async () => {
    const locks = createLockService({ log: { warn: () => undefined } });
    const jobs = withLocks(new Jobs(), locks);
    const leaving = new AbortController();
    const lease = await locks.acquire('job');
    const waiting = [jobs.run('a', leaving.signal), jobs.steps().next(), jobs.skipped(leaving.signal)].map(
      errorOf,
    );
    const staying = jobs.run('b');
    leaving.abort();
    jobs.stopping.abort();
    for (const error of await Promise.all(waiting))
      expect(error).toMatchObject({ code: 'LOCK_BUSY', reason: 'aborted' });
    await lease.release();
    expect(await staying).toBe('b');
    expect(await errorOf(jobs.wrong())).toMatchObject({
      code: 'LOCK_USAGE',
      message: expect.stringMatching(/signal takes an AbortSignal; it was 'no signal'/),
    });
    await locks.close();
  });
});

describe('a query that begins when it is awaited', () => {
  it('runs inside the lease, however the method returns it', async () => {
    const locks = createLockService({ log: { warn: () => undefined } });
    const seen: unknown[] = [];
    const query = (): PromiseLike<string> =>
      ({
        then: (...handlers: [never, never]) => {
          seen.push(locks.current('row')?.held);
          return Promise.resolve('saved').then(...handlers);
        },
      }) as PromiseLike<string>;
    class Rows {
      @Locked('row')
      save(): PromiseLike<string> {
        return query();
      }

      @Locked('row')
      async saveLater(): Promise<string> {
        return query();
      }
    }
    const rows = withLocks(new Rows(), locks);
    expect([await rows.save(), await rows.saveLater()]).toEqual(['saved', 'saved']);
    expect(seen).toEqual([true, true]);
    await locks.close();
  });
});
