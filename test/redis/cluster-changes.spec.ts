import { randomUUID } from 'node:crypto';
import { type Clock, SystemClock, wallTime } from '../../lib/base/clock.js';
import { createLockService, openStore } from '../../lib/locks/create-lock-service.js';
import type { LockServiceOptions } from '../../lib/locks/lock-options.js';
import { LockService } from '../../lib/locks/lock-service.js';
import { LockSettings } from '../../lib/locks/lock-settings.js';
import { ClusterRecipe } from '../../lib/store/redis/cluster-recipe.js';
import { RedisStore } from '../../lib/store/redis/redis-store.js';
import { ClusterServers, type ClusterSetup } from '../../tools/redis/cluster-servers.js';
import type { ServerProcess } from '../../tools/redis/server-process.js';
import { abortOf, failureOf, pass, until } from '../support/eventually.js';
import { Lag } from '../support/lag.js';
import { describeWithRealRedis } from '../support/real-redis.js';
import { RoundTrips } from '../support/round-trips.js';

const namespace = `test-${randomUUID()}`;

/** A cluster, and services that are closed after each test. */
class Field {
  readonly warnings: string[] = [];
  servers!: ClusterServers;
  private readonly services: LockService[] = [];

  async open(options: LockServiceOptions = {}): Promise<LockService> {
    const locks = this.openAtOnce(options);
    await locks.ready();
    return locks;
  }

  /** Asks nobody yet: the nodes are not known. */
  openAtOnce(options: LockServiceOptions = {}): LockService {
    const log = { warn: (message: string) => void this.warnings.push(message) };
    const redis = { cluster: this.servers.addresses };
    const locks = createLockService({ redis, namespace, log, shutdownGrace: 0, ...options });
    this.services.push(locks);
    return locks;
  }

  /** As `openAtOnce`, by that clock. */
  openBy(clock: Clock, options: LockServiceOptions): LockService {
    const [log, settings] = [{ warn: () => undefined }, new LockSettings({ namespace, ...options })];
    const locks = LockService.over(openStore(options, settings, clock, log), settings, clock, log);
    this.services.push(locks);
    return locks;
  }

  async end(): Promise<void> {
    await Promise.all(this.services.splice(0).map((locks) => locks.close()));
    this.warnings.length = 0;
  }
}

function fieldOf(setup: ClusterSetup): Field {
  const field = new Field();
  beforeAll(async () => (field.servers = await ClusterServers.start(setup)), 40_000);
  afterEach(() => field.end());
  afterAll(() => field.servers.stop());
  return field;
}

/** Takes and gives back; the fence that it had. */
async function cycle(locks: LockService, name: string): Promise<number> {
  const lease = await locks.acquire(name, { wait: '5s' });
  await lease.renew();
  expect(await lease.release()).toBe('released');
  return lease.fence;
}

