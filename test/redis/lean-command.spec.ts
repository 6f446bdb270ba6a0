import { tracingChannel } from 'node:diagnostics_channel';
import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis-5';
import { sendLean } from '../../lib/store/redis/lean-command.js';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';
import { pass } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';

const ECHO = 'return { ARGV[1], { KEYS[1], 7 }, redis.error_reply("ERR one of them") }';

describeWithRealRedis('the call of a script for one name', () => {
  let redis: RunningRedis;
  beforeAll(async () => (redis = await startRedis()));
  afterAll(() => redis.stop());

  it('is traced by ioredis until its answer', async () => {
    const client = new Redis(redis.url);
    const ended: unknown[] = [];
    const trace = tracingChannel<unknown, { command: string; result?: unknown }>('ioredis:command');
    const nothing = (): void => undefined;
    const heard = {
      ...{ start: nothing, end: nothing, asyncStart: nothing, error: nothing },
      asyncEnd: ({ command, result }: { command: string; result?: unknown }): void =>
        void (command === 'echo' && ended.push(result)),
    };
    trace.subscribe(heard);
    try {
      const answer = new Promise((resolve, reject) => sendLean(client, 'echo', ['text'], resolve, reject));
      expect(await answer).toBe('text');
      await pass(0);
      expect(ended).toEqual(['text']);
    } finally {
      trace.unsubscribe(heard);
      client.disconnect();
    }
  });

  it.each([
    ['6', Redis],
    ['5', Redis5 as unknown as typeof Redis],
  ])(
    'is answered among other commands, refused, and lost, as by a command of ioredis %s',
    async (_, Client) => {
      const client = new Client(redis.url, {
        enableOfflineQueue: false,
        lazyConnect: true,
        retryStrategy: () => null,
      });
      await client.connect();
      client.on('error', () => undefined);
      const digest = (await client.script('LOAD', ECHO)) as string;
      const run = (...args: (string | number)[]): Promise<unknown> =>
        new Promise((resolve, reject) => sendLean(client, 'evalsha', args, resolve, reject));
      const texts = ['plain', 'größe 🔒', ''];
      client.stream.cork();
      const answers = texts.flatMap((text) => [run(digest, 1, `key ${text}`, text), client.echo(text)]);
      client.stream.uncork();
      const heard = await Promise.all(answers);
      for (const [index, text] of texts.entries()) {
        const error = expect.objectContaining({ message: 'ERR one of them' }) as unknown;
        expect(heard[2 * index]).toEqual([text, [`key ${text}`, 7], error]);
        expect(heard[2 * index + 1]).toBe(text);
      }
      await expect(run('0'.repeat(40), 1, 'key', '')).rejects.toThrow(/^NOSCRIPT/);
      const lost = run(digest, 1, 'key', '');
      client.stream.destroy();
      await expect(lost).rejects.toThrow('Connection is closed.');
      await expect(run(digest, 1, 'key', '')).rejects.toThrow(/Connection is closed|isn't writeable/);
    },
  );
});
