import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis-5';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import type { LockService } from '../../lib/locks/lock-service.js';
import type { LockServiceOptions } from '../../lib/locks/lock-options.js';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';
import { portOf } from '../support/arena.js';
import { failureOf, until } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';

const SLOTS = 16_383;

describeWithRealRedis('what kind of Redis it is', () => {
  const services: LockService[] = [];
  const servers: RunningRedis[] = [];
  const clients: { disconnect(): void }[] = [];
  const warnings: string[] = [];

  afterEach(async () => {
    await Promise.all(services.splice(0).map((locks) => locks.close()));
    for (const client of clients.splice(0)) client.disconnect();
    await Promise.all(servers.splice(0).map((server) => server.stop()));
    warnings.length = 0;
  });

  function open(redis: LockServiceOptions['redis']): LockService {
    const log = { warn: (message: string) => void warnings.push(message) };
    const locks = createLockService({ redis, shutdownGrace: 0, log });
    services.push(locks);
    return locks;
  }

  async function start(...args: string[]): Promise<{ url: string; port: number; admin: Redis }> {
    const server = await startRedis({ given: false, args });
    const admin = new Redis(server.url, { enableReadyCheck: false });
    servers.push(server);
    clients.push(admin);
    return { url: server.url, port: portOf(server), admin };
  }

  const startNode = () =>
    start('--cluster-enabled', 'yes', '--cluster-config-file', `nodes-${servers.length}.conf`);

  it('a cluster of one shard by a plain URL serves one name a call', async () => {
    const { url, admin } = await startNode();
    await admin.call('CLUSTER', 'ADDSLOTSRANGE', 0, SLOTS);
    await until('the cluster is up', async () => (await admin.cluster('INFO')).includes('cluster_state:ok'));
    const [one, two] = [open(url), open(url)];
    expect(await one.ready()).toMatchObject({ warnings: [] });
    const names = Array.from({ length: 40 }, (_, index) => `n${index}`);
    const worked = await Promise.all([...names, ...names].map((name) => one.using(name, () => name)));
    expect(worked).toHaveLength(80);
    expect(await one.allOf(names).using(() => 'all')).toBe('all');
    const lease = await one.acquire('handed');
    const next = two.acquire('handed');
    await until('it waits', async () => (await one.inspect('handed')).queue.length === 1);
    await lease.release();
    await (await next).release();
    expect((await one.inspect('handed')).inUse).toBe(0);
  }, 20_000);

  it('a cluster of several shards by the URL of one node is refused with a sentence', async () => {
    const [one, two] = [await startNode(), await startNode()];
    await one.admin.call('CLUSTER', 'ADDSLOTSRANGE', 0, 8_000);
    await two.admin.call('CLUSTER', 'ADDSLOTSRANGE', 8_001, SLOTS);
    await one.admin.call('CLUSTER', 'MEET', '127.0.0.1', two.port);
    await until('the cluster is up', async () =>
      (await one.admin.cluster('INFO')).includes('cluster_state:ok'),
    );
    const error = await failureOf<Error>(open(one.url).ready());
    expect(error).toMatchObject({ code: 'LOCK_STORE', refused: true });
    expect(error.message).toMatch(
      /one node of a cluster of 2 shards.*Give the cluster: redis: \{ cluster: \[\{ host, port \}, …\] \}/,
    );
  }, 20_000);

  it('a server without INFO serves, whoever says so, and what is not known is said once', async () => {
    const { url, port, admin } = await start('--rename-command', 'INFO', '');
    for (const redis of [url, `${url}?enableReadyCheck=false`, { port, enableReadyCheck: false }, admin]) {
      warnings.length = 0;
      const locks = open(redis);
      expect(await locks.ready()).toMatchObject({ publish: true });
      expect(await locks.using('x', () => 'ran')).toBe('ran');
      expect(warnings).toEqual([expect.stringMatching(/does not answer INFO.*not known/)]);
    }
  });

  it('a password that is wrong or missing is refused at once, by the word of the server', async () => {
    const { port, admin } = await start('--requirepass', 'right');
    admin.disconnect();
    for (const [redis, word] of [
      [{ port, password: 'wrong' }, 'WRONGPASS'],
      [{ port }, 'NOAUTH'],
    ] as const) {
      const locks = open(redis);
      const since = performance.now();
      for (const call of [locks.ready(), locks.acquire('x', { wait: '5s' })]) {
        const error = await failureOf<Error>(call);
        expect(error).toMatchObject({ code: 'LOCK_STORE', refused: true });
        expect(error.message).toContain(word);
        expect(error.message).not.toMatch(/reachable/);
      }
      expect(performance.now() - since).toBeLessThan(2_000);
    }
  });

  it('the query of a URL counts as options do, but for the settings that locks need', async () => {
    const { url, admin } = await start();
    const query =
      'keyPrefix=app:&db=3&family=4&enableOfflineQueue=true&lazyConnect=false&maxRetriesPerRequest=9';
    const locks = open(`${url}?${query}`);
    await using _lease = await locks.acquire('x');
    await admin.select(3);
    expect(await admin.keys('*')).toEqual(['app:lock:x']);
    expect((await locks.inspect('x')).holders).toHaveLength(1);
    expect(await open(url.replace('redis:', 'valkey:')).using('y', () => 'ran')).toBe('ran');
  });

  it.each([
    ['5', (port: number) => new Redis5(port)],
    ['6', (port: number) => new Redis(port)],
  ] as const)(
    'a client of ioredis %s that has selected a database leads to that one',
    async (_version, connect) => {
      const { port, admin } = await start();
      const client = connect(port);
      clients.push(client);
      await client.select(3);
      await using _lease = await open(client).acquire('x');
      expect(await admin.keys('*')).toEqual([]);
      await admin.select(3);
      expect(await admin.keys('*')).toEqual(['lock:x']);
    },
  );
});
