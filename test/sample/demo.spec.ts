import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { createLockService } from 'nestjs-distributed-lock';
import { startDatabase, type RunningDatabase } from '../../tools/database/start-database.js';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';

const OUT = '.tmp/demo-spec';
let redis: RunningRedis;
let database: RunningDatabase;
let children: ChildProcess[] = [];

beforeAll(async () => {
  mkdirSync(OUT, { recursive: true });
  // A directory of its own: somebody may be running the demo from the other one.
  const config = { extends: '../../tsconfig.sample.json', compilerOptions: { outDir: 'out' } };
  const include = ['../../sample-app', '../../tools'];
  writeFileSync(`${OUT}/tsconfig.json`, JSON.stringify({ ...config, include }));
  [redis, database] = await Promise.all([startRedis({ given: false }), startDatabase()]);
  execFileSync(process.execPath, [
    'node_modules/@nestjs/cli/bin/nest.js',
    'build',
    '-p',
    `${OUT}/tsconfig.json`,
  ]);
}, 120_000);

afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children = [];
});

afterAll(() => Promise.all([redis?.stop(), database?.stop()]));

interface DemoRun {
  readonly child: ChildProcess;
  readonly exited: Promise<[number | null, string | null]>;
  said(): string;
  until(pattern: RegExp): Promise<void>;
  urls(): string[];
}

function runDemo(env: Record<string, string>, ...args: string[]): DemoRun {
  const child = spawn(process.execPath, [`${OUT}/out/tools/demo/main.js`, ...args], {
    env: { ...process.env, NODE_OPTIONS: '', REDIS_URL: redis.url, DATABASE_URL: database.url, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  children.push(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += String(chunk)));
  const said = () => stripVTControlCharacters(text);
  return {
    child,
    exited: once(child, 'exit') as Promise<[number | null, string | null]>,
    said,
    urls: () => [...new Set(said().match(/http:\/\/127\.0\.0\.1:\d+/g))],
    until: async (pattern) => {
      while (!pattern.test(said())) {
        if (child.exitCode !== null) throw new Error(`the demo ended: ${said()}`);
        await sleep(20);
      }
    },
  };
}

/** Ctrl-C: the terminal sends it to the whole process group. */
function pressCtrlC({ child }: DemoRun): void {
  process.kill(-(child.pid as number), 'SIGINT');
}

async function isOpen(url: string): Promise<boolean> {
  return fetch(`${url}/flash-sale/sneaker`).then(
    () => true,
    () => false,
  );
}

/** The names that somebody holds or waits for, in the namespaces that demos made. */
async function locksLeftBehind(): Promise<string[]> {
  const client = new Redis(redis.url, { disconnectTimeout: 50 });
  const keys = await client.keys('demo-*');
  client.disconnect();
  const left: string[] = [];
  for (const key of keys) {
    const [namespace, ...name] = key.split(':') as [string, ...string[]];
    const locks = createLockService({ redis: redis.url, namespace });
    const { holders, queue } = await locks.inspect(name.join(':'));
    if (holders.length + queue.length > 0) left.push(key);
    await locks.close();
  }
  expect(keys).not.toEqual([]);
  return left;
}

describe('the demo', () => {
  it('sells exactly what there is with the lock and more without it, by three processes, then stays open', async () => {
    const demo = runDemo({});
    await demo.until(/Ctrl-C ends everything/);
    const rows = demo.said().match(/^ {2}[✓✗].*$/gm);
    expect(rows).toEqual([
      expect.stringMatching(/✗ without a lock +\d+\/1 .*\+\d+ .*none/),
      expect.stringMatching(/✓ with the lock +1\/1 +0 +0 +1 ↑ /),
      expect.stringMatching(/✗ without a lock +\d+\/100 .*\+\d+ .*none/),
      expect.stringMatching(/✓ with the lock +100\/100 +0 +0 +100 ↑ +[1-9]\d*·[1-9]\d*·[1-9]\d* /),
    ]);
    expect(demo.said()).toContain('exactly 101 of 101');
    expect(demo.urls()).toHaveLength(3);
    expect(await Promise.all(demo.urls().map(isOpen))).toEqual([true, true, true]);

    pressCtrlC(demo);
    expect(await demo.exited).toEqual([0, null]);
    expect(await Promise.all(demo.urls().map(isOpen))).toEqual([false, false, false]);
    expect(await locksLeftBehind()).toEqual([]);
  }, 120_000);

  it('leaves no process and no lock behind when Ctrl-C comes in the middle of a race', async () => {
    const demo = runDemo({}, '--once');
    await demo.until(/50 buyers without a lock: done/);
    pressCtrlC(demo);
    expect(await demo.exited).toEqual([130, null]);
    expect(await Promise.all(demo.urls().map(isOpen))).toEqual([false, false, false]);
    expect(await locksLeftBehind()).toEqual([]);
  }, 120_000);

  it('leaves no process behind when it is killed', async () => {
    const demo = runDemo({}, '--once');
    await demo.until(/50 buyers without a lock: done/);
    demo.child.kill('SIGKILL');
    const open = async () => (await Promise.all(demo.urls().map(isOpen))).filter(Boolean).length;
    for (let i = 0; i < 100 && (await open()) > 0; i++) await sleep(100);
    expect(await open()).toBe(0);
  }, 120_000);

  it('says in one line what is missing, and fails', async () => {
    const demo = runDemo({ DATABASE_URL: 'postgres://ann:secret@127.0.0.1:1/shop' }, '--once');
    const [code] = await demo.exited;
    const complaints = demo.said().trim().split('\n').slice(1);
    expect([code, complaints]).toEqual([
      1,
      [
        expect.stringMatching(
          /^DATABASE_URL \(postgres:\/\/\*\*\*@127\.0\.0\.1:1\/shop\) does not answer: .*unset/,
        ),
      ],
    ]);
  }, 30_000);

  it('says in one line that a topology needs a server which can be started', async () => {
    const demo = runDemo({ PATH: '', REDIS_SERVER_BINARY: '' }, '--once', '--topology', 'sentinel');
    const [code] = await demo.exited;
    expect(code).toBe(1);
    expect(demo.said()).toMatch(/^--topology sentinel needs a redis-server that it can start: install one/m);
  }, 30_000);
});
