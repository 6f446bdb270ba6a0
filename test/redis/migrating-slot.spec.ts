import { jest } from '@jest/globals';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import type { Lease } from '../../lib/locks/lock.js';
import type { LockServiceOptions } from '../../lib/locks/lock-options.js';
import type { LockService } from '../../lib/locks/lock-service.js';
import { ClusterServers } from '../../tools/redis/cluster-servers.js';
import { until } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';

// While a slot is on its way, its node refuses a script that writes a key which is not there any more: also one that has
// just deleted it itself. A record that takes its other form in two steps would be lost between them.
describeWithRealRedis('a name whose slot is on its way to another node', () => {
  let servers: ClusterServers;
  let locks: LockService;
  let other: LockService;
  let count = 0;
  let name: string;

  let opened: LockService[] = [];
  let end: () => Promise<void>;

  function open(more: LockServiceOptions = {}): LockService {
    const service = createLockService({
      redis: { cluster: servers.addresses },
      shutdownGrace: 0,
      log: { warn: () => undefined, log: () => undefined },
      ...more,
    });
    opened.push(service);
    return service;
  }

  beforeAll(async () => {
    servers = await ClusterServers.start({ replicas: 0, nodeTimeout: 5_000 });
  }, 60_000);
  afterAll(() => servers.stop());
  beforeEach(() => {
    name = `on its way ${(count += 1)}`;
    [locks, other] = [open(), open()];
  });
  afterEach(async () => {
    await end();
    await Promise.all(opened.map((service) => service.close()));
    opened = [];
  });

  /** The slot's source and target know that it moves; no key has moved. */
  async function begin(): Promise<void> {
    const slot = await servers.slotOf(`lock:${name}`);
    const source = await servers.masterOf(slot);
    const target = (await servers.mastersNow()).find((each) => each !== source)!;
    await servers.beginMove(slot, target);
    end = async () => {
      end = async () => undefined;
      await servers.moveKeys(slot, target);
      await servers.endMove(slot, target);
    };
  }
  const holders = async (): Promise<number[]> =>
    (await other.inspect(name)).holders.map(({ fences }) => fences[0]);
  const fencesOf = (...leases: Lease[]): number[] => leases.map(({ fence }) => fence);

  it('keeps its first holder when a second one comes', async () => {
    const permits = locks.semaphore(name, 3);
    const first = await permits.acquire();
    await begin();
    const second = await other.semaphore(name, 3).acquire();
    expect(await holders()).toEqual(fencesOf(first, second));
    await end();
    expect(await holders()).toEqual(fencesOf(first, second));
    expect(await first.release()).toBe('released');
    expect(await second.release()).toBe('released');
  });

  it('keeps its holder when more wait than a compact record has room for', async () => {
    const first = await locks.acquire(name);
    await begin();
    const order: number[] = [];
    const served: Promise<unknown>[] = [];
    for (let place = 0; place < 12; place += 1) {
      const waits = open().using(name, () => void order.push(place), { wait: '10s' });
      served.push(waits.catch(() => undefined));
      await until('it stands in line', async () => (await other.inspect(name)).queue.length > place);
    }
    expect(await holders()).toEqual(fencesOf(first));
    await first.release();
    await Promise.all(served);
    await end();
    expect(order).toEqual(served.map((_, place) => place));
  });

  it('keeps what is special about a hold', async () => {
    const lease = await locks.acquire(name, { ttl: '20s' });
    await begin();
    await other.revoke(name, { reason: 'maintenance' });
    expect(await holders()).toEqual(fencesOf(lease));
    await end();
    expect(await holders()).toEqual(fencesOf(lease));
    await lease.release();
  });

  it('serves on when it is free again, with and without a memory of its fences', async () => {
    for (const service of [locks, open({ fenceMemory: 0 })]) {
      const first = await service.acquire(name);
      await begin();
      await first.release();
      const fences = [first.fence];
      for (let round = 0; round < 20; round += 1) {
        const shared = await service.readWrite(name).read.acquire();
        const again = await other.readWrite(name).read.acquire();
        fences.push(shared.fence, again.fence);
        await Promise.all([shared.release(), again.release()]);
      }
      await end();
      expect(fences).toEqual([...fences].sort((a, b) => a - b));
    }
  });

  it('keeps a latch whose round begins anew', async () => {
    const latch = locks.latch(name, { round: 'monday' });
    await latch.trySetCount(1);
    await begin();
    await latch.countDown();
    expect(await other.latch(name, { round: 'tuesday' }).trySetCount(2)).toBe(true);
    await end();
    expect(await locks.latch(name, { round: 'tuesday' }).count()).toBe(2);
  });

  it('keeps its holder where nodes let nobody ask what they are', async () => {
    const user = { username: 'unasking', password: 'secret' };
    const rule = `on >${user.password} ~* &* +@all -info -cluster +cluster|slots`.split(' ');
    for (const { admin } of servers.nodes) await admin.call('ACL', 'SETUSER', user.username, ...rule);
    const said = jest.spyOn(console, 'warn').mockImplementation(() => undefined); // by ioredis, without INFO
    const redis = { cluster: servers.addresses, options: { redisOptions: user } };
    const permits = open({ redis }).semaphore(name, 3);
    const first = await permits.acquire();
    await begin();
    const second = await permits.acquire();
    expect(await holders()).toEqual(fencesOf(first, second));
    await end();
    expect(await first.release()).toBe('released');
    expect(await second.release()).toBe('released');
    said.mockRestore();
  });
});
