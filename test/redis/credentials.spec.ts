import { inspect } from 'node:util';
import { jest } from '@jest/globals';
import { Redis } from 'ioredis';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import type { LockServiceOptions } from '../../lib/locks/lock-options.js';
import { failureOf } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';

const SECRET = 's3cret-P4ss';
const WRONG = 'wr0ng-s3cret';

/** Everything that a log could show of a value. */
function shownOf(value: unknown): string {
  const error = value as Error;
  return [
    inspect(value, { depth: 12, showHidden: true }),
    String(value),
    error.stack,
    JSON.stringify(value),
  ].join('\n');
}

describe('credentials in a source that is refused', () => {
  const sources: LockServiceOptions['redis'][] = [
    `http://user:${SECRET}@localhost:6379`,
    `user:${SECRET}@localhost:6379`,
    `redis://user:${SECRET}@`,
    `redis://:${SECRET}/with-slash@localhost:6379`,
    `redis://user:${SECRET} with space@local host`,
    `redis://user:${SECRET}@localhost:99999`,
    `redis://user:p@${SECRET}@localhost/db`,
    `REDIS//:${SECRET}@localhost`,
    `http://localhost?password=${SECRET}`,
    `redis://:${SECRET}`,
    `redis:${SECRET}`,
    `user:${SECRET}`,
    { host: `redis://:${SECRET}@127.0.0.1:1` },
    { host: `user:${SECRET}@127.0.0.1` },
    { path: `redis://:${SECRET}@127.0.0.1:1` },
    { cluster: [{ host: '127.0.0.1', port: `redis://:${SECRET}@h` as unknown as number }] },
    new Redis({ host: `redis://:${SECRET}@127.0.0.1:1`, lazyConnect: true }),
    { sentinels: `redis://:${SECRET}@s-1:26379` as never, name: 'm' },
    { sentinels: [{ host: `redis://:${SECRET}@s-1` }], name: 'm' },
    { cluster: `redis://:${SECRET}@node-1:7000` as never },
    { cluster: `redis://u:${SECRET}@127.0.0.1:1,redis://u:${SECRET}@127.0.0.1:2` as never },
    { cluster: [{ host: `redis://:${SECRET}@127.0.0.1:1`, port: 1 }] },
  ];
  it.each(sources.map((redis) => [redis]))('%#: they are not in the error', (redis) => {
    let refusal: unknown;
    try {
      createLockService({ redis });
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toMatchObject({ code: 'LOCK_USAGE' });
    expect(shownOf(refusal)).not.toContain(SECRET);
  });
});

describeWithRealRedis('credentials of a server', () => {
  let redis: RunningRedis;
  const warnings: string[] = [];
  const written: string[] = [];

  beforeAll(() => {
    for (const stream of [process.stdout, process.stderr])
      jest.spyOn(stream, 'write').mockImplementation((text) => written.push(String(text)) > 0);
    for (const how of ['log', 'info', 'warn', 'error'] as const)
      jest.spyOn(console, how).mockImplementation((...texts) => void written.push(texts.map(shownOf).join()));
  });
  afterAll(() => jest.restoreAllMocks());

  beforeAll(async () => (redis = await startRedis({ args: ['--requirepass', SECRET] })));
  afterAll(() => redis.stop());

  function sources(password: string, port: number) {
    return [
      ['a URL', `redis://:${password}@127.0.0.1:${port}`],
      ['options', { port, password }],
      ['a client', new Redis({ port, password, lazyConnect: true })],
    ] as const;
  }

  /** Every failure that can be had of a server with these sources, as text. */
  async function failures(password: string, port: number): Promise<string> {
    const log = { warn: (message: string) => void warnings.push(message) };
    const texts = sources(password, port).map(async ([, source]) => {
      const locks = createLockService({ redis: source, ttl: 300, startup: 'warn', shutdownGrace: 0, log });
      const errors = [
        await failureOf(locks.acquire('x', { wait: 400 })),
        await failureOf(locks.tryAcquire('x')),
        await failureOf(locks.using('x', () => 1, { wait: 100 })),
        await failureOf(locks.inspect('x')),
        await failureOf(locks.revoke('x', { reason: 'test' })),
      ];
      await locks.ready();
      await locks.close();
      return errors.map(shownOf).join('\n');
    });
    return (await Promise.all(texts)).join('\n');
  }

  it('they are in no error: neither of a server that is down, nor of one that refuses them', async () => {
    const [down, wrong] = await Promise.all([
      failures(SECRET, 1),
      failures(WRONG, Number(new URL(redis.url).port)),
    ]);
    expect(down).toContain('127.0.0.1:1');
    expect(down).not.toContain(SECRET);
    expect(wrong).toMatch(/WRONGPASS|NOAUTH/);
    expect(wrong).not.toContain(WRONG);
  }, 20_000);

  it('they are in no warning and nothing that was written', () => {
    expect(warnings.length).toBeGreaterThan(0);
    for (const text of [...warnings, ...written]) expect(text).not.toMatch(new RegExp(`${SECRET}|${WRONG}`));
  });

  it('they open the server when they are right', async () => {
    for (const [, source] of sources(SECRET, Number(new URL(redis.url).port))) {
      const locks = createLockService({ redis: source });
      expect(await locks.using('x', () => 'ran')).toBe('ran');
      await locks.close();
    }
  });
});
