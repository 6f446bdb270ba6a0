/**
 * The live page of the demo in a real browser: what it shows against the database, accidents, languages, accessibility.
 *
 *   npm run test:page -- [--whole] [--picture]
 *
 * --whole adds a crowd of 5 000, twenty sales without a lock, and a fresh clone of the last commit; --picture writes
 * docs/images/flash-sale.png.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { Page } from 'playwright-core';
import { startDatabase } from '../../../tools/database/start-database.js';
import { startBrowser } from './browser.js';
import { Checks } from './checks.js';
import { DemoUnderTest } from './demo-under-test.js';
import { followFreshClone } from './fresh-clone.js';
import { Measures } from './measures.js';

const ROOT = join(import.meta.dirname, '../../..');
const SHOTS = join(ROOT, '.tmp/page');
const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const whole = process.argv.includes('--whole');
const PATIENCE = 150_000;

const browser = await startBrowser();
if (browser === undefined) {
  console.log('Page: skipped, no Chromium was found (apt-get install chromium, or set CHROMIUM).');
  process.exit(process.env.REQUIRE_BROWSER === '1' ? 1 : 0);
}

mkdirSync(SHOTS, { recursive: true });
const busy = (loadavg()[0] ?? 0) > availableParallelism();
const begun = performance.now();
execFileSync(process.execPath, ['tools/build-sample.mjs', '.tmp/page/sample'], { cwd: ROOT });
const checks = new Checks();
const database = await startDatabase();
const sql = new pg.Client({ connectionString: database.url });
await sql.connect();
const demo = await DemoUnderTest.start(join(SHOTS, 'sample'), database.url);
const complaints: string[] = [];
const foreign: string[] = [];
const measures = new Measures();
const gaps: number[] = [];

async function open(size: { width: number; height: number }, more: object = {}): Promise<Page> {
  const context = await browser!.newContext({ viewport: size, locale: 'en-GB', ...more });
  const page = await context.newPage();
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => {
    if (!request.url().startsWith(demo.url) && !request.url().startsWith('data:'))
      foreign.push(request.url());
  });
  await measures.install(page);
  await page.goto(demo.url);
  return page;
}

const textOf = async (page: Page, selector: string): Promise<string> =>
  (await page.textContent(selector))?.trim() ?? '';
const numberIn = async (page: Page, selector: string): Promise<number> =>
  Number((await textOf(page, selector)).replace(/\D/g, ''));

/** Resolves when sale `number` has ended, and the page shows it. */
async function over(page: Page, number: number): Promise<void> {
  await page.waitForSelector(`body[data-sale="${number}"][data-running="false"]`, { timeout: PATIENCE });
}

/** Does `what`, which begins a sale, and resolves at its end. */
async function sale(page: Page, what: () => Promise<void>): Promise<void> {
  const before = Number(await page.getAttribute('body', 'data-sale'));
  await what();
  await over(page, before + 1);
}

interface Counted {
  readonly offered: number;
  readonly stock: number;
  readonly sold: number;
  readonly fences: number;
  readonly last: string | null;
}

async function counted(half: 'locked' | 'unlocked'): Promise<Counted> {
  const { rows } = await sql.query<Counted>(
    `select offered, stock, (select count(*)::integer from flash_sale.orders o where o.sku = i.sku) as sold,
            (select count(distinct fence)::integer from flash_sale.orders o where o.sku = i.sku) as fences,
            (select max(fence) from flash_sale.orders o where o.sku = i.sku) as last
       from flash_sale.items i where sku = $1`,
    [`live-${half}`],
  );
  return rows[0] as Counted;
}

/** How many processes have sold something without the lock. */
async function countSellers(): Promise<number> {
  const { rows } = await sql.query(
    `select distinct served_by from flash_sale.orders where sku = 'live-unlocked'`,
  );
  return rows.length;
}

/** Whoever wants to see the page does not wait for more than a minute. */
function pictureInTime(what: string, seconds: number): void {
  console.log(`  ${what} after ${seconds.toFixed(1)} s`);
  // Beside other jobs it takes as long as these let it.
  if (!busy) checks.holds(`${what} within a minute`, seconds <= 60, seconds);
}

