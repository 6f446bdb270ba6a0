import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { Redis } from 'ioredis';
import { SystemClock } from '../../lib/base/clock.js';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import type { LockService } from '../../lib/locks/lock-service.js';
import { ClientRecipe } from '../../lib/store/redis/client-recipe.js';
import { RedisStore } from '../../lib/store/redis/redis-store.js';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';
import { kindsContract } from '../contract/kinds-contract.js';
import { lockContract, type OpenLocks } from '../contract/lock-contract.js';
import { testStoreContract } from '../contract/store-contract.js';
import { failureOf, until } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';
import { ClusterServers } from '../../tools/redis/cluster-servers.js';
import { SentinelServers } from '../../tools/redis/sentinel-servers.js';

const PAGE = readFileSync(join(import.meta.dirname, '../../docs/operating.md'), 'utf8');

/** The rule of the documentation, as the arguments of ACL. */
function documentedRule(block = 'acl'): string[] {
  const text = new RegExp(`^\`\`\`${block}\\n([^\`]*)`, 'm').exec(PAGE)?.[1] ?? '';
  return text.replace('<password>', 'secret').trim().split(/\s+/).slice(1);
}

const services: LockService[] = [];
const closeAll = () => Promise.all(services.splice(0).map((locks) => locks.close()));

function open(options: Parameters<typeof createLockService>[0]): LockService {
  const locks = createLockService({ shutdownGrace: 0, log: { warn: () => undefined }, ...options });
  services.push(locks);
  return locks;
}

describeWithRealRedis('a user with the rights that the documentation names, and no others', () => {
  let redis: RunningRedis;
  let admin: Redis;
  const warnings: string[] = [];
  const log = { warn: (text: string) => void warnings.push(text) };
  const url = (path = ''): string => redis.url.replace('redis://', 'redis://locks:secret@') + path;

  beforeAll(async () => {
    redis = await startRedis({ given: false });
    admin = new Redis(redis.url);
    await allow();
  });
  afterAll(async () => {
    admin.disconnect();
    await redis.stop();
  });

  /** Gives the user the rule of the documentation, changed as the documentation says. */
  async function allow(change: (rule: string) => string = (rule) => rule, ...more: string[]): Promise<void> {
    await admin.call('ACL', 'DELUSER', 'locks');
    await admin.call('ACL', ...documentedRule().map(change), ...more);
  }

  // Which commands are sent depends on the scripts, and on what is asked of them: the store's contract asks for everything.
  const locks: OpenLocks = (options) =>
    createLockService({ redis: url(), namespace: 'lock', log, ...options });
  describe('has locks', () => lockContract(locks, ['several names', 'names in use']));
  describe('has all kinds of locks', () => kindsContract(locks, ['a read-write lock', 'a countdown latch']));
  describe('has a store', () => {
    beforeAll(() => admin.flushall()); // names that the others have used
    const settings = { namespace: 'lock', process: 'test:1', clock: new SystemClock() };
    testStoreContract(({ fenceMemory }) =>
      Promise.resolve(new RedisStore(new ClientRecipe(url()), { ...settings, fenceMemory })),
    );
  });

  describe('is served', () => {
    beforeEach(() => warnings.splice(0));
    afterEach(closeAll);
    afterEach(async () => {
      await allow();
      await admin.flushall();
    });

    /** The lock goes from one process to another by a notice; nothing is warned of. */
    async function handOff(address: string, namespace = 'lock'): Promise<void> {
      const [one, two] = [1, 2].map(() => open({ redis: address, namespace, log })) as [
        LockService,
        LockService,
      ];
      for (const locks of [one, two])
        expect(await locks.ready()).toMatchObject({ publish: true, warnings: [] });
      const lease = await one.acquire('handed');
      const waiting = two.acquire('handed');
      await until('it waits and hears', async () => {
        const [waiter] = (await one.inspect('handed')).queue;
        return waiter !== undefined && (await admin.pubsub('CHANNELS', `${namespace}:session:*`)).length > 0;
      });
      await lease.release();
      await (await waiting).release();
      expect(warnings).toEqual([]);
    }

    it('as the rule stands', () => handOff(url()));

    it('in another namespace, when both patterns name it', async () => {
      await allow((word) => word.replace('lock:', 'shop:'));
      await handOff(url(), 'shop');
    });

    it('with a keyPrefix, when the pattern of keys has it and that of channels has not', async () => {
      await allow((word) => word.replace('~lock:', '~app:lock:'));
      await handOff(url('?keyPrefix=app:'));
    });

    it('in another database with SELECT, and not at all without', async () => {
      const locks = open({ redis: url('/3') });
      expect((await failureOf<Error>(locks.ready())).message).toMatch(/cannot be used: NOPERM .*'select'/);
      expect(await failureOf(locks.acquire('x', { wait: '5s' }))).toMatchObject({ refused: true });
      await allow(undefined, '+select');
      await handOff(url('/3'));
      await admin.select(3);
      expect(await admin.exists('lock:handed')).toBe(1);
      await admin.select(0);
      expect(await admin.exists('lock:handed')).toBe(0);
    });

    it('and needs each of these rights', async () => {
      const rights = documentedRule().filter((word) => word.startsWith('+'));
      expect(rights.length).toBeGreaterThan(20);
      const said = jest.spyOn(console, 'warn').mockImplementation(() => undefined); // by ioredis, without INFO
      for (const right of rights) {
        if (right === '+eval') await admin.script('FLUSH'); // else the digests suffice
        await allow(undefined, right.replace('+', '-'));
        warnings.length = 0;
        await open({ redis: url(), log, startup: 'warn' }).ready();
        expect([right, warnings.join()]).toEqual([right, expect.stringContaining(`ACL: `)]);
        expect(warnings.join()).toContain(right);
      }
      said.mockRestore();
    }, 20_000);
  });
});

