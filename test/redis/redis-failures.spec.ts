import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis-5';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import type { LockStoreError } from '../../lib/base/errors.js';
import { codeOf, RedisFailures } from '../../lib/store/redis/redis-failures.js';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { failureOf } from '../support/eventually.js';

// Names of the client's options, and its advice to change them: they are ours to set.
const CLIENTS_WORDS = /writeable|enableOfflineQueue|maxRetriesPerRequest|max retries|option/i;

describe('a failure of the connection', () => {
  const failures = new RedisFailures('redis://host:6379/0', []);
  let redis: RunningRedis;
  beforeAll(async () => (redis = await startRedis({ given: false })));
  afterAll(() => redis.stop());

  it.each([
    ['5', () => new Redis5({ lazyConnect: true, enableOfflineQueue: false })],
    ['6', () => new Redis({ lazyConnect: true, enableOfflineQueue: false })],
  ])('before a command was sent is told in our own words, with ioredis %s', async (_version, make) => {
    const client = make();
    const error = failures.of('acquire', await failureOf(client.get('key')));
    expect(error.message).toBe(
      'Redis at redis://host:6379/0 failed acquire: the connection is down, and nothing was sent',
    );
    expect(error).toMatchObject({
      refused: false,
      cause: { message: expect.not.stringMatching(CLIENTS_WORDS) },
    });
    client.disconnect();
  });

  it('before the answer came is told in our own words, and that the outcome is unknown', async () => {
    const proxy = await TcpProxy.start(Number(new URL(redis.url).port));
    const locks = createLockService({ redis: proxy.url, log: { warn: () => undefined } });
    await locks.using('x', () => undefined);
    proxy.dropReply();
    // Of all commands, this is one that may not be sent twice.
    const error = await failureOf<LockStoreError>(locks.latch('x').trySetCount(1));
    expect(error).toMatchObject({ code: 'LOCK_STORE', refused: false });
    expect(error.message).toMatch(/the connection was lost before the answer came; its outcome is unknown/);
    expect(error.message).not.toMatch(CLIENTS_WORDS);
    await locks.close();
    await proxy.close();
  });

  it('of a connection that was closed is told in our own words', async () => {
    const client = new Redis(redis.url);
    await client.ping();
    const asked = client.blpop('never', 0);
    client.disconnect();
    const { message } = failures.of('acquire', await failureOf(asked));
    expect(message).toMatch(/failed acquire: the connection was lost before the answer came/);
  });

  it.each([
    ['READONLY', false],
    ['LOADING', false],
    ['OOM', true],
    ['NOREPLICAS', true],
  ])('inside a script is known by its code %s, also in the words of Redis 6.2', (code, refused) => {
    const sentence = `ERR Error running script (call to f_0ae1): @user_script:36: @user_script: 36: -${code} the rest`;
    for (const words of [`${code} the rest`, sentence]) {
      expect(codeOf(new Error(words))).toBe(code);
      expect(failures.of('acquire', new Error(words))).toMatchObject({ refused });
    }
  });

  it('shows no password, and leaves words alone that only have its letters', () => {
    const { wordsOf } = Object.getPrototypeOf(failures) as RedisFailures;
    const words = (password: string, text: string): string =>
      wordsOf.call(new RedisFailures('redis://host', [password]), new Error(text));
    expect(words('p', 'NOPERM No permissions to run p')).toBe('NOPERM No permissions to run ***');
    expect(words('a-b/[c]', 'AUTH "a-b/[c]"')).toBe('AUTH "***"');
    expect(words('a.b', 'AUTH "a.b", not axb')).toBe('AUTH "***", not axb');
  });

  it('of a foreign value names the lock', async () => {
    const admin = new Redis(redis.url);
    await admin.lpush('lock:taken', 'by somebody else');
    const locks = createLockService({ redis: redis.url, log: { warn: () => undefined } });
    const error = await failureOf<LockStoreError>(locks.acquire('taken'));
    expect(error).toMatchObject({ code: 'LOCK_STORE', lockName: 'taken', foreign: true });
    expect(error.message).toContain("'taken'");
    await locks.close();
    await admin.del('lock:taken');
    admin.disconnect();
  });
});
