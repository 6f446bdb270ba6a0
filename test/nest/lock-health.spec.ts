import { Controller, Get, Inject, type INestApplication } from '@nestjs/common';
import { HealthCheck, HealthCheckService, HealthIndicatorService, TerminusModule } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import { Redis } from 'ioredis';
import { hostname } from 'node:os';
import request from 'supertest';
import { createLockService, DistributedLockModule, LockService } from '../../lib/index.js';
import { LockHealthIndicator, type LockHealthOptions } from '../../lib/terminus/index.js';
import { type RunningRedis, startRedis } from '../../tools/redis/start-redis.js';
import { failureOf, until } from '../support/eventually.js';
import { Lag } from '../support/lag.js';
import { LoggedLines } from '../support/logged-lines.js';
import { describeWithRealRedis } from '../support/real-redis.js';
import { TcpProxy } from '../support/tcp-proxy.js';

const PASSWORD = 'geheim42';
const NAMESPACE = 'shop-locks';
// A busy machine is no slow store.
const PATIENT: LockHealthOptions = { slow: '1m' };
/** How many turns of the event loop, each of which may be late, lie between the timer and the response. */
const TURNS = 3;
/** What no response may show: of the machine, the server, the user and the locks. */
const SECRETS = [PASSWORD, NAMESPACE, hostname(), '127.0.0.1', 'redis://', String(process.pid)];