describeWithRealRedis('a cluster that changes', () => {
  const field = fieldOf({ replicas: 0, nodeTimeout: 15_000 });
  let names = 0;
  let from: ServerProcess, to: ServerProcess, name: string, slot: number;

  beforeEach(async () => {
    [from, to] = (await field.servers.mastersNow()) as [ServerProcess, ServerProcess];
    name = await field.servers.nameAt(from, `moving:${(names += 1)}`, namespace);
    slot = await field.servers.slotOf(`${namespace}:${name}`);
  });

  /** The slot of a name, its master, and another one. */
  async function moveOf(
    base: string,
  ): Promise<{ there: number; owner: ServerProcess; target: ServerProcess }> {
    const there = await field.servers.slotOf(`${namespace}:${base}`);
    const owner = await field.servers.masterOf(there);
    const target = (await field.servers.mastersNow()).find((one) => one !== owner) as ServerProcess;
    return { there, owner, target };
  }

  it('keeps leases, fences and waiters when a slot moves, and no caller sees an error', async () => {
    const [one, two] = [await field.open(), await field.open()];
    const before = await cycle(one, name);
    const lease = await one.acquire(name);
    const waiting = two.acquire(name, { wait: '10s' });
    await until('it waits', async () => (await one.inspect(name)).queue.length === 1);
    await field.servers.moveSlot(slot, to);
    await lease.renew();
    expect(await lease.release()).toBe('released');
    const next = await waiting;
    expect(lease.fence).toBeGreaterThan(before);
    expect(next.fence).toBeGreaterThan(lease.fence);
    await next.release();
    expect(await cycle(two, name)).toBeGreaterThan(next.fence);
    expect(field.warnings).toEqual([]);
  });

  it('serves names that have gone, and those that are new, from the other one, which knows no script yet', async () => {
    const locks = await field.open();
    const tag = `{${name}}`;
    const { there, owner, target } = await moveOf(tag);
    const held = await locks.acquire(`${tag}:held`);
    const gone = await locks.acquire(`${tag}:gone`);
    await field.servers.beginMove(there, target);
    await owner.admin.call('MIGRATE', '127.0.0.1', target.port, `${namespace}:${tag}:gone`, 0, 5_000);
    await target.admin.script('FLUSH');
    const fresh = await locks.acquire(`${tag}:new`);
    await Promise.all([held.renew(), gone.renew(), fresh.renew()]);
    expect(await locks.tryAcquire(`${tag}:gone`)).toBeUndefined();
    const latch = locks.latch(`${tag}:latch`);
    expect(await latch.trySetCount(1)).toBe(true);
    const opened = latch.opened({ wait: '5s' });
    await latch.countDown();
    await opened;
    await field.servers.endMove(there, target);
    for (const lease of [held, gone, fresh]) {
      await lease.renew();
      expect(await lease.release()).toBe('released');
    }
  });

  it('serves four hundred calls of two processes without an error while a slot is half-way', async () => {
    const [one, two] = [await field.open(), await field.open()];
    const tag = `{${name}}`;
    const { there, target } = await moveOf(tag);
    await Promise.all(Array.from({ length: 10 }, (_, index) => cycle(one, `${tag}:${index}`)));
    await field.servers.beginMove(there, target);
    let done = 0;
    const work = async (locks: LockService, worker: number): Promise<void> => {
      for (let round = 0; round < 20; round += 1) {
        await cycle(locks, `${tag}:${(worker + round) % 20}`);
        done += 1;
      }
    };
    const workers = Array.from({ length: 20 }, (_, worker) => work(worker % 2 ? one : two, worker));
    await until('a part is done', () => done > 120, 20_000);
    await field.servers.moveKeys(there, target);
    await until('another part is done', () => done > 240, 20_000);
    await field.servers.endMove(there, target);
    await Promise.all(workers);
    expect(done).toBe(400);
  }, 40_000);

  it('gives names to a master that has just joined, one by one', async () => {
    const locks = await field.open();
    const joined = await field.servers.join();
    const { there } = await moveOf(`{${name}}`);
    const lease = await locks.acquire(`{${name}}:stays`);
    await field.servers.beginMove(there, joined);
    const other = await locks.acquire(`{${name}}:goes`);
    expect(await joined.admin.exists(`${namespace}:{${name}}:goes`).catch(String)).toMatch(/MOVED|ASK/);
    expect(await joined.admin.cluster('COUNTKEYSINSLOT', there)).toBe(1);
    await field.servers.endMove(there, joined);
    await lease.renew();
    expect(await other.release()).toBe('released');
    expect(await lease.release()).toBe('released');
  }, 30_000);

  it('is connected to a master without slots only for a while after it was asked for keys on their way', async () => {
    let ahead = 0;
    const clock = new SystemClock(() => wallTime() + ahead);
    const redis = { cluster: field.servers.addresses, options: { slotsRefreshInterval: 100 } };
    const locks = field.openBy(clock, { redis });
    const joined = await field.servers.join();
    const connections = async (): Promise<number> =>
      String(await joined.admin.client('LIST')).split(` name=${namespace}@`).length - 1;
    await cycle(locks, `${name}:before`);
    await field.servers.beginMove(slot, joined);
    await cycle(locks, name);
    expect(await connections()).toBe(1);
    for (const each of [from, joined]) await each.admin.call('CLUSTER', 'SETSLOT', slot, 'STABLE');
    await pass(300);
    expect(await connections()).toBe(1);
    ahead += 11_000;
    await until('it is left', async () => (await connections()) === 0);
    await cycle(locks, name);
  }, 30_000);

  it('says of a free name that it is not served, and not that it is taken', async () => {
    const locks = await field.open();
    const { admin } = from;
    const state = (word: string) =>
      until(word, async () => String(await admin.cluster('INFO')).includes(`cluster_state:${word}`), 20_000);
    const slots = (await admin.call('CLUSTER', 'SLOTS')) as [number, number, [string, number]][];
    const [first, last] = slots.find(([, , [, port]]) => port === from.port) as [number, number, unknown];
    const unserved = first === slot ? last : first;
    await admin.config('SET', 'cluster-require-full-coverage', 'yes');
    await admin.cluster('DELSLOTS', unserved);
    await state('fail');
    const errors: unknown[] = [];
    for (let times = 0; times < 4; times += 1) {
      await admin.call('CLIENT', 'KILL', 'TYPE', 'normal'); // it is asked for the time again, and tells it
      errors.push(await failureOf(locks.acquire(name, { wait: 240 })));
    }
    await admin.cluster('ADDSLOTS', unserved);
    await admin.config('SET', 'cluster-require-full-coverage', 'no');
    await state('ok');
    for (const error of errors) expect(error).toMatchObject({ code: 'LOCK_STORE' });
    await cycle(locks, name);
  }, 30_000);

  it('lists each name once, of all masters', async () => {
    const locks = await field.open();
    const all = Array.from({ length: 60 }, (_, index) => `listed:${names}:${index}`);
    const leases = await Promise.all(all.map((each) => locks.acquire(each)));
    const listed: string[] = [];
    for await (const report of locks.list())
      if (report.name.startsWith(`listed:${names}:`)) listed.push(report.name);
    expect(listed.sort()).toEqual(all.sort());
    await Promise.all(leases.map((lease) => lease.release()));
  });

  it('is listened to at two nodes, also by who begins before the nodes are known', async () => {
    const services = Array.from({ length: 6 }, () => field.openAtOnce());
    await Promise.all(
      services.map((locks, index) => locks.using(`${name}:${index}`, () => 1, { linger: '1s' })),
    );
    const heardAt = async (): Promise<number[]> => {
      const channels = field.servers.nodes.map(({ admin }) => admin.pubsub('CHANNELS', `${namespace}:*`));
      const nodes = new Map<string, number>();
      for (const channel of (await Promise.all(channels)).flat() as string[])
        nodes.set(channel, (nodes.get(channel) ?? 0) + 1);
      return [...nodes.values()];
    };
    await until('each listens at two nodes', async () => String(await heardAt()) === '2,2,2,2,2,2');
  });

  it('has no listeners at a node that was taken out and lives, and names of the others change hands', async () => {
    const redis = { cluster: field.servers.addresses, options: { slotsRefreshInterval: 100 } };
    const [one, two] = [await field.open({ redis }), await field.open({ redis })];
    const [leaver, other, ...more] = (await field.servers.mastersNow()) as [
      ServerProcess,
      ServerProcess,
      ...ServerProcess[],
    ];
    const rest = [other, ...more];
    const name = await field.servers.nameAt(other, 'removed', namespace);
    const listeners = async (): Promise<number> =>
      String(await leaver.admin.call('CLIENT', 'LIST', 'TYPE', 'pubsub')).split(` name=${namespace}@`)
        .length - 1;
    // Processes listen since they wait; at two nodes each, so that some listen there.
    for (let round = 0; round < 20 && (await listeners()) === 0; round += 1) {
      const another = await field.open({ redis });
      const lease = await one.acquire(name);
      const waiting = another.acquire(name);
      await until('it waits', async () => (await one.inspect(name)).queue.length === 1);
      await until('it listens', async () => {
        const counts = await Promise.all(
          field.servers.nodes.map(
            async ({ admin }) => (await admin.pubsub('CHANNELS', `${namespace}:*`)) as string[],
          ),
        );
        return counts.flat().length > round;
      });
      await lease.release();
      await (await waiting).release();
    }
    expect(await listeners()).toBeGreaterThan(0);
    await leaver.admin.flushall();
    for (const { admin } of rest) await admin.cluster('FORGET', field.servers.idOf(leaver));
    await leaver.admin.cluster('RESET', 'SOFT');
    await until('nobody listens there', async () => (await listeners()) === 0, 10_000);
    const lease = await one.acquire(name);
    const waiting = two.acquire(name, { wait: '5s' });
    await until('it waits', async () => (await one.inspect(name)).queue.length === 1);
    await lease.release();
    await (await waiting).release();
  }, 40_000);
});