/** What both halves show, against the database: oversold without the lock, exact with it. */
async function numbersAgree(page: Page): Promise<void> {
  const [unlocked, locked] = [await counted('unlocked'), await counted('locked')];
  checks.equal(
    'sold without a lock, page and database',
    await numberIn(page, '#unlocked .sold'),
    unlocked.sold,
  );
  checks.equal('sold with the lock, page and database', await numberIn(page, '#locked .sold'), locked.sold);
  checks.holds('without a lock it is oversold', unlocked.sold > unlocked.offered, unlocked);
  checks.equal(
    'the page says by how much',
    await textOf(page, '#unlocked .verdict'),
    `${(unlocked.sold - unlocked.offered).toLocaleString('en-GB')} sold that do not exist`,
  );
  checks.equal('sold exactly with the lock', [locked.sold, locked.stock], [locked.offered, 0]);
  checks.equal('each order has a fence of its own', locked.fences, locked.sold);
  checks.equal('the page says so', await textOf(page, '#locked .verdict'), 'Sold exactly what there was');
  checks.holds(
    'the last fence that the page shows is that of the last order or of a later grant',
    BigInt(await textOf(page, '#locked .fence')) >= BigInt(locked.last ?? 0),
    locked.last,
  );
}

async function accessible(page: Page, what: string): Promise<void> {
  await page.evaluate(await readFile(AXE, 'utf8'));
  const violations = await page.evaluate<string[]>(
    `axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes[0].html))`,
  );
  checks.equal(`accessible: ${what}`, violations, []);
}

async function noSidewaysScroll(page: Page, what: string): Promise<void> {
  const spare = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
  checks.holds(`nothing sticks out to the side: ${what}`, spare <= 0, spare);
}

/** Reports the frames of a sale; how far the longest gap is above what the lag of the machine explains. */
async function frames(page: Page, buyers: number): Promise<number> {
  const { gap, lag } = await measures.frames(page);
  const [longest, late] = [gap.toFixed(0), lag.toFixed(0)];
  console.log(`  ${buyers} buyers: longest gap between frames ${longest} ms, lag of the machine ${late} ms`);
  return gap - lag;
}

/** The next grant after an accident, against what the lock promises and how late the machine was. */
async function nextGrantInTime(page: Page, kind: 'kill' | 'freeze'): Promise<void> {
  const incident = demo.incident(kind);
  const { ttl, guard } = demo.tick;
  const nextGrant = incident?.nextGrant ?? Infinity;
  const lag = Math.max(incident?.lag ?? 0, measures.ownLag());
  console.log(`  ${kind}: next grant after ${nextGrant.toFixed(0)} ms, lag ${lag.toFixed(0)} ms`);
  // The timer of whoever waits, the command, its answer and the measurement of both moments are late by that at most.
  checks.holds(`${kind}: the next grant comes in time`, nextGrant <= ttl + guard + 4 * lag, {
    nextGrant,
    lag,
  });
  checks.holds(
    `${kind}: the page shows when it came`,
    (await textOf(page, '#incidents')).includes(`${Math.round(nextGrant).toLocaleString('en-GB')} ms later`),
    await textOf(page, '#incidents'),
  );
}

