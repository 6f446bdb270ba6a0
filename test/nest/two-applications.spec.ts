import { Controller, Get, type INestApplication, Injectable, Scope, UseInterceptors } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import request from 'supertest';
import {
  DistributedLockModule,
  getLocksToken,
  InjectLocks,
  LockBusyError,
  Locked,
  LockInterceptor,
  LockService,
} from '../../lib/index.js';
import { errorOf } from '../support/door.js';

/** A name that both registrations of both applications use. */
const NAME = 'shared name';

@Injectable()
class Till {
  constructor(
    readonly locks: LockService,
    @InjectLocks('reports') readonly reports: LockService,
  ) {}

  @Locked(NAME, { wait: 0 })
  async sell() {
    return this.seen();
  }

  @Locked(NAME, { wait: 0, locks: 'reports' })
  async report() {
    return this.seen();
  }

  @Locked('profiled', { profile: 'own' })
  async profiled(): Promise<unknown> {
    return 'free';
  }

  /** The leases of the running call, by registration. */
  private seen(): unknown[] {
    return [this.locks.current()?.names, this.reports.current()?.names];
  }
}

@Injectable({ scope: Scope.REQUEST })
class TillOfRequest extends Till {}

@Controller()
class Shop {
  constructor(
    readonly till: Till,
    readonly ofRequest: TillOfRequest,
  ) {}

  @Get('sell')
  async sell() {
    return this.till.sell();
  }

  @Get('report')
  async report() {
    return this.till.report();
  }

  @Get('request/sell')
  async sellOfRequest() {
    return this.ofRequest.sell();
  }

  @Get('request/report')
  async reportOfRequest() {
    return this.ofRequest.report();
  }

  @Get('intercepted')
  @UseInterceptors(LockInterceptor(NAME, { wait: 0 }))
  intercepted(): string {
    return 'intercepted';
  }
}

const CALLS = {
  default: ['sell', 'request/sell', 'intercepted'],
  reports: ['report', 'request/report'],
} as const;
type Registration = keyof typeof CALLS;
const REGISTRATIONS = Object.keys(CALLS) as Registration[];
// What differs, so that an application which looked at the other one's would be noticed.
const APPLICATIONS = {
  one: { busyStatus: 409, own: 'busy in one' },
  two: { busyStatus: 429, own: 'busy in two' },
} as const;
type Which = keyof typeof APPLICATIONS;
const EACH = Object.keys(APPLICATIONS) as Which[];

describe('two applications of one process, each with two registrations', () => {
  const apps = new Map<Which, INestApplication>();
  const app = (which: Which) => apps.get(which)!;
  const locksOf = (which: Which, registration: Registration): LockService =>
    app(which).get(getLocksToken(registration === 'default' ? undefined : registration));

  beforeAll(async () => {
    for (const which of EACH) {
      const { busyStatus, own } = APPLICATIONS[which];
      const options = { redis: 'memory', shutdownGrace: 0, filter: { busyStatus } } as const;
      const module = await Test.createTestingModule({
        imports: [
          DistributedLockModule.forRoot({ ...options, profiles: { own: { wait: 0, onBusy: () => own } } }),
          DistributedLockModule.forRoot({ ...options, name: 'reports' }),
        ],
        controllers: [Shop],
        providers: [Till, TillOfRequest],
      }).compile();
      apps.set(which, await module.createNestApplication({ logger: false }).init());
    }
  });
  afterAll(() => Promise.all([...apps.values()].map((each) => each.close())));

  const ask = async (which: Which, path: string) => {
    const { status, body } = await request(app(which).getHttpServer() as never).get(`/${path}`);
    return [status, (body as { code?: string }).code ?? 'served'];
  };

  it('have four LockServices, and give each class the two of its own application', () => {
    const all = EACH.flatMap((which) => REGISTRATIONS.map((registration) => locksOf(which, registration)));
    expect(new Set(all).size).toBe(4);
    for (const which of EACH) {
      const till = app(which).get(Till);
      expect([till.locks, till.reports]).toEqual([locksOf(which, 'default'), locksOf(which, 'reports')]);
      expect(till.locks).toBe(locksOf(which, 'default'));
      expect(till.reports).toBe(locksOf(which, 'reports'));
    }
  });

  describe.each(EACH.flatMap((which) => REGISTRATIONS.map((registration) => [which, registration] as const)))(
    'a name that is held in application %s, registration %s',
    (holder, held) => {
      it('is busy there, in its status, and free in the three others', async () => {
        await using _lease = await locksOf(holder, held).acquire(NAME);
        for (const which of EACH)
          for (const registration of REGISTRATIONS)
            for (const path of CALLS[registration]) {
              const busy = which === holder && registration === held;
              const expected = busy ? [APPLICATIONS[which].busyStatus, 'LOCK_BUSY'] : [200, 'served'];
              expect([which, path, await ask(which, path)]).toEqual([which, path, expected]);
            }
      });

      it('is seen there, in lists, reports and by the running call, and nowhere else', async () => {
        const till = app(holder).get(Till);
        const own = held === 'default' ? [[NAME], undefined] : [undefined, [NAME]];
        expect(await (held === 'default' ? till.sell() : till.report())).toEqual(own);
        await using _lease = await locksOf(holder, held).acquire(NAME);
        for (const which of EACH)
          for (const registration of REGISTRATIONS) {
            const names: string[] = [];
            for await (const { name } of locksOf(which, registration).list()) names.push(name);
            const here = which === holder && registration === held;
            expect([which, registration, names]).toEqual([which, registration, here ? [NAME] : []]);
            expect((await locksOf(which, registration).inspect(NAME)).holders).toHaveLength(here ? 1 : 0);
          }
      });

      it('is not revoked, nor its lease entered, by the others', async () => {
        await using lease = await locksOf(holder, held).acquire(NAME);
        for (const which of EACH)
          for (const registration of REGISTRATIONS)
            if (which !== holder || registration !== held) {
              expect(await locksOf(which, registration).revoke(NAME, { reason: 'test' })).toBe(false);
              const entered = locksOf(which, registration).using(NAME, (inner) => inner.fence, {
                within: lease,
              });
              expect((await errorOf(entered)).code).toBe('LOCK_USAGE');
            }
        expect(lease.held).toBe(true);
      });
    },
  );

  it('have profiles of their own', async () => {
    for (const which of EACH) {
      await using _lease = await locksOf(which, 'default').acquire('profiled');
      expect(await app(which).get(Till).profiled()).toBe(APPLICATIONS[which].own);
      for (const other of EACH.filter((each) => each !== which))
        expect(await app(other).get(Till).profiled()).toBe('free');
    }
  });

  it('are closed one by one', async () => {
    const leases = await Promise.all(REGISTRATIONS.map((each) => locksOf('two', each).acquire('kept')));
    await app('one').close();
    for (const call of ['sell', 'report'] as const) {
      const refused = await errorOf(app('one').get(Till)[call]());
      expect(refused).toBeInstanceOf(LockBusyError);
      expect(refused).toMatchObject({ reason: 'closed' });
      expect(await app('two').get(Till)[call]()).toBeDefined();
    }
    for (const lease of leases) {
      expect(lease.held).toBe(true);
      await lease.renew();
      await lease.release();
    }
  });
});
