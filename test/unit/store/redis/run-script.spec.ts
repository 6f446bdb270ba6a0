import type { Redis } from 'ioredis';
import type { PendingCommand } from '../../../../lib/store/redis/pending-command.js';
import { runForOne } from '../../../../lib/store/redis/run-script.js';

describe('a script for a key that is on its way to the server', () => {
  it.each([
    [true, ['asking', 'evalsha', 'asking', 'eval', 'unknown']],
    [false, ['evalsha', 'eval', 'unknown']],
  ])('asking: %s, each command for the key has its own ASKING', async (asking, expected) => {
    const sent: string[] = [];
    const client = {
      asking: () => Promise.resolve(void sent.push('asking')),
      sendCommand: ({ name, reject }: { name: string; reject(error: Error): void }) => {
        sent.push(name);
        reject(new Error('NOSCRIPT No matching script.'));
      },
      eval: () => {
        sent.push('eval');
        return Promise.resolve('answer');
      },
    } as unknown as Redis;
    const unknown = (): void => void sent.push('unknown');
    const answer = await new Promise((resolve, reject) => {
      const command = { resolve, reject } as unknown as PendingCommand<unknown>;
      const call = { key: 'key', args: [], command, tellsFirst: false, asking };
      const failed = (_name: unknown, _calls: unknown, error: Error): void => reject(error);
      runForOne(client, 'acquire', 'terms', call, { unknown, failed });
    });
    expect(answer).toBe('answer');
    expect(sent).toEqual(expected);
  });
});
