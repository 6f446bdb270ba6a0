import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import type { LockService } from '../../lib/locks/lock-service.js';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';
import { BuiltCommand } from '../support/built-command.js';
import { abortOf, until } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';

const PAGE = readFileSync(join(import.meta.dirname, '../../docs/operating.md'), 'utf8');

/** The commands of a section of the page, one text for each block, as they stand there. */
function commandsOf(title: string): string[] {
  const section = PAGE.split(`\n## ${title}\n`)[1]?.split('\n## ')[0] ?? '';
  return [...section.matchAll(/^```sh\n([^]*?)^```/gm)].map(([, lines = '']) => lines);
}

/** The documentation, followed word by word by somebody who has REDIS_URL and a shell. */
describeWithRealRedis('the runbook', () => {
  let redis: RunningRedis;
  let command: BuiltCommand;
  const services: LockService[] = [];

  beforeAll(async () => {
    command = new BuiltCommand();
    redis = await startRedis({ given: false });
  });
  afterEach(() => Promise.all(services.splice(0).map((locks) => locks.close())));
  afterAll(async () => {
    command.remove();
    await redis.stop();
  });

  const open = (): LockService => {
    const locks = createLockService({ redis: redis.url, shutdownGrace: 0, log: { warn: () => undefined } });
    services.push(locks);
    return locks;
  };
  const shell = async (lines: string): Promise<string> => {
    const { hostname, port } = new URL(redis.url);
    const env = { REDIS_URL: redis.url, REDIS_HOST: hostname, REDIS_PORT: port };
    const { code, out, err } = await command.shell(lines, env);
    expect({ lines, code, err }).toEqual({ lines, code: 0, err: '' });
    return out;
  };

  it('for a stuck lock: who holds it and who waits, revoke it, the signal aborts, and the next one has it', async () => {
    const [show = '', watch = '', revoke = '', again = '', force = '', ...more] =
      commandsOf('Runbook: a lock is stuck');
    expect(more).toEqual([]);
    const stuck = await open().acquire('stock:42', { label: 'export' });
    const waiting = open().acquire('stock:42', { label: 'import', wait: '10m' });
    await until('the queue', async () => (await services[0]!.inspect('stock:42')).queue.length === 1);

    const shown = await shell(show);
    expect(shown).toMatch(
      new RegExp(`\\S+:${process.pid} export\n.*fence ${stuck.fence}, since \\d{4}-\\d\\d-\\d\\dT`),
    );
    expect(shown).toMatch(/^Waiting: 1, in this order:\n {2}1\. \S+ import/m);
    const looks = (await shell(watch)).trimEnd().split('\n');
    expect(looks).toHaveLength(3);
    for (const look of looks)
      expect(look).toMatch(new RegExp(`fence ${stuck.fence} {2}queue 1 .* about 0 hand-offs`));

    const aborted = abortOf(stuck.signal);
    expect(await shell(revoke)).toContain("The lock 'stock:42' was revoked (stuck since noon).");
    expect(await aborted).toMatchObject({
      code: 'LOCK_LOST',
      reason: 'revoked',
      revokeReason: 'stuck since noon',
    });
    await stuck.release(); // what its work does when the signal aborts
    const next = await waiting;
    expect(next.fence).toBeGreaterThan(stuck.fence);
    expect(await shell(again)).toMatch(new RegExp(`\\S+ import\n.*fence ${next.fence}`));

    const third = open().acquire('stock:42', { wait: '10m' });
    await until('the queue', async () => (await services[0]!.inspect('stock:42')).queue.length === 1);
    expect(await shell(force)).toContain('was revoked by force (frozen, its host is gone)');
    expect((await third).held).toBe(true); // though nobody has released it
    await (await third).release();
  }, 180_000);

  it('for lost locks: each command answers what the step asks', async () => {
    const [doctor = '', server = '', busy = '', removed = '', names = '', ...more] =
      commandsOf('Runbook: locks are lost');
    expect(more).toEqual([]);
    await open().acquire('stock:42');
    expect(await shell(doctor)).toMatch(/^ok {7}eviction/m);
    expect(await shell(server)).toMatch(
      /^run_id:\w+[^]*^uptime_in_seconds:\d+[^]*^role:master[^]*^master_replid:\w+/m,
    );
    expect(await shell(busy)).toMatch(/^connected_clients:\d+/m);
    expect(await shell(removed)).toMatch(/^evicted_keys:0[^]*^maxmemory_policy:noeviction/m);
    expect(await shell(names)).toMatch(/exclusive .* stock:42$/m);
  }, 180_000);

  it('for a record: it is what the page explains', async () => {
    await shell('redis-cli -h "$REDIS_HOST" -p "$REDIS_PORT" FLUSHALL');
    const [read = '', ...more] = commandsOf('A record by redis-cli');
    expect(more).toEqual([]);
    await open().acquire('stock:42', { label: 'export' });
    const [record = '', seconds] = (await shell(read)).split('\n');
    const [time = '', , span, , , , ...rest] = record.slice('lock1 '.length).split(' ');
    expect(record).toMatch(/^lock1 \d{16} /);
    expect(Math.abs(Number(time) / 1e6 - Number(seconds))).toBeLessThan(10);
    expect(Number(span)).toBe(10_500_000);
    expect(rest.join(' ')).toMatch(new RegExp(`^\\S+:${process.pid} export \\S+$`));
  });

  it('for the first look: the doctor', async () => {
    const [first = ''] = commandsOf('The command line');
    expect(await shell(first)).toContain('ACL SETUSER locks');
  });
});
