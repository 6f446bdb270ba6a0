// What the programs share that install the packed package as users do.
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { freePort } from './shutdown.mjs';

const root = join(import.meta.dirname, '../..');

export const NPM = ['npm', 'install', '--no-audit', '--no-fund', '--loglevel=error'];

/** Packs this tree into `dir`; returns the tarball. npm builds it before, unless `built` says that dist/ is up to date. */
export function pack(dir, { built = false } = {}) {
  const args = ['pack', '--silent', '--pack-destination', dir, ...(built ? ['--ignore-scripts'] : [])];
  const { status, stdout, stderr } = spawnSync('npm', args, { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(`npm pack failed:\n${stdout}${stderr}`);
  return join(dir, stdout.trim().split('\n').at(-1));
}

/** Runs a command to its end; what it says is shown when it fails. One that does not end is begun again, if it may. */
export function run(cwd, [command, ...args], env = {}, { limit = 300_000, starts = 1 } = {}) {
  const { status, signal, error, stdout, stderr } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, REDIS_URL: undefined, NAMESPACE: undefined, ...env },
    timeout: limit,
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error?.code === 'ETIMEDOUT' && starts > 1) {
    console.log(`${[command, ...args].join(' ')} did not end within ${limit / 1_000} s and is begun again`);
    run(cwd, [command, ...args], env, { limit, starts: starts - 1 });
    return;
  }
  if (error || status !== 0)
    throw new Error(`${[command, ...args].join(' ')} ended with ${status ?? signal}\n${stdout}${stderr}`, {
      cause: error,
    });
}

/** A Redis of REDIS_URL, of REDIS_SERVER_BINARY or of redis-server on PATH; without any the applications lock in memory only. */
export async function openRedis(dir) {
  if (process.env.REDIS_URL) return { url: process.env.REDIS_URL, close: () => undefined };
  const binary = process.env.REDIS_SERVER_BINARY || 'redis-server';
  if (spawnSync(binary, ['--version']).error) return undefined;
  const port = await freePort();
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', dir];
  const server = spawn(binary, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve, reject) => {
    server.on('exit', () => reject(new Error(`${binary} ended`)));
    server.stdout.on('data', (text) => String(text).includes('Ready to accept') && resolve());
  });
  const ended = new Promise((resolve) => server.on('exit', resolve));
  const close = () => {
    server.kill();
    return ended;
  };
  return { url: `redis://127.0.0.1:${port}`, close };
}
