import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis-5';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import { ClientRecipe, type RedisSource } from '../../lib/store/redis/client-recipe.js';
import { Child } from '../support/child.js';
import { commandAt } from '../support/command-at.js';
import type { Lease } from '../../lib/locks/lock.js';
import type { LockService } from '../../lib/locks/lock-service.js';
import { abortOf, pass, until } from '../support/eventually.js';
import { Lag } from '../support/lag.js';
import { describeWithRealRedis } from '../support/real-redis.js';
import { Load, type LoadVerdict } from './load.js';
import { SentinelServers } from '../../tools/redis/sentinel-servers.js';

const QUIET = { warn: () => undefined };

/** How long a service takes until it is connected. */
async function connecting(redis: RedisSource): Promise<number> {
  const locks = createLockService({ redis, log: QUIET });
  const began = performance.now();
  try {
    await locks.ready();
    return performance.now() - began;
  } finally {
    await locks.close();
  }
}

describeWithRealRedis('Sentinel', () => {
  let servers: SentinelServers;
  beforeAll(async () => (servers = await SentinelServers.start({ downAfter: 5_000 })), 60_000);
  afterAll(() => servers.stop());

  // First: a sentinel that was frozen for two seconds does nothing of the kind for the next thirty (TILT).
  describe('is followed at a planned failover', () => {
    let verdict: LoadVerdict;
    let waiting: ReturnType<ClientRecipe['open']>;
    let tracking: LockService, tracked: Lease;
    beforeAll(async () => {
      await servers.settled();
      waiting = new ClientRecipe(servers.addresses).open('waiting');
      await waiting.connect();
      const id = await waiting.client('ID');
      tracking = createLockService({ redis: servers.addresses, clientTracking: true, log: QUIET });
      tracked = await tracking.acquire('tracked', { ttl: '30s' });
      await tracked.renew();
      const load = new Load(servers.addresses, servers.servers);
      await load.begin();
      waiting.options.retryStrategy = () => 600_000;
      await (await servers.master()).admin.client('KILL', 'ID', id);
      await until('it waits for its next attempt', () => waiting.status === 'reconnecting');
      await servers.plannedFailover();
      await pass(3_000); // the old master is still one for 8 s
      verdict = await load.end();
    }, 60_000);
    afterAll(() => {
      waiting.disconnect();
      return tracking.close();
    });

    it('no two hold a name, and fences grow', () => {
      expect(verdict.violations).toEqual([]);
      expect(verdict.refusals).toEqual([]);
      expect(verdict.interruption).toTakeLessThan(500, verdict.lag, verdict.ping);
      expect(verdict.blocked).toTakeLessThan(2_500, verdict.lag, verdict.ping, verdict.ping);
      expect(verdict.warnings.filter((warning) => /is another server now/.test(warning))).toHaveLength(2);
      // The sentinels tell of it one after another, over a second: all but the first tell nothing new.
      expect(verdict.warnings.filter((warning) => /is gone/.test(warning))).toHaveLength(2);
    });

    it('by client tracking: the new master says that somebody has deleted the record of a held lock', async () => {
      using lag = new Lag();
      const { admin } = await servers.master();
      await until('it is tracked there', async () => /tracking_total_keys:[1-9]/.test(await admin.info()));
      await pass(300); // so long after the renewal at which that began, the next one may be at once
      tracked.assertHeld();
      const began = performance.now();
      await admin.del('lock:tracked');
      expect(await abortOf(tracked.signal)).toMatchObject({ reason: 'taken' });
      // Long before the next renewal, which is due after ten seconds.
      expect(performance.now() - began).toTakeLessThan(1_000, lag.max);
    });

    it('by a client that waits for its next attempt to connect, too', async () => {
      await until('it is connected', () => waiting.status === 'ready');
      expect(waiting.stream).toMatchObject({ remotePort: (await servers.master()).port });
    });
  });

  it('is asked further when one sentinel is frozen, by options and by clients of ioredis 5 and 6', async () => {
    using lag = new Lag();
    const [frozen] = servers.sentinels;
    frozen!.signal('SIGSTOP');
    const options = { ...servers.addresses, lazyConnect: true };
    const clients = [new Redis(options), new Redis5(options)];
    for (const source of [servers.addresses, ...clients])
      expect(await connecting(source as RedisSource)).toTakeLessThan(1_000, lag.max);
    frozen!.signal('SIGCONT');
    for (const client of clients) client.disconnect();
  }, 20_000);

  it('is asked again when a failover is told while it is being asked', async () => {
    const client = new ClientRecipe(servers.addresses).open('test');
    for (const sentinel of servers.sentinels) sentinel.signal('SIGSTOP');
    const connected = client.connect();
    const { connector } = client as unknown as { connector: { connecting: boolean; disconnect(): void } };
    await until('a sentinel is being asked', () => connector.connecting);
    connector.disconnect(); // as ioredis does it when a sentinel tells of a failover
    for (const sentinel of servers.sentinels) sentinel.signal('SIGCONT');
    await connected;
    expect(client.status).toBe('ready');
    client.disconnect();
  }, 20_000);

  it.each(['answer', 'are partly away'])(
    'does not keep a process alive whose shutdown was broken off, when the sentinels %s',
    async (how) => {
      const { sentinels, name } = servers.addresses;
      // Nobody listens at port 1: ioredis tries again and again to hear of failovers there.
      const listed = how === 'answer' ? sentinels : [...sentinels, { host: '127.0.0.1', port: 1 }];
      const child = new Child(
        'test/support/unreferenced-process.ts',
        JSON.stringify({ sentinels: listed, name }),
      );
      const ended = await child.endsWithin(10_000);
      await child.kill();
      expect([ended, child.said]).toEqual([0, 'nothing keeps it alive\n']);
      const locks = createLockService({ redis: servers.addresses, log: QUIET });
      const lease = await locks.tryAcquire('left');
      expect(await lease?.release()).toBe('released');
      await locks.close();
    },
    20_000,
  );

  it('is refused by its URL, with what to write instead', async () => {
    const { port } = servers.addresses.sentinels[0]!;
    await expect(connecting(`redis://127.0.0.1:${port}`)).rejects.toThrow(
      /cannot be used: it is a sentinel; give the sentinels as options, as in redis: \{ sentinels:/,
    );
  });

  it('leads the command to the master', async () => {
    const { sentinels, name } = servers.addresses;
    const place = ['--sentinel', sentinels.map(({ host, port }) => `${host}:${port}`).join(), '--name', name];
    const found = await commandAt(servers.addresses, place);
    expect(found).toMatchObject({ listed: ['a', 'b', 'c', 'd', 'e'], revoked: true });
    expect(found.doctor).toMatch(/^ok {7}role +master$/m);
  });
});
