import {
  type ArgumentsHost,
  Catch,
  Controller,
  type ExceptionFilter,
  ForbiddenException,
  Get,
  HttpException,
  type INestApplication,
  type LoggerService,
  Module,
  Res,
} from '@nestjs/common';
import { FILTER_CATCH_EXCEPTIONS } from '@nestjs/common/constants.js';
import { jest } from '@jest/globals';
import { APP_FILTER, HttpAdapterHost } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import request from 'supertest';
import {
  DistributedLockModule,
  LockBusyError,
  LockError,
  Locked,
  LockExceptionFilter,
  type LockLogEntry,
  LockLostError,
  LockService,
  LockStoreError,
  LockUsageError,
  toHttpException,
} from '../../lib/index.js';
import { BusyLog } from '../../lib/nest/lock-error-answers.js';
import { errorOf } from '../support/door.js';

const SECRET = 'customer:4711 is held by db-host-9:1234';
const busy = (reason: LockBusyError['reason'], retryIn?: number) =>
  new LockBusyError(SECRET, 'customer:4711', {
    reason,
    waited: 5,
    retryAfter: 9_000, // what is left of the lease says nothing of how long work takes
    retryIn,
    holder: { host: 'db-host-9', pid: 1234 },
  });
const ERRORS: Record<string, Error> = {
  held: busy('held', 2_400),
  timeout: busy('timeout'),
  full: busy('full', 10),
  closed: busy('closed'),
  deadlock: new LockBusyError(SECRET, 'customer:4711', {
    reason: 'deadlock',
    waited: 5,
    deadlock: [
      {
        name: 'customer:4711',
        fence: 1,
        holder: { host: 'db-host-9', pid: 1234 },
        waitsFor: 'customer:4712',
      },
    ],
  }),
  lost: new LockLostError(SECRET, 'customer:4711', { reason: 'expired', fence: 1, heldFor: 2 }),
  store: new LockStoreError(SECRET, 'customer:4711'),
  usage: new LockUsageError(SECRET, 'customer:4711'),
  own: new ForbiddenException('mine'),
};

@Controller()
class ErrorController {
  constructor(readonly locks: LockService) {}

  @Get('throws/:which')
  throws(@Res({ passthrough: true }) response: { req: { params: { which: string } } }): never {
    throw ERRORS[response.req.params.which]!;
  }

  @Get('locked')
  @Locked('customer:4711', { wait: 0 })
  async locked(): Promise<string> {
    return 'fine';
  }

  @Get('own')
  @Locked('own')
  async own(): Promise<void> {
    throw ERRORS.own!;
  }

  @Get('sent')
  sent(@Res() response: { write(text: string): void }): never {
    response.write('half an answer');
    throw ERRORS.store!;
  }
}

@Catch()
class CatchAll implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    const mapped = LockError.is(error)
      ? toHttpException(error, { busyStatus: 409 })
      : new HttpException('?', 500);
    const response = host
      .switchToHttp()
      .getResponse<{ status(code: number): { json(body: unknown): void } }>();
    response.status(mapped.getStatus()).json({ mapped: mapped.getResponse() });
  }
}

const lines: string[] = [];
const write =
  (level: string) =>
  (message: unknown): void =>
    void lines.push(`${level} ${message instanceof Error ? message.message : String(message)}`);
const logger: LoggerService = { log: write('log'), warn: write('warn'), error: write('error') };

let app: INestApplication;
async function start(
  options: Parameters<typeof DistributedLockModule.forRoot>[0],
  providers: object[] = [],
  filters: ExceptionFilter[] = [],
) {
  const module = await Test.createTestingModule({
    imports: [DistributedLockModule.forRoot(options)],
    controllers: [ErrorController],
    providers: providers as never[],
  })
    .setLogger(logger)
    .compile();
  app = module.createNestApplication({ logger });
  app.useGlobalFilters(...filters);
  await app.init();
  lines.length = 0;
}
afterEach(() => app.close());

const get = (path: string) => request(app.getHttpServer()).get(path);

