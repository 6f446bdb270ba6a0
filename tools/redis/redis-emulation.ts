import { createRequire } from 'node:module';
import { startChildServer } from '../child-server.js';
import type { RunningRedis } from './running-redis.js';

const SCRIPT = `
  import { createRequire } from 'node:module';
  const { createRedisMock } = createRequire(process.argv[1])(process.argv[1]);
  const server = await createRedisMock();
  process.send({ url: 'redis://127.0.0.1:' + server.port });
`;

/** Starts the Redis protocol server written in JavaScript, in a process of its own; undefined when it is not installed. */
export async function startRedisEmulation(): Promise<RunningRedis | undefined> {
  const entry = entryOfEmulation();
  if (entry === undefined) return undefined;
  return { kind: 'emulated', ...(await startChildServer('js-redis-server', SCRIPT, entry)) };
}

function entryOfEmulation(): string | undefined {
  try {
    return createRequire(import.meta.url).resolve('js-redis-server');
  } catch {
    return undefined;
  }
}
