import { randomUUID } from 'node:crypto';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import { failureOf } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';
import { RedisClusterServers, type ClusterServer } from '../support/redis-cluster.js';

describeWithRealRedis('a node whose scripts somebody else has spoiled', () => {
  const namespace = `test-${randomUUID()}`;
  const cluster = new RedisClusterServers();
  beforeAll(() => cluster.start(), 30_000);
  afterAll(() => cluster.stop());

  it('says so, and other nodes serve; a server that cannot be spoiled serves as before', async () => {
    const [node, other] = cluster.masters as [ClusterServer, ClusterServer];
    const [here, there] = [
      await cluster.nameAt(node, 'name', namespace),
      await cluster.nameAt(other, 'name', namespace),
    ];
    const [a, b] = [await cluster.nameAt(node, 'a', namespace), await cluster.nameAt(node, 'b', namespace)];
    const key = (name: string): string => `${namespace}:${name}`;
    const log = { warn: () => undefined };
    const locks = createLockService({ redis: { cluster: cluster.nodes }, namespace, log });
    await locks.using(here, () => undefined);
    const bad = `return redis.call('MGET', '${key(a)}', '${key(b)}')`;
    await node.admin.eval(bad, 1, key(a)).catch(() => undefined);
    const spoiled = await node.admin.eval("return redis.call('GET', KEYS[1])", 1, key(a)).then(
      () => false,
      () => true,
    );
    expect(await locks.using(there, () => 'served')).toBe('served');
    const another = createLockService({ redis: { cluster: cluster.nodes }, namespace, log });
    if (spoiled)
      for (const ask of [() => locks.acquire(here), () => locks.inspect(here), () => another.ready()]) {
        const error = await failureOf<Error>(ask());
        expect(error).toMatchObject({ code: 'LOCK_STORE', refused: true });
        expect(error.message).toMatch(
          /cannot be used: a script of another application named keys of several slots.*restart it/,
        );
      }
    else expect(await locks.using(here, () => 'served')).toBe('served');
    await another.close();
    await locks.close();
  });
});
