import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { jest } from '@jest/globals';
import { transformFileSync } from '@swc/core';
import { Redis } from 'ioredis';
import { serverBinary } from '../../tools/redis/server-binary.js';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';

const started: RunningRedis[] = [];
const clients: Redis[] = [];
const saved = { ...process.env };

afterEach(async () => {
  process.env = { ...saved };
  for (const client of clients.splice(0)) client.disconnect();
  for (const running of started.splice(0)) await running.stop();
});

async function start(options?: Parameters<typeof startRedis>[0]): Promise<RunningRedis> {
  const running = await startRedis(options);
  started.push(running);
  return running;
}

function open(url: string): Redis {
  const client = new Redis(url, { retryStrategy: () => null, disconnectTimeout: 50 });
  client.on('error', () => undefined);
  clients.push(client);
  return client;
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('Redis without preparation', () => {
  it('starts several servers side by side, answers and leaves no process', async () => {
    const all = await Promise.all([1, 2, 3].map(() => start({ given: false })));
    expect(new Set(all.map(({ url }) => url)).size).toBe(3);
    for (const { url, stop, pid } of all) {
      expect(await open(url).ping()).toBe('PONG');
      await stop();
      await stop();
      if (pid !== undefined) expect(exists(pid)).toBe(false);
    }
  });

  it('uses REDIS_URL and does not stop it', async () => {
    const mine = await start({ given: false });
    process.env.REDIS_URL = mine.url;
    const running = await start();
    expect(running).toMatchObject({ kind: 'given', url: mine.url });
    await running.stop();
    expect(await open(mine.url).ping()).toBe('PONG');
  });

  it('says in one line that REDIS_URL does not answer, without its password', async () => {
    process.env.REDIS_URL = 'redis://user:secret@127.0.0.1:1';
    const error = await startRedis().catch((e: Error) => e);
    expect(error).toBeInstanceOf(Error);
    expect((error as Error).message).toMatch(
      /^REDIS_URL \(redis:\/\/\*\*\*@127\.0\.0\.1:1\) does not answer: .+unset REDIS_URL\.$/,
    );
  });

  it('says what to install when only the emulation is left and a real server is required', async () => {
    process.env.PATH = '';
    delete process.env.REDIS_SERVER_BINARY;
    process.env.REQUIRE_REAL_REDIS = '1';
    await expect(startRedis({ given: false })).rejects.toThrow(/install redis-server or valkey-server/);
  });

  it('starts the program that REDIS_SERVER_BINARY names, and says when that is none', async () => {
    const program = serverBinary();
    if (program === undefined) return; // only the emulation is here
    process.env.REDIS_SERVER_BINARY = program;
    process.env.PATH = '';
    expect(await start({ given: false })).toMatchObject({ kind: 'server' });
    process.env.REDIS_SERVER_BINARY = '/no/such/server';
    await expect(startRedis({ given: false })).rejects.toThrow(
      /REDIS_SERVER_BINARY \(\/no\/such\/server\) is no program/,
    );
  });

  it('falls back to the emulation with a banner', async () => {
    process.env.PATH = '';
    delete process.env.REDIS_SERVER_BINARY;
    delete process.env.REQUIRE_REAL_REDIS;
    const written: string[] = [];
    const write = jest.spyOn(process.stderr, 'write').mockImplementation((text) => {
      written.push(String(text));
      return true;
    });
    const running = await start({ given: false });
    write.mockRestore();
    expect(running.kind).toBe('emulated');
    expect(written.join('')).toContain('EMULATED');
    const client = open(running.url);
    expect(await client.eval("return redis.call('TIME')[1]", 0)).toMatch(/^\d{10}$/);
  });

  it('gives extra arguments to the server', async () => {
    const running = await start({ given: false, args: ['--databases', '3'] });
    if (running.kind !== 'server') return;
    await expect(open(running.url).select(3)).rejects.toThrow(/out of range/);
  });

  it('ends what is guarded when this process is killed, and leaves alone what is disarmed', async () => {
    const { code } = transformFileSync('tools/orphan-guard.ts', {
      jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
      module: { type: 'es6' },
    });
    const directory = mkdtempSync(join(tmpdir(), 'lock-guard-'));
    const use = `
      guardAgainstOrphan('touch disarmed')();
      guardAgainstOrphan('touch guarded');
      setInterval(() => undefined, 1000);
      console.log('ready');`;
    writeFileSync(join(directory, 'guarded.mjs'), code + use);
    const parent = spawn(process.execPath, ['guarded.mjs'], { cwd: directory });
    await once(parent.stdout, 'data');
    parent.kill('SIGKILL');
    for (let i = 0; i < 200 && !existsSync(join(directory, 'guarded')); i++) await sleep(20);
    const found = ['guarded', 'disarmed'].map((file) => existsSync(join(directory, file)));
    rmSync(directory, { recursive: true });
    expect(found).toEqual([true, false]);
  });
});
