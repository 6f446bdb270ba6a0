import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import type { RunningRedis } from './running-redis.js';

/**
 * The child is given as text since these tools run from TypeScript (jest) and compiled (demo), from different
 * places. It ends with its parent: the IPC channel closes however the parent dies.
 */
const CHILD = `
  process.on('disconnect', () => process.exit(0));
  process.on('SIGINT', () => undefined);
  require(process.argv[1]).createRedisMock().then(
    (server) => process.send({ url: 'redis://127.0.0.1:' + server.port }),
    (error) => process.send({ error: String(error && error.message) }),
  );
`;

/** Starts the Redis protocol server written in JavaScript, in a process of its own; undefined when it is not installed. */
export async function startRedisEmulation(): Promise<RunningRedis | undefined> {
  const entry = entryOfEmulation();
  if (entry === undefined) return undefined;
  const child = spawn(process.execPath, ['-e', CHILD, entry], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.ref();
    child.kill('SIGKILL');
    await exited;
  };
  const ready = new Promise<{ url?: string; error?: string }>((resolve) => {
    const timer = setTimeout(() => resolve({ error: 'it did not start within 15 s' }), 15_000);
    const settle = (answer: { url?: string; error?: string }) => {
      clearTimeout(timer);
      resolve(answer);
    };
    child.once('message', settle);
    child.once('error', (error) => settle({ error: error.message }));
    child.once('exit', (code) => settle({ error: `it ended with code ${code}` }));
  });
  const { url, error } = await ready;
  if (url === undefined) {
    await stop();
    throw new Error(`js-redis-server did not start: ${error}`);
  }
  child.unref();
  child.channel?.unref();
  return { url, kind: 'emulated', pid: child.pid as number, stop };
}

function entryOfEmulation(): string | undefined {
  try {
    return createRequire(import.meta.url).resolve('js-redis-server');
  } catch {
    return undefined;
  }
}