describe('a lock error that leaves an HTTP handler', () => {
  it.each([
    ['held', 423, 3],
    ['timeout', 423, 1],
    ['full', 423, 1],
    ['deadlock', 423, 1],
  ])('is answered %s with %i and Retry-After %i', async (which, status, retryAfter) => {
    await start({});
    const { body, headers } = await get(`/throws/${which}`).expect(status);
    expect(headers['retry-after']).toBe(String(retryAfter));
    expect(body).toEqual({
      statusCode: status,
      code: 'LOCK_BUSY',
      message: 'The resource is locked, try again later',
      retryAfter,
    });
  });

  it.each([
    ['closed', 503, 'LOCK_BUSY', 'The service is shutting down'],
    ['lost', 503, 'LOCK_LOST', 'The lock was lost while the request was processed'],
    ['store', 503, 'LOCK_STORE', 'The lock service is unavailable'],
    ['usage', 500, 'LOCK_USAGE', 'Internal server error'],
  ])('is answered %s with %i', async (which, statusCode, code, message) => {
    await start({});
    const { body, headers } = await get(`/throws/${which}`).expect(statusCode);
    expect(body).toEqual({ statusCode, code, message });
    expect(headers).not.toHaveProperty('retry-after');
  });

  it.each(['held', 'closed', 'lost', 'store', 'usage'])('tells %s in full to the log only', async (which) => {
    await start({});
    const { text } = await get(`/throws/${which}`);
    expect(text).not.toMatch(/4711|db-host|1234/);
    expect(lines).toEqual([expect.stringContaining(SECRET)]);
  });

  it('is told with its fields to the logger of the registration, and to no other', async () => {
    const entries: LockLogEntry[] = [];
    const warn = (): void => undefined;
    await start({ logger: { warn, write: (entry) => void entries.push(entry) } });
    entries.length = 0;
    for (const which of ['held', 'held', 'held', 'store']) await get(`/throws/${which}`);
    expect(lines).toEqual([]);
    const about = { lock: 'customer:4711', message: SECRET };
    expect(entries.splice(0)).toEqual([
      { level: 'log', event: 'refused', reason: 'held', holder: 'db-host-9:1234', ...about },
      { level: 'error', event: 'failed', error: ERRORS.store, ...about },
    ]);
    await app.close();
    expect(entries.find(({ event }) => event === 'refusals')).toMatchObject({ level: 'log', count: 2 });
  });

  it.each([
    ['error', { log: write('log'), warn: write('warn'), error: write('error') }],
    ['warn', { warn: write('warn') }],
  ])('is one text, as %s, for a logger of the registration that takes only texts', async (level, own) => {
    await start({ logger: own });
    app.useLogger(false);
    await get('/throws/store');
    await get('/throws/held');
    expect(lines).toEqual([`${level} ${SECRET}`, `${level === 'warn' ? 'warn' : 'log'} ${SECRET}`]);
  });

  it('comes from a real busy lock', async () => {
    await start({});
    const lease = await app.get(LockService).acquire('customer:4711');
    await get('/locked').expect(423);
    await lease.release();
    await get('/locked').expect(200, 'fine');
  });

  it.each([423, 409, 429, 503])(
    'is answered with the status that the option chooses: %i',
    async (busyStatus) => {
      await start({ filter: { busyStatus } });
      const { body, headers } = await get('/throws/held').expect(busyStatus);
      expect(body).toMatchObject({ statusCode: busyStatus, code: 'LOCK_BUSY', retryAfter: 3 });
      expect(headers['retry-after']).toBe('3');
      await get('/throws/store').expect(503);
    },
  );

  it('ends an answer that has begun', async () => {
    await start({});
    const { text } = await get('/sent').expect(200);
    expect(text).toBe('half an answer');
    expect(lines).toEqual([`error ${SECRET}`]);
  });

  it('is left to Nest when the filter is off, as are all other errors', async () => {
    await start({ filter: false });
    await get('/throws/held').expect(500, { statusCode: 500, message: 'Internal server error' });
    await get('/throws/own').expect(403);
  });

  it('is mapped by toHttpException in a filter of the application that catches everything', async () => {
    await start({ filter: false }, [{ provide: APP_FILTER, useClass: CatchAll }]);
    const { body } = await get('/throws/held').expect(409);
    expect(body.mapped).toMatchObject({ statusCode: 409, code: 'LOCK_BUSY', retryAfter: 3 });
  });
});

describe('beside filters of the application that catch everything', () => {
  const mapped = { statusCode: 409, code: 'LOCK_BUSY' };

  it('an APP_FILTER of the module that imports ours gets all errors but ours', async () => {
    await start({}, [{ provide: APP_FILTER, useClass: CatchAll }]);
    const { body } = await get('/throws/held').expect(423);
    expect(body).toMatchObject({ statusCode: 423, code: 'LOCK_BUSY' });
    await get('/throws/own').expect(500, { mapped: '?' });
  });

  it.each<[string, boolean, number]>([
    ['before ours comes after it', false, 423],
    ['after ours comes first', true, 409],
  ])('an APP_FILTER of a module that is imported %s', async (_, last, status) => {
    @Module({ providers: [{ provide: APP_FILTER, useClass: CatchAll }] })
    class Errors {}
    const locks = DistributedLockModule.forRoot({ redis: 'memory' });
    const module = await Test.createTestingModule({
      imports: last ? [locks, Errors] : [Errors, locks],
      controllers: [ErrorController],
    }).compile();
    app = await module.createNestApplication({ logger: false }).init();
    await get('/throws/held').expect(status);
  });

  it('a filter of useGlobalFilters comes first', async () => {
    await start({}, [], [new CatchAll()]);
    const { body } = await get('/throws/held').expect(409);
    expect(body.mapped).toMatchObject(mapped);
  });
});