describeWithRealRedis('a cluster whose slots move all the time', () => {
  const field = fieldOf({ replicas: 0, nodeTimeout: 15_000 });

  it('has an end to what is listed', async () => {
    const { servers } = field;
    const locks = await field.open({ ttl: '60s' });
    const source = { cluster: servers.addresses, options: { slotsRefreshInterval: 40 } };
    const settings = { namespace, fenceMemory: 60_000, process: 'test:1', clock: new SystemClock() };
    const store = new RedisStore(new ClusterRecipe(source), settings);
    const names = Array.from({ length: 300 }, (_, index) => `n${index}`);
    const leases = await Promise.all(names.map((each) => locks.acquire(each)));
    const used = new Set(await Promise.all(names.map((each) => servers.slotOf(`${namespace}:${each}`))));
    const [target, ...others] = await servers.mastersNow();
    const empty = [...Array(2_000).keys()].map((slot) => 16_383 - slot).filter((slot) => !used.has(slot));
    let listing = true;
    const moving = (async () => {
      while (listing && others.length > 0) await servers.moveSlot(empty.shift()!, target!);
    })();
    const times = new Map<string, number>();
    let pages = 0;
    for await (const page of store.list(5_000)) {
      for (const { name } of page) times.set(name, (times.get(name) ?? 0) + 1);
      if ((pages += 1) > 60) break;
      await pass(100);
    }
    listing = false;
    await moving;
    await store.close();
    expect([...times.keys()].sort()).toEqual(names.sort());
    expect(Math.max(...times.values())).toBe(2); // the cluster did change meanwhile
    await Promise.all(leases.map((lease) => lease.release()));
  }, 30_000);
});