try {
  const page = await open({ width: 1280, height: 720 });

  await demo.listen();

  await checks.part('a first sale runs as the page opens', async () => {
    await page.waitForSelector('body[data-sale="1"]', { timeout: PATIENCE });
    pictureInTime('a moving picture', (performance.now() - begun) / 1_000);
    await over(page, 1);
    await numbersAgree(page);
    gaps.push(await frames(page, 500));
    await page.screenshot({ path: join(SHOTS, 'sale.png') });
    if (process.argv.includes('--picture'))
      await page.screenshot({ path: join(ROOT, 'docs/images/flash-sale.png') });
    checks.equal('each buyer has an answer', demo.tick.halves.locked.answered, 500);
    const bottom = await page.evaluate<number>(
      `document.querySelector('.halves').getBoundingClientRect().bottom`,
    );
    checks.holds('both halves fit in 1280 × 720', bottom <= 720, bottom);
  });

  await checks.part('the holder is killed', async () => {
    measures.restart();
    await measures.frames(page);
    await sale(page, () => page.click('#kill'));
    gaps.push(await frames(page, 500));
    await nextGrantInTime(page, 'kill');
    await numbersAgree(page);
    const failed = demo.tick.halves.locked.failed;
    checks.holds('buyers of the killed process are shown as failed', (failed.broken ?? 0) > 0, failed);
    checks.equal(
      'the page shows each failure',
      await textOf(page, '#locked .failed'),
      `${failed.broken} × connection broken`,
    );
    await page.screenshot({ path: join(SHOTS, 'killed.png') });
    await page.waitForSelector('#locked .names:not(:has(.gone))', { timeout: PATIENCE });
    checks.equal('it is replaced', demo.tick.processes.length, 3);
  });

  await checks.part('the holder is frozen', async () => {
    measures.restart();
    await measures.frames(page);
    await sale(page, () => page.click('#freeze'));
    gaps.push(await frames(page, 500));
    // A page that is slow is so each time; a busy machine is not.
    checks.holds('no gap between frames above 250 ms, of three sales', Math.min(...gaps) <= 250, gaps);
    await nextGrantInTime(page, 'freeze');
    await numbersAgree(page);
    const incident = demo.incident('freeze');
    checks.equal('one stale write is refused', incident?.refused, 1);
    checks.holds(
      'the page shows it',
      (await textOf(page, '#incidents')).includes('1 stale write was refused in SQL'),
      await textOf(page, '#incidents'),
    );
    const said = demo.said();
    const refused = [
      ...said.matchAll(/A stale write for 'live-locked' was refused: its fence is (\d+)/g),
    ].map(([, fence]) => Number(fence));
    const once = refused.filter((fence) => fence === incident?.fence);
    checks.equal('the log has it once', once, [incident?.fence]);
    // A busy machine may keep another process, too, from its work for longer than the ttl; then its lease was lost.
    const others = refused.filter((fence) => fence !== incident?.fence && !said.includes(`(fence ${fence}`));
    checks.equal('nobody else is refused who has not lost a lease', others, []);
    const { rows } = await sql.query('select 1 from flash_sale.orders where fence = $1', [incident?.fence]);
    checks.equal('no order has its fence', rows.length, 0);
    await page.screenshot({ path: join(SHOTS, 'frozen.png') });
  });

  await checks.part('processes are added and removed', async () => {
    await page.click('#more');
    await demo.until(
      'four processes',
      ({ processes }) => processes.filter(({ state }) => state === 'up').length === 4,
    );
    await sale(page, () => page.click('[data-buyers="50"]'));
    await numbersAgree(page);
    // Of one sale a process may get all buyers too late.
    let sellers = 0;
    for (let sales = 1; (sellers = await countSellers()) < 4 && sales < 5; sales += 1)
      await sale(page, () => page.click('[data-buyers="50"]'));
    checks.equal('the new one sells, too', sellers, 4);
    for (const left of [3, 2]) {
      await page.waitForSelector('#less:enabled', { timeout: PATIENCE });
      await page.click('#less');
      await demo.until(`${left} processes`, ({ processes }) => processes.length === left);
    }
  });

  await checks.part('Redis is stopped and started', async () => {
    await page.click('#redis');
    await demo.until('Redis is down', ({ redis }) => !redis.up);
    await sale(page, async () => {
      await page.click('[data-buyers="50"]');
      await demo.until('all buyers are in line', ({ halves }) => halves.locked.waiting === 50);
      await page.waitForSelector('#locked .queue:text("50")', { timeout: PATIENCE });
      const { sold, offered } = await counted('unlocked');
      checks.holds('without the lock the sale goes on, and is oversold', sold > offered, sold);
      checks.equal('with the lock nothing is sold', (await counted('locked')).sold, 0);
      checks.equal('the page says so', await numberIn(page, '#locked .sold'), 0);
      checks.equal('accidents of the lock are not offered', await page.isDisabled('#kill'), true);
      await page.screenshot({ path: join(SHOTS, 'redis-stopped.png') });
      await page.click('#redis');
      await demo.until('Redis is up', ({ redis }) => redis.up);
    });
    await numbersAgree(page);
  });

  await checks.part('keyboard, languages, sizes, colours', async () => {
    await page.focus('[data-language="en"]');
    const reached = new Set<string>();
    for (let presses = 0; presses < 9; presses += 1) {
      await page.keyboard.press('Tab');
      reached.add(await page.evaluate<string>('document.activeElement.textContent'));
    }
    checks.holds(
      'the tab key reaches the buttons',
      reached.has('Freeze the holder') && reached.has('Stop Redis'),
      [...reached],
    );
    await page.focus('[data-buyers="50"]');
    await sale(page, () => page.keyboard.press('Enter'));
    await accessible(page, 'light, English');
    await noSidewaysScroll(page, '1280 × 720');
    await page.emulateMedia({ colorScheme: 'dark' });
    await accessible(page, 'dark, English');
    await page.click('[data-language="zh"]');
    checks.equal('the language is declared', await page.getAttribute('html', 'lang'), 'zh-CN');
    for (const term of ['超卖', '公平锁', '栅栏令牌'])
      checks.holds(`Chinese: ${term}`, (await textOf(page, 'body')).includes(term), term);
    await page.screenshot({ path: join(SHOTS, 'dark-chinese.png') });
    await accessible(page, 'dark, Chinese');
    const phone = await open(
      { width: 390, height: 844 },
      { deviceScaleFactor: 2, hasTouch: true, isMobile: true },
    );
    await phone.waitForSelector('body[data-running="false"]', { timeout: PATIENCE });
    await noSidewaysScroll(phone, 'phone');
    await accessible(phone, 'phone');
    await phone.screenshot({ path: join(SHOTS, 'phone.png'), fullPage: true });
    await phone.context().close();
  });

  await checks.part('others are refused', async () => {
    // Whoever gets through is told that no such order exists.
    for (const [what, headers, status] of [
      ['a foreign Origin', { origin: 'https://shop.example' }, 403],
      ['an opaque Origin', { origin: 'null' }, 403],
      ['a foreign Host', { host: 'shop.example' }, 403],
      ['its own Origin', { origin: demo.url }, 404],
      ['a program', {}, 404],
    ] as const)
      checks.equal(`${what} gets ${status}`, await demo.post('/live/nothing', headers), status);
  });

  if (whole) {
    await checks.part('twenty sales without a lock', async () => {
      await page.click('[data-language="en"]');
      let oversold = 0;
      for (let round = 0; round < 20; round += 1) {
        await sale(page, () => page.click('[data-buyers="50"]'));
        const { sold, offered } = await counted('unlocked');
        if (sold > offered) oversold += 1;
        await numbersAgree(page);
      }
      checks.equal('each is oversold', oversold, 20);
    });
    await checks.part('5 000 buyers', async () => {
      await measures.frames(page);
      const began = performance.now();
      await sale(page, () => page.click('[data-buyers="5000"]'));
      console.log(`  5 000 buyers in each half: ${((performance.now() - began) / 1000).toFixed(0)} s`);
      await frames(page, 5_000);
      await numbersAgree(page);
      checks.equal('each buyer has an answer', demo.tick.halves.locked.answered, 5_000);
      await page.screenshot({ path: join(SHOTS, 'five-thousand.png') });
    });
  }

  if (whole)
    await checks.part('a fresh clone', async () => {
      const { install, picture } = await followFreshClone(ROOT);
      console.log(`  npm ci took ${install.toFixed(1)} s`);
      pictureInTime('after it, a moving picture by npm run demo', picture);
    });

  checks.equal('nothing is said on the console of the browser', complaints, []);
  checks.equal('nothing is asked of anybody else', foreign, []);
} catch (error) {
  checks.fails('the program runs to its end', error);
} finally {
  await browser.close();
  await demo.stop();
  writeFileSync(join(SHOTS, 'demo.log'), demo.said());
  await sql.end();
  await database.stop();
}
console.log(`Page: ${checks.passed} passed, ${checks.failed} failed. Screenshots: .tmp/page`);
process.exit(checks.failed === 0 ? 0 : 1);
