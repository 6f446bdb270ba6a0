import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { guardAgainstOrphan } from '../orphan-guard.js';
import { redisAnswer } from './redis-answer.js';
import type { RunningRedis } from './running-redis.js';

const run = promisify(execFile);
const IMAGE = 'redis:7-alpine';

/** Starts Redis by docker; undefined when there is no daemon, or no image and no way to pull it. */
export async function startRedisContainer(args: readonly string[]): Promise<RunningRedis | undefined> {
  const docker = async (timeout: number, ...words: string[]) => {
    const { stdout } = await run('docker', words, { timeout });
    return stdout.trim();
  };
  let id: string | undefined;
  try {
    await docker(5_000, 'info', '--format', '{{.ServerVersion}}');
    const server = ['redis-server', '--save', '', '--appendonly', 'no', ...args];
    // The daemon chooses the port, so there is none to clash.
    id = await docker(120_000, 'run', '--rm', '-d', '-p', '127.0.0.1::6379', IMAGE, ...server);
    const container = id;
    const disarm = guardAgainstOrphan(`docker kill ${container}`);
    const stop = async () => {
      await docker(20_000, 'kill', container).catch(() => undefined);
      disarm();
    };
    const port = Number(
      (await docker(5_000, 'port', container, '6379/tcp')).split('\n')[0]?.split(':').at(-1),
    );
    for (const end = Date.now() + 10_000; Date.now() < end; await sleep(20)) {
      if ((await redisAnswer(port)) !== undefined)
        return { url: `redis://127.0.0.1:${port}`, kind: 'docker', stop };
    }
    await stop();
    return undefined;
  } catch {
    if (id !== undefined) await docker(20_000, 'kill', id).catch(() => undefined);
    return undefined;
  }
}