describeWithRealRedis('a master that fails', () => {
  const field = fieldOf({ replicas: 1 });

  it('hands its names over to its replica when that is planned: leases are asked for at once', async () => {
    const locks = await field.open();
    const [master, another] = (await field.servers.mastersNow()) as [ServerProcess, ServerProcess];
    const [mine, elsewhere] = [
      await field.servers.nameAt(master, 'failing', namespace),
      await field.servers.nameAt(another, 'failing', namespace),
    ];
    const [lease, other] = [await locks.acquire(mine, { ttl: '30s' }), await locks.acquire(elsewhere)];
    const replica = await field.servers.failover(master);
    await until(
      'it is said',
      () => field.warnings.some((each) => /leases of this process/.test(each)),
      10_000,
    );
    expect(field.warnings.filter((each) => /leases of this process/.test(each))).toEqual([
      `Redis at redis://127.0.0.1:${replica.port}/0 has the names of redis://127.0.0.1:${master.port}/0 now: ` +
        'of 1 leases of this process, it kept 1 and lost 0.',
    ]);
    expect(lease.held && other.held).toBe(true);
    expect(await lease.release()).toBe('released');
    expect(await other.release()).toBe('released');
    const again = await cycle(locks, mine);
    expect(again).toBeGreaterThan(lease.fence);
  }, 60_000);

  it('delays no name of another master while it is frozen, though processes listen there', async () => {
    // However late this machine is, the others do not take the frozen node for dead.
    const setTimeout = (ms: number) =>
      Promise.all(field.servers.nodes.map(({ admin }) => admin.config('SET', 'cluster-node-timeout', ms)));
    await setTimeout(15_000);
    const [one, two] = [await field.open(), await field.open()];
    const [other, ...rest] = (await field.servers.mastersNow()) as [ServerProcess, ...ServerProcess[]];
    const here = await field.servers.nameAt(other, 'frozen', namespace);
    let handOffs = 0;
    /** Two processes want one name all the time; the longest time in which nobody held it. */
    const workFor = async (ms: number): Promise<number> => {
      handOffs = 0;
      let [longest, before] = [0, performance.now()];
      let last: LockService | undefined;
      const end = before + ms;
      const work = async (locks: LockService): Promise<void> => {
        while (performance.now() < end)
          await locks.using(here, async () => {
            longest = Math.max(longest, performance.now() - before);
            if (last !== locks) handOffs += 1;
            last = locks;
            await new Promise((resolve) => setImmediate(resolve));
            before = performance.now();
          });
      };
      await Promise.all([one, two].map(work));
      return longest;
    };
    await workFor(300); // since they wait, they listen
    const listeners = async ({ admin }: ServerProcess): Promise<number> =>
      String(await admin.call('CLIENT', 'LIST', 'TYPE', 'pubsub')).split(` name=${namespace}@`).length - 1;
    const counts = await Promise.all(rest.map(listeners));
    const frozen = rest[counts[0]! > 0 ? 0 : 1]!;
    expect(Math.max(...counts)).toBeGreaterThan(0);
    const there = await field.servers.nameAt(frozen, 'frozen', namespace);
    await cycle(one, there);
    using lag = new Lag();
    using pings = new RoundTrips(other.port);
    const usual = await workFor(800);
    field.servers.freeze(frozen);
    const stuck = one.acquire(there, { wait: '30s' });
    const longest = await workFor(800);
    const delays = [lag.max, pings.max];
    field.servers.thaw();
    await (await stuck).release();
    await setTimeout(1_000);
    expect(handOffs).toBeGreaterThan(10);
    expect(longest).toTakeLessThan(usual + 20, ...delays);
  }, 60_000);

  it.each(['killed', 'frozen'])(
    'loses its names to its replica when it is %s, also for a process that was never connected to it',
    async (way) => {
      const options = { slotsRefreshInterval: 60_000 };
      const locks = field.openAtOnce({ redis: { cluster: field.servers.addresses, options } });
      await field.servers.settled();
      const [victim, another] = (await field.servers.mastersNow()) as [ServerProcess, ServerProcess];
      const name = await field.servers.nameAt(victim, 'unconnected', namespace);
      await cycle(locks, await field.servers.nameAt(another, 'unconnected', namespace)); // all nodes are known now
      const replica = await field.servers.replicaOf(victim);
      if (way === 'killed') await victim.kill();
      else field.servers.freeze(victim);
      await field.servers.promoted(replica);
      const take = (wait: number): Promise<boolean> => locks.using(name, () => true, { wait });
      await take(200).catch(() => undefined); // this one may find that it is not reachable
      expect(await take(1_500)).toBe(true); // before a silent connection is given up, after two seconds
      if (way === 'killed') await victim.boot();
      else field.servers.thaw();
    },
    60_000,
  );

  it('loses its names to its replica when it is killed, and nobody sees an error', async () => {
    const [one, two] = [await field.open({ ttl: '20s' }), await field.open({ ttl: '20s' })];
    await field.servers.settled();
    const [victim] = (await field.servers.mastersNow()) as [ServerProcess];
    const name = await field.servers.nameAt(victim, 'killed', namespace);
    const before = await cycle(one, name);
    await cycle(two, name);
    await victim.kill();
    const [first, second] = await Promise.all([
      one.using(name, (lease) => lease.fence, { wait: '20s' }),
      two.using(name, (lease) => lease.fence, { wait: '20s' }),
    ]);
    expect(Math.min(first, second)).toBeGreaterThan(before);
    expect(first).not.toBe(second);
  }, 40_000);
});