describeWithRealRedis('sentinels with the rights that the documentation names, and no others', () => {
  afterEach(closeAll);

  it('lead to the master, and tell of a planned failover', async () => {
    const topology = await SentinelServers.start({ downAfter: 5_000 });
    const user = { username: 'locks', password: 'secret' };
    const sentinelUser = { sentinelUsername: 'locks', sentinelPassword: 'secret' };
    try {
      for (const { admin } of topology.sentinels) await admin.call('ACL', ...documentedRule('acl-sentinel'));
      for (const { admin } of topology.servers) await admin.call('ACL', ...documentedRule());
      const redis = { ...topology.addresses, ...user, ...sentinelUser };
      const locks = open({ redis, ttl: 30_000 });
      const before = await topology.master();
      await using lease = await locks.acquire('kept');
      await topology.plannedFailover();
      const served = await topology.master();
      expect(served.port).not.toBe(before.port);
      await until('the new master knows the lease', async () => {
        await lease.renew().catch(() => undefined);
        return /name=lock@|user=locks/.test(String(await served.admin.client('LIST')));
      });
      expect(lease.held).toBe(true);
    } finally {
      await topology.stop();
    }
  }, 60_000);
});

describeWithRealRedis('a cluster with the rights that the documentation names, and no others', () => {
  afterEach(closeAll);

  it('has locks of all kinds, also while their slot is on its way, and says at the start what is missing', async () => {
    const servers = await ClusterServers.start({ replicas: 0 });
    const allow = async (...more: string[]): Promise<void> => {
      for (const { admin } of servers.nodes) await admin.call('ACL', ...documentedRule(), ...more);
    };
    const redis = {
      cluster: servers.addresses,
      options: { redisOptions: { username: 'locks', password: 'secret' } },
    };
    try {
      await allow('+cluster|slots', '+asking');
      const refused = await failureOf<Error>(open({ redis }).ready());
      expect(refused.message).toMatch(/ACL: .*\+restore/s);
      await allow('+cluster|slots', '+asking', '+restore');
      const locks = open({ redis });
      const slot = await servers.slotOf('lock:printer');
      const source = await servers.masterOf(slot);
      const target = (await servers.mastersNow()).find((each) => each !== source)!;
      const permits = locks.semaphore('printer', 2);
      const first = await permits.acquire();
      await servers.beginMove(slot, target);
      const second = await permits.acquire();
      await servers.moveKeys(slot, target);
      expect(await Promise.all([first.release(), second.release()])).toEqual(['released', 'released']);
      await servers.endMove(slot, target);
      await locks.using('printer', () => undefined);
    } finally {
      await closeAll();
      await servers.stop();
    }
  }, 60_000);
});
