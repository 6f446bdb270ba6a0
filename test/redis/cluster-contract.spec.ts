import { randomUUID } from 'node:crypto';
import type { LockBusyError } from '../../lib/base/errors.js';
import { SystemClock } from '../../lib/base/clock.js';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import type { LockService } from '../../lib/locks/lock-service.js';
import { ClusterRecipe } from '../../lib/store/redis/cluster-recipe.js';
import { RedisStore } from '../../lib/store/redis/redis-store.js';
import { ClusterServers } from '../../tools/redis/cluster-servers.js';
import { kindsContract } from '../contract/kinds-contract.js';
import { lockContract, type OpenLocks } from '../contract/lock-contract.js';
import { NoticeRecorder } from '../../lib/testing/contract/notice-recorder.js';
import { Peer } from '../../lib/testing/contract/peer.js';
import { testStoreContract } from '../contract/store-contract.js';
import { commandAt } from '../support/command-at.js';
import { describeWithRealRedis } from '../support/real-redis.js';

describeWithRealRedis('in a cluster of three masters', () => {
  let cluster: ClusterServers;
  beforeAll(async () => (cluster = await ClusterServers.start({ replicas: 0, nodeTimeout: 15_000 })), 30_000);
  afterAll(() => cluster.stop());

  // Above the store nothing knows of clusters. There are several connections and clocks, notices come by another node, and
  // several names are in several slots.
  const namespace = `test-${randomUUID()}`;
  const log = { warn: () => undefined };
  const open: OpenLocks = (options) =>
    createLockService({ redis: { cluster: cluster.addresses }, namespace, log, ...options });
  describe('there are locks', () =>
    lockContract(open, ['taking a lock', 'fences', 'several names', 'names in use', 'closing']));
  describe('there are all kinds of locks', () =>
    kindsContract(open, [
      'a read-write lock',
      'a countdown latch',
      'several locks',
      'a lease that goes on elsewhere',
    ]));

  it('calls that wait for each other are found, wherever their names are', async () => {
    const lines: string[] = [];
    const heard = {
      warn: (line: string) => void (line.startsWith('There is a deadlock') && lines.push(line)),
    };
    const redis = { cluster: cluster.addresses };
    const services = [0, 1, 2].map(() =>
      createLockService({ redis, namespace, deadlock: 'fail', log: heard }),
    );
    const [one, two, three] = services as [LockService, LockService, LockService];
    const holding: (() => void)[] = [];
    const all = new Promise<void>((resolve) => holding.push(resolve));
    let count = 0;
    const nested = async (locks: LockService, own: string, other: string): Promise<string> => {
      const work = async (): Promise<void> => {
        if ((count += 1) === 3) holding[0]?.();
        await all;
        await locks.using(other, () => undefined, { wait: '1h' });
      };
      return locks.using(own, work).then(
        () => 'done',
        (error: LockBusyError) => error.reason,
      );
    };
    // Each name has a slot of its own.
    const outcomes = [nested(one, 'a', 'b'), nested(two, 'b', 'c'), nested(three, 'c', 'a')];
    expect((await Promise.all(outcomes)).sort()).toEqual(['deadlock', 'done', 'done']);
    expect(lines).toHaveLength(1);
    await Promise.all(services.map((each) => each.close()));
  });

  it('there is the command', async () => {
    const nodes = cluster.addresses.map(({ host, port }) => `${host}:${port}`).join();
    const found = await commandAt({ cluster: cluster.addresses }, ['--cluster', nodes]);
    expect(found).toMatchObject({ listed: ['a', 'b', 'c', 'd', 'e'], revoked: true });
    expect(found.shown).toContain('Held by one process');
    expect(found.doctor).toContain('+cluster|slots');
  });

  describe('the store', () => {
    const [clock, namespace] = [new SystemClock(), `test-${randomUUID()}`];
    const settings = { namespace, clock, process: 'test:1' };
    testStoreContract(
      ({ fenceMemory }) =>
        Promise.resolve(
          new RedisStore(new ClusterRecipe({ cluster: cluster.addresses }), { ...settings, fenceMemory }),
        ),
      { countable: false },
    );

    it('judges a pushed grant by the clock of the node that it names, and no other', async () => {
      const store = new RedisStore(new ClusterRecipe({ cluster: cluster.addresses }), {
        ...settings,
        fenceMemory: 60_000,
      });
      try {
        await store.ready(2_000);
        const recorder = new NoticeRecorder(store);
        store.subscribe();
        await recorder.woken();
        const names = await Promise.all(
          cluster.nodes.map((master) => cluster.nameAt(master, 'judged', namespace)),
        );
        for (const name of names) {
          const peer = new Peer(store, name);
          const [holder, next] = [peer.id(), peer.id()];
          await peer.acquire(holder);
          await peer.acquire(next);
          await peer.release(holder);
          const grant = await recorder.notice('granted', next);
          expect(store.sampleFor(grant)).toBeDefined();
          expect(store.sampleFor(grant)).toBe(store.sample(name));
          expect(store.sampleFor({ ...grant, server: 'unknown' })).toBeUndefined();
          const { server: _server, ...unsaid } = grant;
          expect(store.sampleFor(unsaid)).toBeUndefined();
          await peer.release(next);
        }
        expect(new Set(names.map((name) => store.sample(name))).size).toBe(3);
      } finally {
        await store.close();
      }
    });

    it('looks at each master when it starts, and says which one is to be mended', async () => {
      const { admin, port } = cluster.nodes[1]!;
      await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
      const store = new RedisStore(new ClusterRecipe({ cluster: cluster.addresses }), {
        ...settings,
        fenceMemory: 60_000,
      });
      const found = await store.ready(2_000);
      await store.close();
      await admin.config('SET', 'maxmemory-policy', 'noeviction');
      expect(found).toMatchObject({
        address: `cluster ${cluster.addresses.map((node) => `127.0.0.1:${node.port}`).join(', ')}`,
        role: 'master',
        publish: true,
        maxmemoryPolicy: 'allkeys-lru',
        warnings: [expect.stringContaining(`redis://127.0.0.1:${port}/0 may evict locks`)],
      });
    });
  });
});