describeWithRealRedis('a master that dies and has no replica', () => {
  const field = fieldOf({ masters: 2, replicas: 0, nodeTimeout: 15_000 });

  it('loses its names to another one after nobody had them: leases are asked for again at once', async () => {
    const redis = { cluster: field.servers.addresses, options: { slotsRefreshInterval: 100 } };
    const locks = await field.open({ redis });
    const [heir, victim] = (await field.servers.mastersNow()) as [ServerProcess, ServerProcess];
    const [held, free] = [
      await field.servers.nameAt(victim, 'held', namespace),
      await field.servers.nameAt(victim, 'free', namespace),
    ];
    const lease = await locks.acquire(held, { ttl: '60s' }); // it is not renewed for twenty seconds
    const slots = (await heir.admin.call('CLUSTER', 'SLOTS')) as [number, number, [string, number]][];
    const [first, last] = slots.find(([, , [, port]]) => port === victim.port) as [number, number, unknown];
    await victim.kill();
    await heir.admin.cluster('FORGET', field.servers.idOf(victim));
    const refusal = async (): Promise<string> => String(await failureOf(locks.acquire(free, { wait: 200 })));
    await until('nobody has its slots', async () => /no node has the slot/.test(await refusal()), 10_000);
    expect(lease.held).toBe(true);
    const taken = Array.from({ length: last - first + 1 }, (_, offset) => first + offset);
    await heir.admin.cluster('ADDSLOTS', ...taken);
    await until('the lease is found to be gone', () => !lease.held, 5_000);
    expect(await abortOf(lease.signal)).toMatchObject({ reason: 'taken' });
    const said =
      `Redis at redis://127.0.0.1:${heir.port}/0 has the names of redis://127.0.0.1:${victim.port}/0 now: ` +
      'of 1 leases of this process, it kept 0 and lost 1.';
    await until('it is said', () => field.warnings.includes(said));
  }, 40_000);
});

