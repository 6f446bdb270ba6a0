import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../free-port.js';
import { guardAgainstOrphan } from '../orphan-guard.js';
import { redisAnswer } from './redis-answer.js';
import type { RunningRedis } from './running-redis.js';
import { serverBinary } from './server-binary.js';

/** Starts REDIS_SERVER_BINARY, or redis-server or valkey-server of PATH; undefined when there is none. */
export async function startRedisBinary(args: readonly string[]): Promise<RunningRedis | undefined> {
  const binary = serverBinary();
  if (binary === undefined) return undefined;
  let said = '';
  for (let attempt = 0; attempt < 5; attempt++) {
    const port = await freePort();
    const directory = mkdtempSync(join(tmpdir(), 'lock-redis-'));
    const fixed = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
    // Detached: Ctrl-C goes to the whole process group, and leases must still be released after it.
    const child = spawn(binary, [...fixed, '--dir', directory, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    child.stdout.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2000)));
    child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2000)));
    child.on('error', (error) => (said += error.message));
    const exited = new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      child.once('error', () => resolve());
    });
    const disarm =
      child.pid === undefined ? () => undefined : guardAgainstOrphan(killCommand(child.pid, directory));
    const cleanUp = async () => {
      if (isRunning(child)) {
        child.ref();
        child.kill('SIGKILL');
        await exited;
      }
      disarm();
      rmSync(directory, { recursive: true, force: true });
    };
    if (await isReady(child, port)) {
      unref(child);
      return { url: `redis://127.0.0.1:${port}`, kind: 'server', pid: child.pid as number, stop: cleanUp };
    }
    await cleanUp();
  }
  const last = said.trim().split('\n').at(-1) ?? 'it said nothing';
  throw new Error(`${binary} did not start in 5 attempts: ${last}`);
}

/** Ready is who answers under our own process id: another server may have taken the port before ours did. */
async function isReady(child: ChildProcess, port: number): Promise<boolean> {
  for (const end = Date.now() + 10_000; Date.now() < end && isRunning(child); await sleep(10)) {
    const answer = await redisAnswer(port);
    if (answer === undefined || !isRunning(child)) continue;
    const pid = /process_id:(\d+)/.exec(answer)?.[1];
    if (pid === undefined || Number(pid) === child.pid) return true;
  }
  return false;
}

function isRunning(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

function unref(child: ChildProcess): void {
  child.unref();
  for (const stream of [child.stdout, child.stderr]) (stream as unknown as { unref(): void }).unref();
}

function killCommand(pid: number, directory: string): string {
  return `kill -9 ${pid}; rm -rf '${directory}'`;
}
