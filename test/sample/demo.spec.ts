import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { stripVTControlCharacters } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import pg from 'pg';
import { createLockService } from 'nestjs-distributed-lock';
import type { Tick } from '../../sample-app/live/stage.js';
import { startDatabase, type RunningDatabase } from '../../tools/database/start-database.js';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';

const OUT = '.tmp/demo-spec';
let redis: RunningRedis;
let database: RunningDatabase;
let children: ChildProcess[] = [];

beforeAll(async () => {
  // A directory of its own: somebody may be running the demo from the other one.
  execFileSync(process.execPath, ['tools/build-sample.mjs', OUT]);
  [redis, database] = await Promise.all([startRedis({ given: false }), startDatabase()]);
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
  const child = spawn(process.execPath, [`${OUT}/tools/demo/main.js`, ...args], {
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
    (response) => response.text().then(() => true),
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

/** The status of a POST as a browser or a program may send it; fetch does not let one choose these headers. */
function sendPost(url: string, body: object, headers: Record<string, string> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const json = { 'content-type': 'application/json', ...headers };
    const sent = request(url, { method: 'POST', headers: json }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on('error', reject);
    sent.end(JSON.stringify(body));
  });
}

/** What the stream of the page says when no sale runs any more. */
async function lastTick(url: string): Promise<Tick> {
  const aborter = new AbortController();
  const { body } = await fetch(`${url}/live/ticks`, { signal: aborter.signal });
  let rest = '';
  for await (const chunk of body!.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines.filter((one) => one.startsWith('data: '))) {
      const tick = JSON.parse(line.slice('data: '.length)) as Tick;
      if (tick.running) continue;
      aborter.abort();
      return tick;
    }
  }
  throw new Error('The stream has ended.');
}

describe('the demo', () => {
  it('sells exactly what there is with the lock and more without it, by three processes, and ends where no terminal is', async () => {
    const demo = runDemo({});
    expect(await demo.exited).toEqual([0, null]);
    const rows = demo.said().match(/^ {2}[✓✗].*$/gm);
    expect(rows).toEqual([
      expect.stringMatching(/✗ without a lock +\d+\/1 .*\+\d+ .*none/),
      expect.stringMatching(/✓ with the lock +1\/1 +0 +0 +1 ↑ /),
      expect.stringMatching(/✗ without a lock +\d+\/100 .*\+\d+ .*none/),
      expect.stringMatching(/✓ with the lock +100\/100 +0 +0 +100 ↑ +[1-9]\d*·[1-9]\d*·[1-9]\d* /),
    ]);
    expect(demo.said()).toContain('exactly 101 of 101');
    expect(demo.said()).toMatch(/wait p99 +answers\/s$/m);
    expect(demo.urls()).toHaveLength(3);
    expect(await Promise.all(demo.urls().map(isOpen))).toEqual([false, false, false]);
    expect(await locksLeftBehind()).toEqual([]);
  }, 120_000);

  it('serves a page whose stream tells what the database has, to this machine only, until Ctrl-C', async () => {
    const demo = runDemo({}, '--page');
    await demo.until(/Ctrl-C ends everything/);
    const [url = ''] = demo.urls();
    const page = await fetch(url);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(await page.text()).toContain('/page.mjs');
    for (const path of ['/page.mjs', '/words.mjs', '/style.css', '/uplot/uPlot.esm.js'])
      expect(
        await fetch(url + path).then(async (one) => [one.status, (await one.text()).length > 0]),
      ).toEqual([200, true]);
    for (const [headers, status] of [
      [{ origin: 'https://shop.example' }, 403],
      [{ host: 'shop.example' }, 403],
      [{ origin: url }, 400],
      [{}, 400],
    ] as const)
      expect([headers, await sendPost(`${url}/live/sales`, { buyers: 7 }, headers)]).toEqual([
        headers,
        status,
      ]);

    expect(await sendPost(`${url}/live/sales`, { buyers: 50 })).toBe(204);
    expect(await sendPost(`${url}/live/sales`, { buyers: 50 })).toBe(409); // one is running
    expect(await sendPost(`${url}/live/redis`, { running: false })).toBe(409); // it was given
    const { halves, processes } = await lastTick(url);
    const sql = new pg.Client({ connectionString: database.url });
    await sql.connect();
    const { rows } = await sql.query<{ sku: string; sold: number }>(
      `select sku, count(*)::integer as sold from flash_sale.orders where sku like 'live-%' group by 1 order by 1`,
    );
    await sql.end();
    expect(rows).toEqual([
      { sku: 'live-locked', sold: halves.locked.sold },
      { sku: 'live-unlocked', sold: halves.unlocked.sold },
    ]);
    expect(halves.locked).toMatchObject({
      sold: 10,
      stock: 0,
      bought: 10,
      soldOut: 40,
      failed: {},
      increasing: true,
    });
    expect(halves.unlocked.sold).toBeGreaterThan(10);

    pressCtrlC(demo);
    expect(await demo.exited).toEqual([0, null]);
    expect(processes).toHaveLength(3);
    for (const { pid } of processes) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    expect(await isOpen(url)).toBe(false);
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
