import { Redis } from 'ioredis';
import { startRedisBinary } from './redis-binary.js';
import { startRedisContainer } from './redis-container.js';
import { startRedisEmulation } from './redis-emulation.js';
import type { RunningRedis, StartRedisOptions } from './running-redis.js';

export type { RunningRedis, StartRedisOptions } from './running-redis.js';

const INSTALL =
  'install redis-server or valkey-server (apt install redis-server, brew install redis), start docker, or set REDIS_URL';

/**
 * A Redis without preparation: REDIS_URL, else REDIS_SERVER_BINARY, else redis-server or valkey-server on PATH, else
 * docker, else the emulation. REQUIRE_REAL_REDIS=1 turns the last step into an error, unless the caller asked for the emulation.
 */
export async function startRedis(options: StartRedisOptions = {}): Promise<RunningRedis> {
  if (options.emulated === true) return emulation();
  const given = process.env.REDIS_URL;
  if (given !== undefined && given !== '' && options.given !== false && options.args === undefined) {
    return await givenRedis(given);
  }
  const args = options.args ?? [];
  const real = (await startRedisBinary(args)) ?? (await startRedisContainer(args));
  if (real !== undefined) return real;
  if (options.emulated === false || process.env.REQUIRE_REAL_REDIS === '1') {
    throw new Error(`No Redis was found and the emulation is not wanted here: ${INSTALL}.`);
  }
  const running = await emulation();
  process.stderr.write(banner());
  return running;
}

async function emulation(): Promise<RunningRedis> {
  const running = await startRedisEmulation();
  if (running === undefined)
    throw new Error(`No Redis was found and js-redis-server is missing: run npm ci, or ${INSTALL}.`);
  return running;
}

async function givenRedis(url: string): Promise<RunningRedis> {
  const client = new Redis(url, {
    lazyConnect: true,
    connectTimeout: 3_000,
    disconnectTimeout: 50,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  let reason = '';
  client.on('error', (error: Error) => (reason = error.message));
  try {
    await client.connect();
    await client.ping();
  } catch (error) {
    const why = reason === '' ? (error as Error).message : reason;
    throw new Error(
      `REDIS_URL (${withoutCredentials(url)}) does not answer: ${why}. Start it, or unset REDIS_URL.`,
    );
  } finally {
    client.disconnect();
  }
  return { url, kind: 'given', stop: () => Promise.resolve() };
}

function withoutCredentials(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//***@');
}

function banner(): string {
  const line = '='.repeat(78);
  return `\n${line}\n  Redis is EMULATED by js-redis-server: figures are not those of a real server.\n  For a real one: redis-server on PATH, docker, or REDIS_URL.\n${line}\n\n`;
}
