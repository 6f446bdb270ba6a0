import { randomUUID } from 'node:crypto';
import { Cluster } from 'ioredis';
import { Cluster as Cluster5 } from 'ioredis-5';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import type { LockServiceOptions } from '../../lib/locks/lock-options.js';
import { ClusterRecipe } from '../../lib/store/redis/cluster-recipe.js';
import { ClusterServers } from '../../tools/redis/cluster-servers.js';
import { failureOf } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';
import { TcpProxy } from '../support/tcp-proxy.js';

describeWithRealRedis('a cluster is given', () => {
  let cluster: ClusterServers;
  const password = 's3cret';
  const namespace = `test-${randomUUID()}`;
  beforeAll(
    async () => (cluster = await ClusterServers.start({ replicas: 0, nodeTimeout: 15_000, password })),
    30_000,
  );
  afterAll(() => cluster.stop());

  async function takes(redis: LockServiceOptions['redis']): Promise<void> {
    const locks = createLockService({ redis, namespace, log: { warn: () => undefined } });
    try {
      const names = Array.from({ length: 20 }, () => randomUUID());
      await Promise.all(names.map((name) => locks.using(name, () => undefined)));
    } finally {
      await locks.close();
    }
  }

  it('by the addresses of some nodes, and the options of the servers', async () => {
    await takes({ cluster: cluster.addresses.slice(0, 1), options: { redisOptions: { password } } });
  });

  it('by URLs that carry the password', async () => {
    await takes({
      cluster: cluster.addresses.map(({ host, port }) => `redis://:${password}@${host}:${port}`),
    });
  });

  it.each([
    ['5', Cluster5 as unknown as typeof Cluster],
    ['6', Cluster],
  ])('by a client of ioredis %s, over which nothing is ever sent', async (_, Client) => {
    const client = new Client(cluster.addresses, {
      lazyConnect: true,
      redisOptions: { password, keyPrefix: 'app:' },
    });
    await takes(client);
    expect(client.status).toBe('wait'); // it has not even connected
    client.disconnect();
  });

  it('by addresses that only a map makes reachable', async () => {
    const inside = new Map(cluster.addresses.map((node, index) => [`127.0.0.1:${node.port}`, index]));
    const asked = new Set<string>();
    const natMap = (key: string) => {
      asked.add(key);
      return { host: 'localhost', port: cluster.addresses[inside.get(key) as number]!.port };
    };
    await takes({
      cluster: cluster.addresses.slice(0, 1),
      options: { natMap, redisOptions: { password, family: 4 } },
    });
    expect([...asked].sort()).toEqual([...inside.keys()].sort());
  });

  it('whose nodes are to be called by names that most of them do not have', async () => {
    const prefer = (how: string) =>
      Promise.all(
        cluster.nodes.map(({ admin }) => admin.config('SET', 'cluster-preferred-endpoint-type', how)),
      );
    if (!(await prefer('hostname').catch(() => undefined))) return; // Redis 6.2 knows no names
    try {
      const redisOptions = { password, family: 4 };
      await takes({ cluster: cluster.addresses.slice(0, 1), options: { redisOptions } });
    } finally {
      await prefer('ip');
    }
  });

  it('and connections to its nodes are lost before the first answer: the nodes are used all the same', async () => {
    const proxies = await Promise.all(cluster.addresses.map(({ port }) => TcpProxy.start(port)));
    const natMap = Object.fromEntries(
      cluster.addresses.map(({ port }, index) => [
        `127.0.0.1:${port}`,
        { host: '127.0.0.1', port: proxies[index]!.port },
      ]),
    );
    const options = { natMap, redisOptions: { password } };
    try {
      // INFO server, as the connection to a node asks for it when it is made.
      const isGreeting = (reply: string): boolean => /redis_mode:cluster/.test(reply) && reply.length < 3_000;
      for (const proxy of proxies) proxy.dropReply(isGreeting);
      await takes({ cluster: cluster.addresses, options });
    } finally {
      await Promise.all(proxies.map((proxy) => proxy.close()));
    }
  });

  it('by a name that only the user’s own look-up knows', async () => {
    const { port } = cluster.addresses[0]!;
    const dnsLookup = (_host: string, found: (error: null, address: string) => void): void =>
      found(null, '127.0.0.1');
    await takes({
      cluster: [{ host: 'node.invalid', port }],
      options: { dnsLookup, redisOptions: { password } },
    });
  });

  it('with a wrong password, and says so at once', async () => {
    const node = cluster.addresses[0]!;
    const error = await failureOf<Error>(
      takes({ cluster: [node], options: { redisOptions: { password: 'wr0ng' } } }),
    );
    expect(error.message).toMatch(`Redis at cluster 127.0.0.1:${node.port} refused the user or the password`);
    expect(error.message).not.toMatch('wr0ng');
  });
});

describe('the recipe of a cluster', () => {
  it.each([
    [
      'no nodes',
      { cluster: [] },
      /takes the addresses of some nodes as cluster, as in redis: \{ cluster: \[/,
    ],
    ['SRV records', { cluster: [1], options: { useSRVRecords: true } }, /not SRV records/],
    [
      'an option that nobody knows',
      { cluster: [1], options: { natmap: {} } },
      /ioredis does not know: natmap/,
    ],
    [
      'a password in the wrong place',
      { cluster: [1], options: { password: 'x' } },
      /redisOptions: \{ password: … \}/,
    ],
    ['an unknown option of servers', { cluster: [1], options: { redisOptions: { pass: 'x' } } }, /pass/],
    ['a node that is none', { cluster: [true] }, /A node of the cluster is/],
  ])('refuses %s', (_, source, words) => {
    expect(() => new ClusterRecipe(source as never)).toThrow(words);
  });

  it('knows nodes by port, by URL and by host and port', () => {
    const recipe = new ClusterRecipe({
      cluster: [7000, 'redis://u:p@b:7001', { host: 'c', port: 7002 }, 'd:7003'],
    });
    expect(recipe.address).toBe('cluster 127.0.0.1:7000, b:7001, c:7002, d:7003');
    expect(recipe.secrets).toEqual(['p']);
  });
});
