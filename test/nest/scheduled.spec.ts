import { jest } from '@jest/globals';
import { Injectable, type Type } from '@nestjs/common';
import { Cron, Interval, ScheduleModule, SchedulerRegistry, Timeout } from '@nestjs/schedule';
import { Test, type TestingModule } from '@nestjs/testing';
import { CronJob } from 'cron';
import { createTask, type ScheduledTask } from 'node-cron';
import {
  DistributedLockModule,
  Locked,
  LockService,
  runOncePerFire,
  type FirePlan,
} from 'nestjs-distributed-lock';
import { firesOf, oncePerFire } from 'nestjs-distributed-lock/schedule';
import { failureOf } from '../support/eventually.js';
import { LoggedLines } from '../support/logged-lines.js';

const YEARLY = '0 0 1 1 *';

describe('a locked method with a schedule', () => {
  const opened: TestingModule[] = [];
  const logged = new LoggedLines();
  const open = async (...providers: Type[]): Promise<TestingModule> => {
    logged.lines.length = 0;
    const app = await Test.createTestingModule({
      imports: [
        ScheduleModule.forRoot(),
        DistributedLockModule.forRoot({ redis: 'memory', shutdownGrace: 0 }),
      ],
      providers,
    })
      .setLogger(logged)
      .compile();
    opened.push(app);
    return app.init();
  };
  afterEach(async () => {
    jest.restoreAllMocks();
    await Promise.all(opened.splice(0).map((app) => app.close()));
  });

  describe('that does not say what a fire is', () => {
    @Injectable()
    class Bare {
      @Cron(YEARLY)
      @Locked('bare')
      async report() {}

      @Locked('below')
      @Interval(1_000_000)
      async poll() {}
    }
    @Injectable()
    class Decided {
      @Cron(YEARLY)
      @Locked('skips', { onBusy: 'skip' })
      async skips(): Promise<undefined> {}

      @Cron(YEARLY)
      @Locked('throws', { onBusy: 'throw' })
      async throws() {}

      @Cron(YEARLY)
      @Locked('holds', { minHold: '1m' })
      async holds() {}

      @Cron(YEARLY)
      @Locked('fires', oncePerFire())
      async fires(): Promise<undefined> {}

      @Locked('none')
      async notScheduled() {}
    }

    it('is warned of once at the start, with the remedy', async () => {
      await open(Bare, Decided, class Other extends Bare {});
      const warnings = logged.about('at each fire');
      expect(warnings).toEqual([
        expect.stringMatching(/^warn Bare\.report has @Cron and @Locked: .*oncePerFire\(\)/),
        expect.stringMatching(/^warn Bare\.poll has @Interval and @Locked: .*minHold/),
      ]);
    });
  });

  it('runs once per fire over two applications, in whatever order they come', async () => {
    let runs = 0;
    @Injectable()
    class Reports {
      @Cron(YEARLY)
      @Locked('report', oncePerFire())
      async report(): Promise<number | undefined> {
        return (runs += 1);
      }
    }
    const app = await open(Reports);
    const reports = app.get(Reports);
    const [fire, late] = [Date.UTC(2027, 0, 1), Date.UTC(2027, 0, 1, 0, 0, 2)].map(
      // The schedule is that of the machine's zone.
      (utc) => utc + new Date(2027, 0, 1).getTimezoneOffset() * 60_000,
    ) as [number, number];
    const now = jest.spyOn(Date, 'now');
    now.mockReturnValue(fire - 1);
    expect(await reports.report()).toBe(1);
    now.mockReturnValue(late);
    expect(await reports.report()).toBeUndefined();
    expect(logged.about('the fire of')).toEqual([
      `log 'report', the fire of ${new Date(fire).toISOString()}: run here, 1 ms before it. DistributedLock`,
    ]);
  });

  describe('below another decorator that wraps it', () => {
    // As @UseCls of nestjs-cls does it.
    const Wrapped = (): MethodDecorator => (_target, _property, descriptor: PropertyDescriptor) => {
      const inner = descriptor.value as (this: unknown, ...args: unknown[]) => unknown;
      const outer = function (this: unknown, ...args: unknown[]): unknown {
        return Reflect.apply(inner, this, args);
      };
      for (const key of Reflect.getMetadataKeys(inner) as unknown[])
        Reflect.defineMetadata(key, Reflect.getMetadata(key, inner), outer);
      descriptor.value = outer;
    };
    const symbol = Symbol('report');
    @Injectable()
    class Reports {
      @Cron(YEARLY)
      @Wrapped()
      @Locked('wrapped', oncePerFire())
      async wrapped(): Promise<string | undefined> {
        return 'run';
      }

      @Cron(YEARLY)
      @Locked('group')
      @Locked('inner', oncePerFire())
      async twice(): Promise<string | undefined> {
        return 'run';
      }

      @Cron(YEARLY)
      @Wrapped()
      @Locked('symbol', oncePerFire())
      async [symbol](): Promise<string | undefined> {
        return 'run';
      }
    }
    @Injectable()
    class Overriding extends Reports {
      // Its own schedule has no say in the fires of the method that it overrides.
      @Interval(1_000_000)
      @Locked('overriding', { onBusy: 'skip' })
      override async wrapped(): Promise<string | undefined> {
        return super.wrapped();
      }
    }

    const atFire = (): void => {
      const fire = Date.UTC(2027, 0, 1) + new Date(2027, 0, 1).getTimezoneOffset() * 60_000;
      jest.spyOn(Date, 'now').mockReturnValue(fire);
    };

    it('is not warned of for the locks around it', async () => {
      await open(Reports);
      expect(logged.about('at each fire')).toEqual([]);
    });

    it.each(['wrapped', 'twice', symbol] as const)('runs once per fire: %p', async (method) => {
      const reports = (await open(Reports)).get(Reports);
      atFire();
      expect([await reports[method](), await reports[method]()]).toEqual(['run', undefined]);
    });

    it('runs once per fire when it is inherited, and when super calls it', async () => {
      const reports = (await open(Overriding)).get(Overriding);
      atFire();
      expect([await reports.twice(), await reports.twice()]).toEqual(['run', undefined]);
      expect([await reports.wrapped(), await reports.wrapped()]).toEqual(['run', undefined]);
    });

    it('runs once per fire when a test spies on it', async () => {
      class Direct {
        @Cron(YEARLY)
        @Locked('direct', oncePerFire())
        async report(): Promise<string | undefined> {
          return 'run';
        }
      }
      const direct = (await open(Direct)).get(Direct);
      jest.spyOn(Direct.prototype, 'report');
      atFire();
      expect([await direct.report(), await direct.report()]).toEqual(['run', undefined]);
    });
  });

  it.each([
    ['later than an hour', 3_600_001, /not run here, since it is 3600001 ms after it/],
    ['nearly a fire too early', -1_001, /not run here, since it is 1001 ms before it/],
  ])('does not run what comes %s, and says so', async (_what, late, line) => {
    const locks = (await open()).get(LockService);
    const plan: FirePlan = { nearest: (now) => ({ at: new Date(now.getTime() - late), period: 86_400_000 }) };
    expect(await runOncePerFire(locks, 'late', plan, () => 'run')).toBeUndefined();
    expect(logged.about('the fire of')).toEqual([expect.stringMatching(line)]);
  });

  it('goes by half the period and half of doneTtl, too', async () => {
    const locks = (await open()).get(LockService);
    const run = (name: string, late: number, terms: Partial<FirePlan>, period = 10_000) =>
      runOncePerFire(
        locks,
        name,
        { nearest: (now) => ({ at: new Date(now.getTime() - late), period }), ...terms },
        () => 'run',
      );
    expect(await run('a', 4_900, {})).toBe('run');
    expect(await run('b', 5_100, {})).toBeUndefined();
    expect(await run('c', 900, { doneTtl: '2s' })).toBe('run');
    expect(await run('d', 1_100, { doneTtl: '2s' })).toBeUndefined();
  });

  it.each([
    ['start', undefined],
    ['end', 'again'],
  ] as const)('with mark: %s, what has failed is run again: %s', async (mark, again) => {
    const locks = (await open()).get(LockService);
    const at = new Date();
    const plan: FirePlan = { mark, nearest: () => ({ at, period: 60_000 }) };
    const error = new Error('no disk');
    expect(await failureOf(runOncePerFire(locks, 'x', plan, () => Promise.reject(error)))).toBe(error);
    expect(await runOncePerFire(locks, 'x', plan, () => 'again')).toBe(again);
  });

  it('has a form for jobs that are added by hand', async () => {
    const app = await open();
    const [locks, jobs] = [app.get(LockService), app.get(SchedulerRegistry)];
    let runs = 0;
    const job: CronJob = new CronJob('* * * * * *', () => undefined);
    jobs.addCronJob('by-hand', job);
    const tick = () => runOncePerFire(locks, 'by-hand', firesOf(job), () => void (runs += 1));
    jest.spyOn(Date, 'now').mockReturnValue(Date.UTC(2026, 10, 28, 3));
    await Promise.all([tick(), tick(), tick()]);
    expect(runs).toBe(1);
  });

  it.each<[string, () => unknown, RegExp]>([
    [
      '@Interval',
      () => {
        class Polls {
          @Interval(1_000_000)
          @Locked('x', oncePerFire())
          async poll(): Promise<undefined> {}
        }
        return open(Polls);
      },
      /poll has @Interval and oncePerFire\(\): @Interval counts from the start of each process/,
    ],
    [
      '@Timeout',
      () => {
        class Polls {
          @Timeout(1_000_000)
          @Locked('x', oncePerFire())
          async poll(): Promise<undefined> {}
        }
        return open(Polls);
      },
      /poll has @Timeout and oncePerFire\(\)/,
    ],
    [
      'no schedule at all',
      () => {
        class Polls {
          @Locked('x', oncePerFire())
          async poll(): Promise<undefined> {}
        }
        return open(Polls);
      },
      /poll has oncePerFire\(\) and no @Cron\. .*firesOf\(job\)/,
    ],
  ])('refuses to start with %s', async (_what, start, message) => {
    const error = await failureOf<Error>(Promise.resolve(start()));
    expect(error).toMatchObject({ code: 'LOCK_USAGE', message: expect.stringMatching(message) });
  });

  it.each<[string, () => unknown, RegExp]>([
    [
      'another mark',
      () => Locked('x', oncePerFire({ mark: 'middle' as 'end' })),
      /mark takes 'start' or 'end'/,
    ],
    ['a doneTtl out of range', () => Locked('x', oncePerFire({ doneTtl: 99 })), /doneTtl/],
    ['minHold', () => Locked('x', { ...oncePerFire(), minHold: 10 }), /fires and minHold exclude each other/],
    ['permits', () => Locked('x', { ...oncePerFire(), permits: 2 }), /fires and permits exclude each other/],
    [
      'a busy lock that throws',
      () => Locked('x', { ...oncePerFire(), onBusy: 'throw' }),
      /needs onBusy: 'skip'/,
    ],
    [
      'no plan',
      () => Locked('x', { fires: 'daily' as unknown as FirePlan, onBusy: 'skip' }),
      /oncePerFire\(\) returns/,
    ],
  ])('refuses %s', (_what, decorator, message) => {
    expect(() => {
      class Refused {
        async run(): Promise<undefined> {}
      }
      const make = decorator() as MethodDecorator;
      make(Refused.prototype, 'run', Object.getOwnPropertyDescriptor(Refused.prototype, 'run')!);
    }).toThrow(message);
  });

  it('takes one name', async () => {
    @Injectable()
    class Many {
      @Cron(YEARLY)
      @Locked(['a', 'b'], oncePerFire())
      async run(): Promise<undefined> {}
    }
    const many = (await open(Many)).get(Many);
    expect(await failureOf(many.run())).toMatchObject({
      code: 'LOCK_USAGE',
      message: expect.stringMatching(/takes one name; it has 2: 'a', 'b'/),
    });
  });
});

describe('node-cron, with its run coordinator over the lock', () => {
  it('runs a task in one of two processes per fire', async () => {
    const app = await Test.createTestingModule({
      imports: [DistributedLockModule.forRoot({ redis: 'memory', shutdownGrace: 0 })],
    }).compile();
    const locks = app.get(LockService);
    const coordinator = {
      shouldRun: async (key: string, ttlMs: number) =>
        (await locks.once(key, () => undefined, { doneTtl: ttlMs })).ran,
    };
    const ran: string[] = [];
    const skipped = new Promise<string>((resolve) => {
      for (const who of ['a', 'b']) {
        const task = createTask('* * * * * *', ({ date }) => void ran.push(date.toISOString()), {
          name: 'backup',
          distributed: true,
          runCoordinator: coordinator,
          maxExecutions: 1,
        });
        task.on('execution:skipped', ({ reason }) => resolve(`${who}: ${reason}`));
        void task.start();
        tasks.push(task);
      }
    });
    expect(await skipped).toMatch(/: not-elected$/);
    expect(ran).toHaveLength(1);
    for (const task of tasks) await task.destroy();
    await app.close();
  });
  const tasks: ScheduledTask[] = [];
});
