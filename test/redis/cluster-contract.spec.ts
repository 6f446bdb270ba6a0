import { randomUUID } from 'node:crypto';
import { SystemClock } from '../../lib/base/clock.js';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import { ClusterRecipe } from '../../lib/store/redis/cluster-recipe.js';
import { RedisStore } from '../../lib/store/redis/redis-store.js';
import { ClusterServers } from '../../tools/redis/cluster-servers.js';
import { kindsContract } from '../contract/kinds-contract.js';
import { lockContract, type OpenLocks } from '../contract/lock-contract.js';
import { NoticeRecorder } from '../contract/notice-recorder.js';
import { Peer } from '../contract/peer.js';
import { storeContract } from '../contract/store-contract.js';
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
    kindsContract(open, ['a read-write lock', 'a countdown latch', 'several locks']));

  describe('the store', () => {
    const [clock, namespace] = [new SystemClock(), `test-${randomUUID()}`];
    const settings = { namespace, clock, process: 'test:1' };
    storeContract(
      (fenceMemory) =>
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
