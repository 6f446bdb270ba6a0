import type { INestApplication, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';
import { snippetsOf } from '../house/snippets.js';
import { until } from '../support/eventually.js';

const root = join(import.meta.dirname, '../..');
const [quickStart] = snippetsOf(join(root, 'README.md'));

/** What the examples run in place of three seconds of work. */
const world = globalThis as typeof globalThis & { hardWork?: () => Promise<void> };

describe('the quick start of the README', () => {
  const folder = join(root, '.tmp');
  let redis: RunningRedis;
  let home: string;
  const apps: INestApplication[] = [];

  beforeAll(async () => {
    redis = await startRedis();
    mkdirSync(folder, { recursive: true });
    home = mkdtempSync(join(folder, 'quick-start-'));
  });
  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.close()));
  });
  afterAll(async () => {
    rmSync(home, { recursive: true, force: true });
    await redis.stop();
  });

  /** Starts the application of the README twice, and asks both at once; the answers, and how often the work was done. */
  async function race(
    name: string,
    changed: (code: string) => string,
    hardWork: () => Promise<void>,
  ): Promise<{ answers: string[]; runs: number }> {
    const replaced = quickStart!.code
      .replace('redis://localhost:6379', redis.url)
      .replace('await pause(3_000);', 'await globalThis.hardWork();');
    expect(replaced).toContain(redis.url);
    expect(replaced).toContain('hardWork()');
    writeFileSync(join(home, `${name}.ts`), changed(replaced));
    let runs = 0;
    world.hardWork = () => {
      runs += 1;
      return hardWork();
    };

    const { AppModule } = (await import(join(home, `${name}.ts`))) as { AppModule: Type };
    const id = Number(`${process.pid}${name.length}`);
    const file = join(tmpdir(), `invoice-${id}.txt`);
    rmSync(file, { force: true });
    for (let each = 0; each < 2; each += 1) {
      const app = await NestFactory.create(AppModule, { logger: false });
      apps.push(app);
      await app.listen(0, '127.0.0.1');
    }
    try {
      const answers = await Promise.all(
        apps.map(async (app) => (await fetch(`${await app.getUrl()}/invoices/${id}`)).text()),
      );
      expect(existsSync(file)).toBe(true);
      return { answers, runs };
    } finally {
      rmSync(file, { force: true });
    }
  }

  it('does the work once when two processes are asked at the same time, and both answer with it', async () => {
    const { answers, runs } = await race(
      'locked',
      (code) => code,
      () => new Promise((done) => setTimeout(done, 100)),
    );
    expect(runs).toBe(1);
    expect(answers[0]).toMatch(/^invoice \d+, made by process \d+ at /);
    expect(answers[1]).toBe(answers[0]);
  });

  it('would do it twice without the decorator', async () => {
    let begun = 0;
    const { runs } = await race(
      'unlocked',
      (code) => code.replace(/^ *@Locked\(.*\n/m, '').replace(', Locked }', ' }'),
      () => {
        begun += 1;
        return until('both have begun', () => begun === 2);
      },
    );
    expect(runs).toBe(2);
  });
});