describe('the filter of several registrations', () => {
  type Options = NonNullable<Parameters<typeof DistributedLockModule.forRoot>[0]>;
  const startAll = async (...registrations: Options[]): Promise<void> => {
    const module = await Test.createTestingModule({
      imports: registrations.map((options) =>
        DistributedLockModule.forRoot({ redis: 'memory', shutdownGrace: 0, ...options }),
      ),
      controllers: [ErrorController],
    }).compile();
    app = module.createNestApplication({ logger: false });
    await app.init();
  };

  it.each<[string, Options['filter'], Options['filter'], string, string]>([
    ['the default and a status', undefined, { busyStatus: 409 }, 'true', '{ busyStatus: 409 }'],
    ['a status and none at all', { busyStatus: 429 }, false, '{ busyStatus: 429 }', 'false'],
    ['two statuses', { busyStatus: 429 }, { busyStatus: 409 }, '{ busyStatus: 429 }', '{ busyStatus: 409 }'],
    ['none at all and the default', false, true, 'false', 'true'],
  ])('has one setting: %s fail the start', async (_what, one, other, first, second) => {
    const error = await errorOf(startAll({ filter: one }, { name: 'reports', filter: other }));
    expect(error).toMatchObject({ code: 'LOCK_USAGE', message: expect.stringContaining('the same filter') });
    expect(error.message).toContain(`the default registration has filter: ${first}`);
    expect(error.message).toContain(`the registration 'reports' has filter: ${second}`);
  });

  it('may be said in several ways', async () => {
    const filters: Options['filter'][] = [
      undefined,
      true,
      {},
      { busyStatus: undefined },
      { busyStatus: 423 },
    ];
    await startAll(
      ...filters.map((filter, index) => ({ filter, name: index === 0 ? undefined : `r${index}` })),
    );
    await get('/throws/held').expect(423);
  });

  it.each<[Options['filter'], number]>([
    [{ busyStatus: 409 }, 409],
    [false, 500],
  ])('answers for all of them with %j', async (filter, status) => {
    await startAll({ filter }, { filter, name: 'reports' });
    await get('/throws/held').expect(status);
  });
});

describe('the filter', () => {
  it('lets the own HttpException of a locked method pass untouched', async () => {
    await start({});
    await get('/own').expect(403, { statusCode: 403, message: 'mine', error: 'Forbidden' });
  });

  it('leaves transports that it does not know to Nest', async () => {
    await start({});
    const filter = new LockExceptionFilter(app.get(HttpAdapterHost));
    expect(filter.catch(busy('held'), { getType: () => 'telegraph' } as never)).toBeUndefined();
    expect(lines).toEqual([]);
  });
});

describe('toHttpException', () => {
  it('keeps the lock error as its cause, and out of its message', async () => {
    await start({});
    const exception = toHttpException(ERRORS.held as LockError);
    expect(exception).toBeInstanceOf(HttpException);
    expect(exception.cause).toBe(ERRORS.held);
    expect(exception.message).not.toContain('4711');
    expect((await errorOf(Promise.reject(exception))).message).not.toContain('db-host');
  });
});

describe('errors of another copy of this package', () => {
  // As NestJS asks whether a filter is for an error.
  const types = Reflect.getMetadata(FILTER_CATCH_EXCEPTIONS, LockExceptionFilter) as (new () => unknown)[];
  const isFor = (error: unknown): boolean => types.some((type) => error instanceof type);

  it('are answered like those of this one', () => {
    const foreign = Object.assign(new Error('held'), { code: 'LOCK_BUSY', reason: 'held', waited: 0 });
    expect([foreign, busy('held'), new Error('own'), undefined].map(isFor)).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});

describe('a burst of refusals', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('is logged at once, then in one line a second with its names, however many there are', () => {
    const lines: string[] = [];
    const log = new BusyLog((line) => lines.push(line));
    const refuse = (name: string) =>
      log.refused(new LockBusyError(`'${name}' is held`, name, { reason: 'held', waited: 0 }));
    refuse('a');
    expect(lines.splice(0)).toEqual(["'a' is held"]);
    for (let count = 0; count < 500; count += 1) refuse(count % 2 === 0 ? 'a' : `name${count}`);
    expect(lines).toEqual([]);
    jest.advanceTimersByTime(1_000);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(
      /500 more calls did not get the lock: 'a' \(250\), 'name1' \(1\).*other locks \(241\)\.$/,
    );
    expect(lines.splice(0)[0]!.length).toBeLessThan(400);
    refuse('b');
    jest.advanceTimersByTime(1_000);
    expect(lines.splice(0)).toEqual([
      expect.stringMatching(/ 1 more call did not get the lock: 'b' \(1\)\.$/),
    ]);
    jest.advanceTimersByTime(1_000);
    expect(jest.getTimerCount()).toBe(0);
    refuse('c');
    expect(lines.splice(0)).toEqual(["'c' is held"]);
  });

  it('says the rest when it is closed, and leaves no timer', () => {
    const lines: string[] = [];
    const log = new BusyLog((line) => lines.push(line));
    const error = new LockBusyError('held', 'a', { reason: 'held', waited: 0 });
    for (let count = 0; count < 3; count += 1) log.refused(error);
    log.close();
    expect(lines).toEqual(['held', expect.stringMatching(/2 more calls/)]);
    log.refused(error);
    log.refused(error);
    expect(lines.slice(2)).toEqual(['held', 'held']);
    expect(jest.getTimerCount()).toBe(0);
  });
});