describeWithRealRedis('the health of locks, over HTTP', () => {
  let redis: RunningRedis, admin: Redis, network: TcpProxy, app: INestApplication, lag: Lag;
  let options: LockHealthOptions = {};
  const logged = new LoggedLines();

  @Controller('health')
  class HealthController {
    constructor(
      @Inject(HealthCheckService) private readonly health: HealthCheckService,
      @Inject(LockHealthIndicator) private readonly locks: LockHealthIndicator,
    ) {}

    @Get()
    @HealthCheck()
    check() {
      return this.health.check([() => this.locks.check('locks', options)]);
    }
  }

  beforeAll(async () => {
    redis = await startRedis({ given: false, emulated: false });
    admin = new Redis(redis.url);
    await admin.config('SET', 'requirepass', PASSWORD);
    await admin.auth(PASSWORD);
    network = await TcpProxy.start(Number(new URL(redis.url).port));
    const url = `redis://:${PASSWORD}@127.0.0.1:${network.port}`;
    const module = await Test.createTestingModule({
      imports: [
        DistributedLockModule.forRoot({
          redis: url,
          namespace: NAMESPACE,
          shutdownGrace: 0,
          startup: 'warn',
        }),
        TerminusModule.forRoot({ logger: false }),
      ],
      controllers: [HealthController],
      providers: [LockHealthIndicator],
    })
      .setLogger(logged)
      .compile();
    app = module.createNestApplication();
    await app.listen(0, '127.0.0.1');
  });
  beforeEach(() => {
    lag = new Lag();
    options = PATIENT;
    logged.lines.length = 0;
  });
  afterEach(() => lag[Symbol.dispose]());
  afterAll(async () => {
    await app.close();
    admin.disconnect();
    await network.close();
    await redis.stop();
  }, 30_000);

  /** What `/health` says, and after how many milliseconds. */
  const health = async () => {
    const began = performance.now();
    const { status, text } = await request(app.getHttpServer()).get('/health');
    const took = performance.now() - began;
    for (const secret of SECRETS) expect(text).not.toContain(secret);
    const body = JSON.parse(text) as { status: string; details: { locks: Record<string, unknown> } };
    return { status, took, overall: body.status, locks: body.details.locks };
  };
  const healthy = () => until('it is up again', async () => (await health()).status === 200);
  /** Whatever became of the store, the answer comes in time. */
  const expectDown = async (message: RegExp, timeout = 1_000): Promise<void> => {
    const { status, took, locks } = await health();
    expect(locks).toEqual({
      status: 'down',
      message: expect.stringMatching(message),
      responseTime: expect.any(Number),
    });
    expect(status).toBe(503);
    expect(took).toTakeLessThan(timeout + 100, TURNS * lag.max);
  };

  it('up: what the probe found, and no address', async () => {
    const { status, overall, locks } = await health();
    expect([status, overall]).toEqual([200, 'ok']);
    expect(locks).toEqual({
      status: 'up',
      server: expect.stringMatching(/redis|valkey/),
      version: expect.stringMatching(/^\d+\./),
      role: 'master',
      maxmemoryPolicy: 'noeviction',
      publish: true,
      warnings: 0,
      responseTime: expect.any(Number),
    });
  });

  it('up: a warning of the probe is counted; its text is there on request only, and never the password', async () => {
    await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
    try {
      expect((await health()).locks).toMatchObject({ status: 'up', warnings: 1 });
      const all = await app.get(LockHealthIndicator).check('locks', { ...PATIENT, details: 'all' });
      expect(all.locks).toMatchObject({
        warnings: [expect.stringMatching(/may evict locks/)],
        address: expect.stringMatching(/^redis:\/\/127/),
      });
      expect(JSON.stringify(all)).not.toContain(PASSWORD);
      expect(logged.about('may evict')).toEqual([]); // a check says nothing that the start has said
    } finally {
      await admin.config('SET', 'maxmemory-policy', 'noeviction');
    }
  });

  it('degraded: the store is slow, and traffic still comes', async () => {
    options = { slow: 50 };
    network.delay({ down: 30 });
    const { status, overall, locks } = await health();
    expect([status, overall]).toEqual([200, 'degraded']);
    expect(locks).toMatchObject({ status: 'degraded', role: 'master' });
    network.pass();
    await healthy();
  });

  it('degraded is up with Terminus 11, which does not know it', async () => {
    const session = (key: string) => ({ up: (data: object) => ({ [key]: { status: 'up', ...data } }) });
    const eleven = new LockHealthIndicator(
      { check: session } as unknown as HealthIndicatorService,
      app.get(LockService),
    );
    network.delay({ down: 30 });
    const { locks } = await eleven.check('locks', { slow: 50 });
    expect(locks).toMatchObject({ status: 'up', degraded: true });
    network.pass();
  });

  it('down in time: the server is so slow that it could as well be gone', async () => {
    options = { timeout: 200 };
    network.delay({ down: 400 });
    await expectDown(/did not answer in time/, 200);
    network.pass();
    options = PATIENT;
    await healthy();
  });

  it('down in time: the server is frozen, also for many who ask at once; said once in the log', async () => {
    process.kill(redis.pid!, 'SIGSTOP');
    try {
      await Promise.all(Array.from({ length: 5 }, () => expectDown(/did not answer in time/)));
      await expectDown(/did not answer in time/);
    } finally {
      process.kill(redis.pid!, 'SIGCONT');
    }
    await healthy();
    expect(logged.about('Locks are down')).toHaveLength(1);
    expect(logged.about('Locks are up again')).toHaveLength(1);
    expect(logged.lines.join()).not.toContain(PASSWORD);
  });

  it('down: the server is full, and refuses to take a lock', async () => {
    await admin.config('SET', 'maxmemory', '1');
    try {
      await expectDown(/refused the probe/);
      const { locks } = await app.get(LockHealthIndicator).check('locks', { details: 'all' });
      expect(locks).toMatchObject({ message: expect.stringMatching(/OOM/) });
    } finally {
      await admin.config('SET', 'maxmemory', '0');
    }
    await healthy();
  });

  it.each([
    [{ timeout: '2h' }, /option timeout takes 10ms to 1m.*it was '2h'/],
    [{ slow: 5 }, /option slow takes 10ms to 1m/],
    [{ timeout: null }, /option timeout takes 10ms to 1m.*it was null/],
    [{ slow: null }, /option slow takes 10ms to 1m.*it was null/],
    [{ details: 'some' }, /option details takes 'safe' or 'all'; it was some/],
    [{ grace: 1 }, /no option grace; it has timeout, slow, details, locks/],
    [null, /must be an object; they were null/],
  ])('refuses the options %j', async (wrong, message) => {
    const error = await failureOf<Error>(app.get(LockHealthIndicator).check('locks', wrong as never));
    expect(error).toMatchObject({ code: 'LOCK_USAGE', message: expect.stringMatching(message) });
  });

  it('says what to do when there are no locks to check, and checks those that it is given', async () => {
    const alone = new LockHealthIndicator(app.get(HealthIndicatorService));
    expect(await failureOf<Error>(alone.check())).toMatchObject({
      message: expect.stringMatching(/no default registration/),
    });
    const locks = createLockService({ redis: 'memory' });
    expect(await alone.check('memory', { ...PATIENT, locks })).toEqual({
      memory: { status: 'up', publish: true, warnings: 0, responseTime: expect.any(Number) },
    });
    await locks.close();
  });

  it('down in time: the server was killed', async () => {
    process.kill(redis.pid!, 'SIGKILL');
    await until('it is gone', () => admin.status !== 'ready');
    for (let again = 0; again < 2; again += 1) await expectDown(/did not answer in time/);
    expect(logged.about('Locks are down')).toHaveLength(1);
  });
});
