import { randomUUID } from 'node:crypto';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import { ClusterServers } from '../../tools/redis/cluster-servers.js';
import { until } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';
import { Monitor } from '../support/monitor.js';

// A script that touches a key of another slot spoils a node of Valkey 9 for all its clients, until it starts again.
describeWithRealRedis('in a cluster', () => {
  let cluster: ClusterServers;
  const namespace = `test-${randomUUID()}`;
  const monitors: Monitor[] = [];
  /** What each master ran: what clients sent, and what scripts did. */
  const seen: { master: number; script: boolean; command: string[] }[] = [];
  beforeAll(async () => {
    cluster = await ClusterServers.start({ replicas: 0, nodeTimeout: 15_000 });
    for (const [master, { admin }] of cluster.nodes.entries()) {
      monitors.push(
        await Monitor.of(admin, (command, source) =>
          seen.push({ master, script: source === 'lua', command }),
        ),
      );
    }
  }, 30_000);
  afterAll(async () => {
    await Promise.all(monitors.map((monitor) => monitor.end()));
    await cluster.stop();
  });

  it('each script names one key, and touches no other', async () => {
    const log = { warn: () => undefined };
    const open = () =>
      createLockService({ redis: { cluster: cluster.addresses }, namespace, log, shutdownGrace: 0 });
    const services = Array.from({ length: 12 }, open);
    const [one, two] = services as [(typeof services)[0], (typeof services)[0]];
    const names = Array.from({ length: 12 }, (_, index) => `n${index}`);
    await Promise.all(services.map((locks) => locks.ready()));
    // Many names in one turn, with hand-offs between processes, few waiters and many.
    const work = (locks: typeof one, name: string) => locks.using(name, () => undefined, { wait: '20s' });
    await Promise.all(services.flatMap((locks) => names.map((name) => work(locks, name))));
    // The other kinds, and what operators do.
    const { read, write } = one.readWrite('rw');
    const writing = await write.acquire();
    await (await writing.downgrade()).release();
    const readers = await Promise.all([read.acquire(), two.readWrite('rw').read.acquire()]);
    await Promise.all(readers.map((lease) => lease.release()));
    const permits = await Promise.all([one, two].map((locks) => locks.semaphore('s', 3).acquire()));
    await Promise.all(permits.map((lease) => lease.release()));
    await one.latch('l').trySetCount(2);
    const opened = two.latch('l').opened({ wait: '5s' });
    await Promise.all([one.latch('l').countDown(), two.latch('l').countDown()]);
    await opened;
    await one.once('once', () => 1, { doneTtl: '1s' });
    for (const force of [false, true]) {
      const lease = await one.acquire(`revoked ${force}`);
      await two.revoke(lease.names[0]!, { reason: 'test', force });
      await lease.release();
    }
    const both = await one.allOf(names).acquire();
    await both.renew();
    await both.release();
    for await (const { name } of one.list()) expect(name).not.toBe('');
    await Promise.all(services.map((locks) => locks.close()));

    const ends = cluster.nodes.map(({ admin }) => admin.set(`end`, '1').catch(() => undefined));
    await Promise.all(ends);
    await until('all is seen', () => seen.some(({ command }) => command.includes('end')));
    const calls = seen.filter(({ script, command }) => !script && /^eval(sha)?$/i.test(command[0]!));
    expect(calls.length).toBeGreaterThan(300);
    const wrong: string[][] = [];
    const declared = new Map<number, string>();
    let done = 0;
    for (const { master, script, command } of seen) {
      const [verb = '', first = '', count, key = ''] = command;
      if (!script && /^eval(sha)?$/i.test(verb)) {
        declared.set(master, key);
        if (count !== '1' || !key.startsWith(`${namespace}:`)) wrong.push(command);
      }
      if (!script || /^(time|publish)$/i.test(verb)) continue;
      done += 1;
      const keys = /^(mget|del)$/i.test(verb) ? command.slice(1) : [first];
      if (keys.length !== 1 || keys[0] !== declared.get(master)) wrong.push(command);
    }
    expect(wrong).toEqual([]);
    expect(done).toBeGreaterThan(600);
    // Nothing else that we send names keys of others.
    const verbs = new Set(
      seen.filter(({ script }) => !script).map(({ command }) => command[0]!.toLowerCase()),
    );
    for (const allowed of [
      'evalsha',
      'eval',
      'script',
      'info',
      'time',
      'cluster',
      'scan',
      'publish',
      'subscribe',
    ])
      verbs.delete(allowed);
    for (const setUp of ['hello', 'client', 'del', 'set', 'monitor', 'asking', 'command', 'auth'])
      verbs.delete(setUp);
    expect([...verbs]).toEqual([]);
  }, 60_000);
});