describeWithRealRedis('a master that starts again without its data, before the others miss it', () => {
  const field = fieldOf({ masters: 2, replicas: 0, nodeTimeout: 15_000 });

  it('is asked for the leases at once, and the lost ones are told', async () => {
    const locks = await field.open();
    const [master, another] = (await field.servers.mastersNow()) as [ServerProcess, ServerProcess];
    const [lost, kept] = [
      await locks.acquire(await field.servers.nameAt(master, 'lost', namespace), { ttl: '60s' }),
      await locks.acquire(await field.servers.nameAt(another, 'kept', namespace), { ttl: '60s' }),
    ];
    await master.kill();
    await master.boot();
    await until('the lease is found to be gone', () => !lost.held, 10_000);
    expect(await abortOf(lost.signal)).toMatchObject({ reason: 'taken' });
    expect(kept.held).toBe(true);
  }, 40_000);
});

describeWithRealRedis('a master that gives all its slots away', () => {
  const field = fieldOf({ replicas: 0, nodeTimeout: 15_000 });

  it('says nothing against the cluster, though it is asked while nobody knows of that', async () => {
    const locks = await field.open();
    const [from, to] = (await field.servers.mastersNow()) as [ServerProcess, ServerProcess];
    await field.servers.giveAllSlots(from, to);
    expect((await locks.ready())?.warnings).toEqual([]);
  });
});
