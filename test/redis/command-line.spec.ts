import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import type { LockService } from '../../lib/locks/lock-service.js';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';
import { BuiltCommand, type Ended } from '../support/built-command.js';
import { abortOf, pass, until } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';
import { WHERE } from '../../lib/cli/lock-words.js';
import { ended } from '../support/ended.js';
import { Monitor } from '../support/monitor.js';

// 100000 for the long checks.
const NAMES = Number(process.env['LISTED_NAMES'] ?? 20_000);
const HAS_TMUX = spawnSync('tmux', ['-V']).status === 0;
// A terminal of its own is needed to see what people see.
const itOnTerminal = HAS_TMUX ? it : it.skip;
// Other systems have no device that is always full.
const itOnLinux = existsSync('/dev/full') ? it : it.skip;

describeWithRealRedis('the command', () => {
  let redis: RunningRedis;
  let admin: Redis;
  let command: BuiltCommand;
  const services: LockService[] = [];
  let screens = 0;

  beforeAll(async () => {
    command = new BuiltCommand();
    redis = await startRedis({ given: false });
    admin = new Redis(redis.url);
  });
  afterEach(async () => {
    await Promise.all(services.splice(0).map((locks) => locks.close()));
    await admin.flushall();
  });
  afterAll(async () => {
    await ended(admin);
    command.remove();
    await redis.stop();
  });

  const open = (options: Parameters<typeof createLockService>[0] = {}): LockService => {
    const locks = createLockService({
      redis: redis.url,
      shutdownGrace: 0,
      log: { warn: () => undefined },
      ...options,
    });
    services.push(locks);
    return locks;
  };
  const run = (...args: string[]): Promise<Ended> => command.run(args, { REDIS_URL: redis.url });
  const lines = (text: string): string[] => text.trimEnd().split('\n');

  /** What people see in a terminal of 100 × 30 in which the command has run. */
  async function screen(
    line: string,
    shows: (text: string, tmux: (...args: string[]) => string) => boolean,
  ): Promise<string> {
    const socket = `lock-command-${process.pid}-${(screens += 1)}`; // a server that ends may still have the old one
    const tmux = (...args: string[]) =>
      execFileSync('tmux', ['-L', socket, '-f', '/dev/null', ...args], { encoding: 'utf8' });
    const env = { ...process.env, REDIS_URL: redis.url };
    const size = ['new-session', '-d', '-x', '100', '-y', '30'];
    execFileSync('tmux', ['-L', socket, '-f', '/dev/null', ...size, `${line}; sleep 20`], { env });
    try {
      let text = '';
      await until(
        `the screen of ${line}`,
        () => shows((text = tmux('capture-pane', '-p')), tmux),
        10_000,
        50,
      );
      return text;
    } finally {
      tmux('kill-server');
    }
  }
  const node = (...args: string[]): string =>
    [process.execPath, command.main, ...args].map((one) => `'${one}'`).join(' ');

  describe('ls', () => {
    it('lists the names in use, as a table or as JSON, and says when there are none', async () => {
      expect(await run('ls')).toEqual({
        code: 0,
        out: '',
        err: `Nobody holds a lock or waits for one here. ${WHERE}\n`,
      });
      const locks = open();
      await locks.acquire('stock:42', { label: 'export' });
      await locks.readWrite('report').read.acquire();
      const waiting = locks.acquire('stock:42', { label: 'import', wait: '10s' }).catch(() => undefined);
      const other = open();
      const queued = other.acquire('stock:42', { wait: '10s' }).catch(() => undefined);
      await until('the queue', async () => (await locks.inspect('stock:42')).queue.length === 1);

      const table = await run('ls');
      expect(table).toMatchObject({ code: 0, err: '' });
      expect(lines(table.out)[0]).toMatch(/^KIND +HELD FOR +LEFT +FENCE +QUEUE +HOLDER +NAME$/);
      expect(lines(table.out).slice(1).sort()).toEqual([
        expect.stringMatching(/^exclusive +\d.* m?s +\d.* s +\d{16} +1 +\S+:\d+ export +stock:42$/),
        expect.stringMatching(/^shared +.* 0 +\S+:\d+ +report$/),
      ]);

      const json = await run('ls', '--json');
      const reports = lines(json.out).map((line) => JSON.parse(line));
      expect(reports.map(({ name }) => name).sort()).toEqual(['report', 'stock:42']);
      expect(reports.find(({ name }) => name === 'stock:42')).toMatchObject({
        key: 'lock:stock:42',
        holders: [{ pid: process.pid, label: 'export', kind: 'exclusive' }],
        queue: [{ kind: 'exclusive' }],
      });
      expect(await run('ls', '--namespace', 'shop')).toMatchObject({ code: 0, out: '' });
      await Promise.all(services.splice(0).map((each) => each.close()));
      await Promise.all([waiting, queued]);
    });

    it('uses SCAN and never KEYS, and writes nothing', async () => {
      await open().acquire('stock:42');
      await admin.config('RESETSTAT');
      await run('ls');
      const stats = await admin.info('commandstats');
      expect(stats).toContain('cmdstat_scan:');
      expect(stats).not.toMatch(/cmdstat_(keys|set|hset|del|expire|publish)\b/);
    });

    it(`lists ${NAMES} names in less than 100 MB`, async () => {
      await many();
      const peak = join(command.dir, 'peak');
      writeFileSync(
        join(command.dir, 'peak.cjs'),
        `process.on('exit', () => require('fs').writeFileSync(${JSON.stringify(peak)}, String(process.resourceUsage().maxRSS)));`,
      );
      const began = performance.now();
      const ended = await command.run(['ls'], {
        REDIS_URL: redis.url,
        NODE_OPTIONS: `--require ${command.dir}/peak.cjs`,
      });
      expect(ended).toMatchObject({ code: 0, err: '' });
      expect(lines(ended.out)).toHaveLength(NAMES + 2);
      const megabytes = Number(readFileSync(peak, 'utf8')) / 1_024;
      console.info(
        `${NAMES} names: ${Math.round(megabytes)} MB, ${Math.round(performance.now() - began)} ms`,
      );
      expect(megabytes).toBeLessThan(100);
    }, 60_000);

    itOnTerminal(
      'shows its progress on a terminal, and nothing of it in what it prints',
      async () => {
        await many();
        const shown = await screen(`${node('ls')} > /dev/null`, (text) =>
          /\d+ names in \d+\.\d s …/.test(text),
        );
        expect(shown).toMatch(/^\d+ names in \d+\.\d s …$/m);
      },
      60_000,
    );

    it('ends quietly when whoever reads it has gone', async () => {
      await many();
      const ended = await command.shell(`node ${command.main} ls | head -n 2`, { REDIS_URL: redis.url });
      expect(ended).toMatchObject({ code: 0, err: '' });
      expect(lines(ended.out)).toHaveLength(2);
    }, 60_000);

    /** Names that somebody holds, by copies of one record. */
    async function many(): Promise<void> {
      await open({ ttl: '5m' }).acquire('stock:42');
      const copies =
        "local v = redis.call('GET', KEYS[1]) for i = 1, ARGV[1] do redis.call('SET', KEYS[1] .. ':' .. i, v, 'PX', 300000) end";
      await admin.eval(copies, 1, 'lock:stock:42', NAMES);
    }
  });

  describe('show', () => {
    it('says who holds a name, since when, and who waits', async () => {
      const lease = await open().acquire('stock:42', { label: 'export' });
      const waiting = open().acquire('stock:42', { label: 'import', wait: '10s' });
      await until('the queue', async () => (await services[0]!.inspect('stock:42')).queue.length === 1);
      const { code, out } = await run('show', 'stock:42');
      expect(code).toBe(0);
      expect(out).toMatch(/^stock:42 {2}\(key lock:stock:42\)$/m);
      expect(out).toMatch(
        new RegExp(
          `Held by one process:\n {2}\\S+:${process.pid} export\n {4}exclusive, fence ${lease.fence}, since \\d{4}-\\S+Z \\(.*s\\)\n {4}\\d+\\.\\d s left`,
        ),
      );
      expect(out).toMatch(/^Waiting: 1, in this order:\n {2}1\. \S+ import {2}exclusive, since /m);
      expect(JSON.parse((await run('show', 'stock:42', '--json')).out)).toMatchObject({
        name: 'stock:42',
        queue: [{}],
      });
      await lease.release();
      await (await waiting).release();
    });

    it('says what those who wait hold meanwhile, so that a circle can be seen', async () => {
      const [one, other] = [open(), open()];
      const wait = '10m';
      const held = await Promise.all([one.acquire('left'), other.acquire('right'), one.acquire('third')]);
      const nested = [
        held[0].using(() => one.using('right', () => undefined, { wait })),
        held[1].using(() => other.using('left', () => undefined, { wait })),
        held[2].using(() => one.using('left', () => undefined, { wait })),
      ];
      const ended = Promise.allSettled(nested);
      const told = async (name: string): Promise<number> =>
        (await one.inspect(name)).queue.flatMap(({ holds = [] }) => holds).length;
      await until('both say it', async () => (await told('left')) >= 1 && (await told('right')) === 2);
      const [left, right] = [await run('show', 'left'), await run('show', 'right')];
      expect(left.out).toMatch(
        /^ {2}1\. \S+ {2}exclusive, since .*\n {5}meanwhile it holds right \(fence \d{16}\)$/m,
      );
      expect(right.out).toMatch(/^ {5}meanwhile it holds left \(fence \d{16}\)$/m);
      expect(right.out).toMatch(
        /^ {5}meanwhile it holds third \(fence \d{16}\), for a call that waits for left$/m,
      );
      expect(JSON.parse((await run('show', 'right', '--json')).out).queue[0].holds).toContainEqual({
        ...{ name: 'third', fence: expect.any(Number), waitsFor: 'left' },
      });
      await Promise.all(services.splice(0).map((each) => each.close()));
      await ended;
    });

    it('of a name that nobody uses ends with 1', async () => {
      const { code, out, err } = await run('show', 'nobody');
      expect({ code, err }).toEqual({
        code: 1,
        err: `Nobody holds 'nobody' or waits for it, under the key lock:nobody. ${WHERE}\n`,
      });
      expect(out).toContain('Nobody holds it.');
      expect((await run('show', 'nobody', '--json')).code).toBe(1);
      await admin.set('lock:foreign', 'x');
      expect(await run('show', 'foreign')).toMatchObject({
        code: 1,
        err: expect.stringContaining('foreign value'),
      });
    });
  });

  describe('revoke', () => {
    it('takes a lock away, and tells its holder why', async () => {
      const lease = await open().acquire('stock:42');
      const { code, out } = await run('revoke', 'stock:42', '--reason', 'stuck since noon', '--yes');
      expect(code).toBe(0);
      expect(out).toMatch(
        /^The lock 'stock:42' was revoked \(stuck since noon\)\. It was held by \S+:\d+\. The name is free when/,
      );
      expect(await run('show', 'stock:42')).toMatchObject({
        out: expect.stringContaining('revoked: stuck since noon'),
      });
      await lease.renew().catch(() => undefined); // it would learn of it at its next renewal
      expect(await abortOf(lease.signal)).toMatchObject({
        reason: 'revoked',
        revokeReason: 'stuck since noon',
      });
      await lease.release();
      expect(await run('revoke', 'stock:42', '--reason', 'again', '--yes')).toEqual({
        code: 1,
        out: '',
        err: `Nobody holds 'stock:42', under the key lock:stock:42: there is nothing to revoke. ${WHERE}\n`,
      });
    });

    it('frees the name at once with --force', async () => {
      await open().acquire('stock:42');
      const { code, out } = await run(
        'revoke',
        'stock:42',
        '--reason',
        'frozen',
        '--force',
        '--yes',
        '--json',
      );
      expect(code).toBe(0);
      expect(JSON.parse(out)).toMatchObject({
        name: 'stock:42',
        reason: 'frozen',
        force: true,
        holders: [{ pid: process.pid }],
      });
      await (await open().acquire('stock:42', { wait: 0 })).release();
    });

    it('asks first, and needs --yes where nobody can be asked', async () => {
      const lease = await open().acquire('stock:42');
      const ended = await run('revoke', 'stock:42', '--reason', 'stuck');
      expect(ended).toMatchObject({ code: 2, err: expect.stringContaining('add --yes') });
      expect(lease.held).toBe(true);
      expect((await services[0]!.inspect('stock:42')).holders[0]?.revokeReason).toBeUndefined();
    });

    itOnTerminal('shows who holds it before it asks', async () => {
      await open().acquire('stock:42', { label: 'export' });
      const text = await screen(`${node('revoke', 'stock:42', '--reason', 'stuck')}`, (shown) =>
        shown.includes('[y/N]'),
      );
      expect(text).toMatch(/Held by one process:\n {2}\S+:\d+ export/);
      expect(text).toContain('Revoke it?');
    });
  });

  describe('watch', () => {
    /** Some processes pass the name on, which each holds for a while. */
    function passOn(sessions: number, ms: number): () => Promise<unknown> {
      let over = false;
      const loops = Array.from({ length: sessions }, async (_, index) => {
        const locks = open();
        while (!over) await locks.using('hot', () => pass(ms), { label: `worker-${index}`, wait: '20s' });
      });
      return () => ((over = true), Promise.all(loops));
    }

    it('prints lines where no terminal is, and asks the server less than 5 commands a second', async () => {
      const stop = passOn(5, 20);
      const watching = command.start(['watch', 'hot'], { REDIS_URL: redis.url });
      await until('the first line', () => watching.out().includes('\n'));
      const clients = ((await admin.client('LIST')) as string).split('\n');
      const its = clients.find((each) => each.includes(`:${watching.child.pid} `)); // by the name of its connection
      const mine = /addr=(\S+)/.exec(its ?? '')?.[1];
      let commands = 0;
      const scripts = { now: false };
      const monitor = await Monitor.of(admin, (_words, source) => {
        if (source === mine) [commands, scripts.now] = [commands + 1, true];
        else if (source !== 'lua') scripts.now = false;
        else if (scripts.now) commands += 1;
      });
      const SECONDS = 4;
      await pass(SECONDS * 1_000);
      await monitor.end();
      watching.child.kill('SIGINT');
      const { code, out } = await watching.ended;
      await stop();
      expect(mine).toBeDefined();
      console.info(`watch: ${(commands / SECONDS).toFixed(1)} commands a second\n${out}`);
      expect(commands).toBeGreaterThan(SECONDS / 2);
      expect(commands / SECONDS).toBeLessThan(5);
      expect(code).toBe(0);
      const seen = lines(out);
      expect(seen.length).toBeGreaterThanOrEqual(3);
      for (const line of seen)
        expect(line).toMatch(
          /^\d{4}-\S+Z {2}hot {2}(held by \S+ worker-\d {2}fence \d+|free) {2}queue \d {2}longest wait .* {2}about \S+ hand-offs\/s$/,
        );
      expect(out).not.toContain('\x1b');
      const rate = Number(/about (\S+) hand-offs/.exec(seen.at(-1) ?? '')?.[1]);
      expect(rate).toBeGreaterThan(10); // one each 20 ms and the way between processes: below 50
      expect(rate).toBeLessThan(100);
    }, 40_000);

    itOnTerminal(
      'fills a screen that people can read',
      async () => {
        const stop = passOn(3, 20);
        const text = await screen(
          node('watch', 'hot', '--every', '1'),
          (shown) => /about [1-9]\S* a second/.test(shown) && shown.includes('WAITING'),
        );
        await stop();
        const shown = lines(text);
        expect(shown[0]).toMatch(/^hot {3}\d{4}-\S+Z$/);
        expect(text).toMatch(/^ {2}queue +\d$/m);
        expect(text).toMatch(/^ {2}longest wait +\d.* m?s$/m);
        expect(text).toMatch(/^ {2}hand-offs +about \S+ a second between processes$/m);
        expect(text).toMatch(/^HELD BY\n {2}\S+:\d+ worker-\d\n {4}exclusive, fence \d+, for .*, .* left$/m);
        expect(text).toMatch(/^WAITING\n {2}1\. \S+ worker-\d {2}exclusive, for /m);
      },
      40_000,
    );

    it('says how many names it leaves out, and leaves out none as JSON', async () => {
      const locks = open();
      for (let n = 0; n < 23; n += 1) await locks.acquire(`stock:${n}`);
      const shown = lines((await run('watch', '--times', '1')).out);
      expect(shown[0]).toMatch(/ {2}23 names in use$/);
      expect(shown).toHaveLength(1 + 1 + 20 + 1);
      expect(shown.at(-1)).toBe('and 3 more, with no longer queues; ls lists all names');
      const { out } = await run('watch', '--times', '2', '--every', '1', '--json');
      const looks = lines(out).map((line) => JSON.parse(line));
      expect(looks).toHaveLength(2 * 24);
      for (const [place, look] of [1, 2].entries()) {
        const each = looks.slice(place * 24, (place + 1) * 24);
        expect(each.every((line) => line.look === look)).toBe(true);
        expect(new Set(each.slice(0, 23).map(({ name }) => name)).size).toBe(23);
        expect(each.at(-1)).toEqual({ look, at: expect.stringMatching(/Z$/), names: 23 });
      }
    });

    it('watches all names, those with the longest queues first', async () => {
      const locks = open();
      for (const name of ['a', 'b']) await locks.acquire(name);
      const waiting = open()
        .acquire('b', { wait: '20s' })
        .catch(() => undefined);
      await until('the queue', async () => (await locks.inspect('b')).queue.length === 1);
      const { code, out } = await run('watch', '--times', '1');
      expect(code).toBe(0);
      const [title, head, ...rows] = lines(out);
      expect(title).toMatch(/2 names in use$/);
      expect(head).toMatch(/^KIND/);
      expect(rows.map((row) => row.split(' ').at(-1))).toEqual(['b', 'a']);
      const json = lines((await run('watch', 'b', '--times', '1', '--json')).out).map((line) =>
        JSON.parse(line),
      );
      expect(json).toMatchObject([
        { name: 'b', queue: [{}], longestWait: expect.any(Number), handOffsPerSecond: expect.any(Number) },
      ]);
      await Promise.all(services.splice(0).map((each) => each.close()));
      await waiting;
    });
  });

  describe('doctor', () => {
    it('finds nothing to change at a server that is set up well, and gives the rights to copy', async () => {
      const { code, out, err } = await run('doctor', '--namespace', 'shop');
      expect({ code, err }).toEqual({ code: 0, err: '' });
      for (const what of ['server', 'role', 'eviction', 'scripts', 'channel', 'round trip', 'clock'])
        expect(out).toMatch(new RegExp(`^ok {7}${what} `, 'm'));
      expect(out).toMatch(/^ok {7}server +(redis|valkey) \d+\.\d+/m);
      expect(out).toMatch(/^ok {7}round trip +\d+\.\d ms$/m);
      expect(out).toContain('Nothing has to be changed.');
      const rule = /ACL SETUSER locks[^]*/.exec(out)?.[0] ?? '';
      await admin.call('ACL', ...rule.replace('<password>', 'secret').trim().split(/\s+/).slice(1));
      const locks = { REDIS_URL: redis.url.replace('redis://', 'redis://locks:secret@') };
      expect(await command.run(['doctor', '--namespace', 'shop'], locks)).toMatchObject({ code: 0, err: '' });
      const refused = await command.run(['doctor'], locks); // those are not the rights of this namespace
      expect(refused).toMatchObject({
        code: 1,
        out: expect.stringContaining('~lock:*'),
        err: expect.stringContaining('ACL: ~lock:*'),
      });
      await admin.call('ACL', 'SETUSER', 'locks', '-hsetnx', '-hexists');
      const partly = await command.run(['doctor', '--namespace', 'shop'], locks);
      expect(partly.out).toMatch(/^CHANGE {3}scripts +a lock was taken and released, but not every command/m);
      expect(partly.out).toMatch(/^What to change:\n {2}- .*HEXISTS and HSETNX.*ACL: \+hexists \+hsetnx/m);
      await admin.call('ACL', 'DELUSER', 'locks');
    });

    it('knows what the options of --config ask for', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'doctor-'));
      const config = join(folder, 'locks.json');
      const options = {
        redis: redis.url,
        clientTracking: true,
        durability: { replicas: 1, timeout: '100ms' },
      };
      writeFileSync(config, JSON.stringify(options));
      const { code, out } = await command.run(['doctor', '--config', config], {});
      expect(code).toBe(0);
      expect(out).toMatch(/ACL SETUSER[^]*\+client\|tracking[^]*\+wait/);
      expect(out).toMatch(/What to change:\n {2}- .*No lock can be taken until enough replicas follow/);
      expect(await command.run(['ls', '--config', config], {})).toMatchObject({ code: 0 }); // it takes no lock
      rmSync(folder, { recursive: true });
    });

    it('says what to change', async () => {
      await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
      const { code, out } = await run('doctor');
      expect(code).toBe(0);
      expect(out).toMatch(/^CHANGE {3}eviction +allkeys-lru$/m);
      expect(out).toMatch(/^What to change:\n {2}- .*set it to 'noeviction'/m);
      expect(JSON.parse((await run('doctor', '--json')).out)).toMatchObject({
        ok: false,
        role: 'master',
        roundTrip: expect.any(Number),
        clockOffset: expect.any(Number),
        remedies: [expect.stringContaining('noeviction')],
        rights: expect.stringContaining('ACL SETUSER'),
      });
      await admin.config('SET', 'maxmemory-policy', 'noeviction');
    });

    it('names a wrong password without showing it', async () => {
      const env = { REDIS_URL: redis.url, REDIS_PASSWORD: 'sesame', REDIS_USERNAME: 'nobody' };
      const ended = await command.run(['doctor'], env);
      expect(ended.code).toBe(1);
      expect(ended.err).toMatch(/WRONGPASS/);
      expect(JSON.stringify(ended)).not.toContain('sesame');
    });
  });

  describe('its end', () => {
    /** A module for --config. */
    const config = (name: string, text: string): string[] => {
      writeFileSync(join(command.dir, name), text);
      return ['--config', name];
    };
    const REASON = ['--reason', 'stuck', '--yes'];

    it('does not wait for what the module of --config keeps open', async () => {
      const client = config(
        'client.cjs',
        `const redis = new (require('ioredis').Redis)('${redis.url}'); module.exports = { redis };`,
      );
      await open().acquire('stock:42');
      for (const args of [['ls'], ['show', 'stock:42'], ['watch', '--times', '1'], ['doctor']])
        expect(await command.run([...args, ...client])).toMatchObject({ code: 0, err: '' });
      expect((await command.run(['show', 'nobody', ...client])).code).toBe(1);
    });

    itOnLinux('tells what is unexpected by a code of its own and without a stack', async () => {
      const env = { REDIS_URL: redis.url };
      await open().acquire('stock:42');
      for (const line of ['ls', 'show stock:42', 'show nobody', 'watch', 'doctor', '--help'])
        expect(await command.shell(`node ${command.main} ${line} > /dev/full`, env)).toEqual({
          ...{ code: 4, out: '', err: 'The result cannot be written (ENOSPC).\n' },
        });
      const beside = config(
        'beside.cjs',
        "setTimeout(() => { throw new RangeError('sesame'); }, 50); module.exports = () => new Promise(() => undefined);",
      );
      expect(await command.run(['ls', ...beside])).toEqual({
        ...{ code: 4, out: '', err: 'Unexpected: an uncaught RangeError.\n' },
      });
    });

    it('has the code of the command when whoever reads it has gone', async () => {
      await open().acquire('stock:42');
      for (const [line, code] of [
        ['ls', 0],
        ['show stock:42', 0],
        ['watch --every 1', 0],
        ['show nobody 2>&1', 1],
      ] as const)
        expect(
          await command.shell(`{ node ${command.main} ${line} || code=$?; echo \${code:-0} >&2; } | true`, {
            REDIS_URL: redis.url,
          }),
        ).toMatchObject({ code: 0, err: `${code}\n` });
    });

    it('comes with a signal, whatever it does', async () => {
      const silent = config(
        'silent.cjs',
        "module.exports = () => new Promise(() => setInterval(() => process.stdout.write('.'), 50));",
      );
      for (const [signal, code] of [
        ['SIGINT', 130],
        ['SIGTERM', 143],
      ] as const)
        for (const args of [['ls'], ['show', 'x'], ['watch'], ['revoke', 'x', ...REASON], ['doctor']]) {
          const running = command.start([...args, ...silent]);
          await until('the module is loaded', () => running.out() !== '');
          running.child.kill(signal);
          expect((await running.ended).code).toBe(code);
        }
    });

    itOnTerminal('comes with Ctrl-C where it asks, and with Ctrl-D as with no', async () => {
      await open().acquire('stock:42');
      const asked = node('revoke', 'stock:42', '--reason', 'stuck');
      for (const [key, end] of [
        ['C-c', 'code 130'],
        ['C-d', 'code 1'],
      ] as const) {
        let pressed = false;
        const text = await screen(`${asked}; echo code $?`, (shown, tmux) => {
          if (!pressed && shown.includes('[y/N]')) tmux('send-keys', key);
          pressed ||= shown.includes('[y/N]');
          return shown.includes('code ');
        });
        expect(text).toMatch(new RegExp(`^(.* )?${end}$`, 'm'));
      }
      expect((await services[0]!.inspect('stock:42')).holders).toMatchObject([{ pid: process.pid }]);
    });

    itOnTerminal('leaves the cursor of a live view, also after two Ctrl-C', async () => {
      await open().acquire('stock:42');
      let polls = 0;
      let cursor = '';
      const hidden: string[] = [];
      await screen(`${node('watch', 'stock:42', '--every', '1')}; echo code $?`, (shown, tmux) => {
        cursor = tmux('display-message', '-p', '#{cursor_flag}').trim();
        if (shown.includes('HELD BY')) hidden.push(cursor);
        if (hidden.length === 0) return false;
        if (polls === 0) void admin.call('CLIENT', 'PAUSE', '3000', 'ALL');
        polls += 1;
        // By then a look waits for the server; of two signals at the same moment one would be lost.
        if (polls === 25 || polls === 26) tmux('send-keys', 'C-c');
        return shown.includes('code ');
      });
      expect(hidden[0]).toBe('0');
      expect(cursor).toBe('1');
    });
  });

  it('ends with 3 when the store cannot be reached, whatever it was to do', async () => {
    const calls = ['ls', 'show x', 'watch x', 'revoke x --reason y --yes', 'doctor'].map((line) =>
      command.run(line.split(' '), { REDIS_URL: 'redis://127.0.0.1:1' }),
    );
    for (const ended of await Promise.all(calls)) {
      expect(ended).toMatchObject({ code: 3, out: '', err: expect.stringContaining('redis://127.0.0.1:1') });
      expect(lines(ended.err)).toHaveLength(1);
    }
  });

  it('finds the locks by a file, too', async () => {
    writeFileSync(join(command.dir, 'config.json'), JSON.stringify({ redis: redis.url, namespace: 'shop' }));
    await open({ namespace: 'shop' }).acquire('stock:42');
    const ended = await command.run(['show', 'stock:42', '--config', 'config.json']);
    expect(ended).toMatchObject({ code: 0, err: '', out: expect.stringContaining('key shop:stock:42') });
  });
});
