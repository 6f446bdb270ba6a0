import { spawnSync } from 'node:child_process';
import { Redis } from 'ioredis';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import type { LockService } from '../../lib/locks/lock-service.js';
import { failureOf, until } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';
import { serverBinary } from '../../tools/redis/server-binary.js';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';
import { Monitor } from '../support/monitor.js';

describeWithRealRedis('the probe at start-up', () => {
  let redis: RunningRedis;
  let admin: Redis;
  let warnings: string[];
  const services: LockService[] = [];

  beforeAll(async () => {
    redis = await startRedis({ given: false });
    admin = new Redis(redis.url);
  });

  beforeEach(() => (warnings = []));

  afterEach(async () => {
    await Promise.all(services.splice(0).map((service) => service.close()));
    await admin.config('SET', 'maxmemory-policy', 'noeviction');
  });

  afterAll(async () => {
    admin.disconnect();
    await redis.stop();
  });

  function open(url = redis.url): LockService {
    const service = createLockService({ redis: url, log: { warn: (text) => void warnings.push(text) } });
    services.push(service);
    return service;
  }

  /** A URL for a user who may do everything but that. */
  async function without(...rights: string[]): Promise<string> {
    await admin.call('ACL', 'DELUSER', 'limited');
    await admin.call('ACL', 'SETUSER', 'limited', 'on', '>secret-of-limited', '~*', '&*', '+@all', ...rights);
    return redis.url.replace('redis://', 'redis://limited:secret-of-limited@');
  }

  it('says each warning once, however often a health check asks, and again when it comes back', async () => {
    const locks = open();
    await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
    for (let time = 0; time < 3; time += 1) await locks.ready();
    expect(warnings).toHaveLength(1);
    await admin.config('SET', 'maxmemory-policy', 'noeviction');
    await locks.ready();
    await admin.config('SET', 'maxmemory-policy', 'allkeys-lfu');
    await locks.ready();
    expect(warnings).toEqual([
      expect.stringContaining('allkeys-lru'),
      expect.stringContaining('allkeys-lfu'),
    ]);
  });

  it('tells what the server is, warns of nothing, and leaves no key', async () => {
    const findings = await open().ready();
    expect(findings).toMatchObject({
      role: 'master',
      maxmemoryPolicy: 'noeviction',
      publish: true,
      warnings: [],
    });
    expect(findings?.version).toMatch(/^\d+\.\d+/);
    expect(warnings).toEqual([]);
    expect(await admin.keys('lock:*')).toEqual([]);
    const said = spawnSync(serverBinary() ?? '', ['--version'], { encoding: 'utf8' }).stdout;
    expect(said).toContain(`v=${findings?.version}`);
    expect(said.toLowerCase()).toContain(`${findings?.server} server`);
  });

  it('writes to one key only', async () => {
    const touched: string[] = [];
    let finished = false;
    const monitor = await Monitor.of(admin, (words) => {
      touched.push(...words.filter((word) => /^lock:(?!session)/.test(word) && !word.includes('*')));
      finished ||= words[0]?.toLowerCase() === 'echo';
    });
    await open().ready();
    await admin.echo('the end');
    await until('all was heard', () => finished);
    await monitor.end();
    expect(touched.length).toBeGreaterThan(5);
    expect(new Set(touched)).toEqual(new Set([expect.stringMatching(/^lock:probe:/)]));
    expect(await admin.dbsize()).toBe(0);
  });

  it.each(['persist', 'hget', 'hmget', 'hset', 'append', 'pexpireat', 'del', 'set', 'time', 'mget'])(
    'fails, and names the right, when scripts may not use %s; nothing stays',
    async (command) => {
      const error = await failureOf<Error>(open(await without(`-${command}`)).ready());
      expect(error).toMatchObject({ code: 'LOCK_STORE', refused: true });
      expect(error.message).toMatch(
        new RegExp(`does not let this user run ${command.toUpperCase()} in scripts.*ACL: \\+${command}\\)`),
      );
      await until('nothing is left', async () => (await admin.dbsize()) === 0);
    },
  );

  it('names all rights that are missing at once', async () => {
    const { message } = await failureOf<Error>(open(await without('-persist', '-hget', '-hmget')).ready());
    expect(message).toMatch(/run HGET, HMGET and PERSIST in scripts.*ACL: \+hget \+hmget \+persist\)/);
  });

  it('names the pattern of keys that is missing', async () => {
    const url = await without('resetkeys', '~other:*');
    const error = await failureOf<Error>(open(url).ready());
    expect(error).toMatchObject({ code: 'LOCK_STORE', refused: true });
    expect(error.message).toMatch(/NOPERM.*ACL: ~lock:\*\)/);
  });

  it.each([
    [
      'publish',
      /let this user PUBLISH to lock:session:\*, so waiters ask.*ACL: &lock:session:\* \+publish\)/,
    ],
    ['subscribe', /let this user SUBSCRIBE to lock:session:\*, so waiters ask.*\+subscribe\)/],
    ['scan', /let this user run SCAN: latches, or reports .* will fail.*ACL: \+scan\)/],
    ['hsetnx', /let this user run HSETNX: latches.*ACL: \+hsetnx\)/],
  ])('warns, and names the right, when %s is missing', async (command, words) => {
    const locks = open(await without(`-${command}`));
    const notices = ['publish', 'subscribe'].includes(command);
    expect(await locks.ready()).toMatchObject({ publish: !notices });
    expect(warnings).toEqual([expect.stringMatching(words)]);
    expect(await locks.using('x', () => 'ran')).toBe('ran');
    await admin.del('lock:x');
  });

  it('is not the only one to say what is missing: a right that is taken away later is named, too', async () => {
    const locks = open(await without());
    await locks.using('x', () => undefined);
    await admin.call('ACL', 'SETUSER', 'limited', '-hmget', '-hget');
    await admin.hset('lock:general', 'v', '1', 'capacity', '0', 'fence', '5', 'ids', '');
    for (const call of [() => locks.acquire('general', { wait: '5s' }), () => locks.inspect('general')]) {
      const error = await failureOf<Error>(call());
      expect(error).toMatchObject({ code: 'LOCK_STORE', refused: true, foreign: false });
      expect(error.message).toMatch(/ACL failure in script|can't run this command/);
      expect(error.message).not.toMatch(/foreign|user_script|latch/);
    }
    await admin.del('lock:general', 'lock:x');
  });

  it('warns in one line, with the remedy, when the server may evict locks', async () => {
    await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
    await open().ready();
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/may evict locks .*allkeys-lru.*noeviction/);
  });

  it('fails loudly when scripts may not run, with the word of the server', async () => {
    await admin.call(
      'ACL',
      'SETUSER',
      'plain',
      'on',
      '>secret-of-plain',
      '~*',
      '&*',
      '+@all',
      '-evalsha',
      '-eval',
    );
    const url = redis.url.replace('redis://', 'redis://plain:secret-of-plain@');
    const failure: unknown = await open(url)
      .ready()
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'LOCK_STORE' });
    expect((failure as Error).message).toMatch(/NOPERM .*'evalsha' command.*ACL: \+evalsha\)/);
    expect((failure as Error).message).not.toContain('secret-of-plain');
  });

  it('warns that waiters have to ask when PUBLISH is denied, and locks work all the same', async () => {
    await admin.call(
      'ACL',
      'SETUSER',
      'quiet',
      'on',
      '>secret-of-quiet',
      '~*',
      '+@all',
      '-publish',
      '-subscribe',
    );
    const locks = open(redis.url.replace('redis://', 'redis://quiet:secret-of-quiet@'));
    expect(await locks.ready()).toMatchObject({ publish: false });
    expect(warnings.join()).toMatch(/PUBLISH/);
    const lease = await locks.acquire('silent');
    const next = open(redis.url.replace('redis://', 'redis://quiet:secret-of-quiet@')).acquire('silent');
    await lease.release();
    await (await next).release();
  });
});
