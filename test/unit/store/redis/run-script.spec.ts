import type { Redis } from 'ioredis';
import { runScript } from '../../../../lib/store/redis/run-script.js';

describe('a script for a key that is on its way to the server', () => {
  it.each([
    [true, ['asking', 'evalsha', 'asking', 'eval', 'unknown']],
    [false, ['evalsha', 'eval', 'unknown']],
  ])('asking: %s, each command for the key has its own ASKING', async (asking, expected) => {
    const sent: string[] = [];
    const client = {
      asking: () => Promise.resolve(void sent.push('asking')),
      evalsha: () => {
        sent.push('evalsha');
        return Promise.reject(new Error('NOSCRIPT No matching script.'));
      },
      eval: () => {
        sent.push('eval');
        return Promise.resolve('answer');
      },
    } as unknown as Redis;
    const unknown = (): void => void sent.push('unknown');
    const answer = await new Promise((resolve, reject) =>
      runScript(client, 'acquire', ['key'], [], unknown, resolve, reject, asking),
    );
    expect(answer).toBe('answer');
    expect(sent).toEqual(expected);
  });
});
