import { createLockService } from '../../lib/locks/create-lock-service.js';
import type { LockService } from '../../lib/locks/lock-service.js';
import type { RunningRedis } from '../../tools/redis/start-redis.js';
import { pass, until } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';
import { ReplicatedRedis } from '../support/replicated-redis.js';

const QUIET = { warn: () => undefined };

/**
 * A coordinated failover closes no connection: whoever listens to the old master goes on hearing what the new one
 * publishes, since a replica hands on the messages of its master. The new master counts its own listeners only.
 */
describeWithRealRedis('whoever still listens to a master that has become a replica', () => {
  let servers: ReplicatedRedis;
  const open: LockService[] = [];
  const openAt = ({ url }: RunningRedis): LockService => {
    const locks = createLockService({ redis: url, ttl: '10s', shutdownGrace: 0, log: QUIET });
    open.push(locks);
    return locks;
  };
  beforeEach(async () => {
    servers = await ReplicatedRedis.start(1);
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((locks) => locks.close()));
    await servers.stop();
  });

  /** Swaps the two servers' roles; all connections stay. */
  async function swapRoles(): Promise<void> {
    const [{ server, admin }] = servers.replicas as [(typeof servers.replicas)[0]];
    await servers.admin.call('FAILOVER', 'TO', '127.0.0.1', new URL(server.url).port);
    const role = async () => (await admin.info('replication')).includes('role:master');
    await until('the replica is the master', role, 20_000, 5);
    const follows = async () => (await servers.admin.info('replication')).includes('master_link_status:up');
    await until('the old master copies it', follows, 20_000, 5);
  }

  it('takes no grant that the new master took back because it saw no listener', async () => {
    const [{ server }] = servers.replicas as [(typeof servers.replicas)[0]];
    const [holder, old] = [openAt(servers.master), openAt(servers.master)];
    const held = await holder.acquire('x');
    let first: number | undefined;
    const waiting = old.acquire('x', { wait: '20s' }).then((lease) => {
      first = lease.fence;
      return lease;
    });
    await until('it waits', async () => (await holder.inspect('x')).queue.length === 1);
    await pass(600); // its sign of life has just been sent: it asks again a second later
    await swapRoles();
    const newcomer = openAt(server);
    await newcomer.ready();
    const next = newcomer.acquire('x', { wait: '20s' });
    await until('both wait', async () => (await newcomer.inspect('x')).queue.length === 2);
    await newcomer.revoke('x', { reason: 'test', force: true });
    const lease = await next;
    await pass(100);
    expect([lease.held, first]).toEqual([true, undefined]);
    void held;
    void waiting.catch(() => undefined);
  });
});
