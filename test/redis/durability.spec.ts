import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import type { Redis } from 'ioredis';
import type { LockStoreError } from '../../lib/base/errors.js';
import { createLockService } from '../../lib/locks/create-lock-service.js';
import type { LockServiceOptions } from '../../lib/locks/lock-options.js';
import type { LockService } from '../../lib/locks/lock-service.js';
import { failureOf, pass, until } from '../support/eventually.js';
import { Lag } from '../support/lag.js';
import { loseBy } from '../support/lossy-failover.js';
import { describeWithRealRedis } from '../support/real-redis.js';
import { portOf, ReplicatedRedis, type Replica } from '../support/replicated-redis.js';
import { TcpProxy, type ProxyLink } from '../support/tcp-proxy.js';
import { Monitor } from '../support/monitor.js';

// DURABILITY_ROUNDS=100 npm test -- test/redis/durability.spec.ts is the whole proof.
const ROUNDS = Number(process.env['DURABILITY_ROUNDS'] ?? 3);
// On a busy machine a healthy replica may take some hundred milliseconds to acknowledge.
const BOTH = { replicas: 2, timeout: '500ms' } as const;
const BOTH_SOON = { replicas: 2, timeout: '200ms' } as const;

describeWithRealRedis('grants that replicas have to acknowledge', () => {
  let servers: ReplicatedRedis;
  let lag: Lag;
  let services: LockService[] = [];
  let warnings: string[] = [];

  beforeAll(async () => (servers = await ReplicatedRedis.start(2)), 60_000);
  afterAll(() => servers.stop());
  beforeEach(() => (lag = new Lag()));
  afterEach(async () => {
    lag[Symbol.dispose]();
    servers.thaw();
    await Promise.all(services.map((locks) => locks.close()));
    services = [];
    warnings = [];
    while (servers.replicas.length < 2) await servers.add();
    await servers.settle();
  }, 60_000);

  async function open(options: LockServiceOptions = {}): Promise<LockService> {
    const log = { warn: (message: string) => void warnings.push(message), log: () => undefined };
    const locks = createLockService({ redis: servers.master.url, shutdownGrace: 0, log, ...options });
    services.push(locks);
    await locks.ready();
    return locks;
  }
  const recordAt = ({ admin }: { admin: Redis }, name: string) => admin.get(`lock:${name}`);
  const replica = (index: number): Replica => servers.replicas[index] as Replica;

  it('are on all replicas before their caller has them, and the count is on the lease', async () => {
    const locks = await open({ durability: BOTH });
    expect(warnings).toEqual([]);
    for (let count = 0; count < 50; count += 1) {
      const lease = await locks.acquire(`name-${count}`);
      const records = await Promise.all(servers.replicas.map((each) => recordAt(each, `name-${count}`)));
      for (const record of records) expect(record).toContain(String(lease.fence));
      expect(lease.replicas).toBe(2);
    }
    const several = await locks.allOf(['a', 'b']).acquire();
    expect(several.replicas).toBe(2);
    const permit = await locks.semaphore('permits', 3).acquire();
    expect(permit.replicas).toBe(2);
  });

  const troubles: readonly (readonly [string, (trouble: Replica) => unknown])[] = [
    ['is stopped', (trouble) => servers.freeze(trouble)],
    ['has lost its link without a word', (trouble) => servers.cut(trouble)],
    ['was killed', (trouble) => servers.kill(trouble)],
  ];

  it.each(troubles)(
    'are given back when one replica %s, and the failure has the counts',
    async (_, begin) => {
      const [locks, plain] = [await open({ durability: BOTH }), await open()];
      await begin(replica(1));
      const began = performance.now();
      const error = await failureOf<LockStoreError>(locks.tryAcquire('name'));
      expect(performance.now() - began).toTakeLessThan(500 + 250, lag.max);
      expect(error).toMatchObject({ code: 'LOCK_STORE', lockName: 'name', replicas: 1, refused: false });
      expect(error.message).toMatch(/granted 'name', but 1 of 2 replicas had acknowledged it after 500 ms/);
      await until('it is given back', async () => (await plain.inspect('name')).holders.length === 0);
      const lease = await plain.acquire('name', { wait: 0 });
      expect(lease).toMatchObject({ held: true, replicas: 0 });
      expect(await locks.tryAcquire('name')).toBeUndefined();
      expect((await plain.inspect('name')).holders[0]!.fences[0]).toBe(lease.fence);
    },
  );

  it('make a call wait until enough replicas are back', async () => {
    const locks = await open({ durability: BOTH });
    servers.cut(replica(0));
    const acquired = locks.acquire('name', { wait: '10s' });
    await until('it was given back', async () => (await releases()) > 0);
    replica(0).link.pass();
    const lease = await acquired;
    expect(lease).toMatchObject({ held: true, replicas: 2 });
    expect(await recordAt(replica(0), 'name')).toContain(String(lease.fence));
  });

  it('fail a call at the end of its wait with the counts', async () => {
    const locks = await open({ durability: BOTH_SOON });
    servers.freeze(replica(0));
    servers.freeze(replica(1));
    const began = performance.now();
    const error = await failureOf<LockStoreError>(locks.acquire('name', { wait: '1s' }));
    expect(performance.now() - began).toBeGreaterThan(990);
    expect(performance.now() - began).toTakeLessThan(1_100, lag.max);
    expect(error).toMatchObject({ code: 'LOCK_STORE', replicas: 0 });
    expect(error.message).toMatch(/0 of 2 replicas.*The call for 'name' gave up after \d+ ms/);
  });

  it('have an honest failure also when the wait is shorter than the time for replicas', async () => {
    const locks = await open({ durability: BOTH });
    servers.freeze(replica(0));
    const error = await failureOf<LockStoreError>(locks.acquire('name', { wait: 300 }));
    expect(error).toMatchObject({ code: 'LOCK_STORE', replicas: 1 });
  });

  it('are enough when some other replica is missing, if fewer are asked for', async () => {
    const locks = await open({ durability: { replicas: 1 } });
    servers.freeze(replica(0));
    expect(await locks.tryAcquire('name')).toMatchObject({ replicas: 1 });
  });

  it('hold up no command that needs no acknowledgement', async () => {
    const locks = await open({ durability: BOTH });
    const [kept, released] = [await locks.acquire('kept'), await locks.acquire('released')];
    servers.freeze(replica(0));
    const refused = failureOf(locks.tryAcquire('name'));
    await until('it waits for replicas', async () => (await blocked()) === 1);
    const began = performance.now();
    await Promise.all([kept.renew(), released.release(), locks.inspect('name')]);
    expect(performance.now() - began).toTakeLessThan(150, lag.max);
    expect(await blocked()).toBe(1);
    await refused;
  });

  it('are claimed after a notice only when replicas have them', async () => {
    const [first, second] = [await open(), await open({ durability: BOTH })];
    const holder = await first.acquire('name');
    const waiting = second.acquire('name', { wait: '10s' });
    await until('it waits', async () => (await first.inspect('name')).queue.length === 1);
    await until('it hears', async () => (await listeners()) > 0);
    let claimed = false;
    void waiting.then(() => (claimed = true));
    servers.freeze(replica(0));
    await holder.release();
    await until('it was handed the lock, and waits for replicas', async () => (await blocked()) === 1);
    await pass(100);
    expect(claimed).toBe(false);
    servers.thaw();
    const lease = await waiting;
    expect(lease).toMatchObject({ held: true, replicas: 2 });
    expect(await recordAt(replica(0), 'name')).toContain(String(lease.fence));
  });

  it('of many names at once share a few waits for replicas', async () => {
    const locks = await open({ durability: BOTH });
    const before = await calls('wait');
    const leases = await Promise.all(
      Array.from({ length: 200 }, (_, index) => locks.acquire(`name-${index}`)),
    );
    expect(leases.every(({ replicas }) => replicas === 2)).toBe(true);
    expect((await calls('wait')) - before).toBeLessThanOrEqual(3);
  });

  it('are acknowledged after the server has forgotten the scripts', async () => {
    const locks = await open({ durability: BOTH });
    for (let count = 0; count < 10; count += 1) {
      await servers.admin.script('FLUSH');
      const lease = await locks.acquire(`name-${count}`, { wait: 0 });
      expect(lease.replicas).toBe(2);
      expect(await recordAt(replica(1), `name-${count}`)).toContain(String(lease.fence));
    }
    // Then the script goes out behind a WAIT, which cannot speak of its grant.
    servers.freeze(replica(1));
    await servers.admin.script('FLUSH');
    expect(await failureOf(locks.tryAcquire('name'))).toMatchObject({ code: 'LOCK_STORE', replicas: 1 });
  });

  it('are had again at once when their connection was lost', async () => {
    const locks = await open({ durability: BOTH });
    for (let count = 0; count < 10; count += 1) {
      await servers.admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      const lease = await locks.acquire(`name-${count}`, { wait: '5s' });
      expect(lease.replicas).toBe(2);
    }
  });

  it('are warned of at the start when too few replicas follow', async () => {
    servers.freeze(replica(0));
    await open({ durability: BOTH });
    expect(warnings).toEqual([
      expect.stringMatching(
        /granted the lock of the start-up probe, but 1 of 2 replicas .* No lock can be taken/,
      ),
    ]);
  });

  it('are refused at the start when WAIT is not allowed, and a call is refused at once', async () => {
    await servers.admin.acl('SETUSER', 'nowait', 'on', '>secret', '~*', '&*', '+@all', '-wait');
    const redis = servers.master.url.replace('//', '//nowait:secret@');
    await expect(open({ redis, durability: BOTH })).rejects.toMatchObject({
      code: 'LOCK_STORE',
      message: expect.stringMatching(/failed WAIT: NOPERM/),
    });
    const locks = services.at(-1) as LockService;
    const error = await failureOf<LockStoreError>(locks.acquire('name', { wait: '5s' }));
    expect(error).toMatchObject({ refused: true, message: expect.stringMatching(/WAIT: NOPERM/) });
    const plain = await open();
    await until('it is given back', async () => (await plain.inspect('name')).holders.length === 0);
  });

  it('change nothing on the wire when they are not asked for, and leave with their WAIT in one write when they are', async () => {
    const proxy = await recordingProxy(servers.master.url);
    for (const durability of [undefined, BOTH]) {
      const locks = await open({ redis: proxy.url, durability });
      await (await locks.acquire('warm')).release();
      proxy.writes.length = 0;
      const lease = await locks.acquire('name');
      await lease.renew();
      await lease.release();
      const words = proxy.writes.map(({ link, text }) => `${link}: ${commandsIn(text).join(' ')}`);
      const [main, second] = [...new Set(proxy.writes.map(({ link }) => link))].sort();
      if (durability)
        expect(words).toEqual([`${second}: EVALSHA WAIT`, `${main}: EVALSHA`, `${main}: EVALSHA`]);
      else expect(words).toEqual([`${main}: EVALSHA`, `${main}: EVALSHA`, `${main}: EVALSHA`]);
      await locks.close();
    }
    await proxy.close();
  });

  it('are seen by MONITOR: an acquire is an EVALSHA, and a WAIT of the same connection only when replicas are asked for', async () => {
    const seen: string[] = [];
    const monitor = await Monitor.of(servers.admin, ([command = ''], source) => {
      if (source !== 'lua' && /evalsha|wait/i.test(command)) seen.push(`${command.toLowerCase()} ${source}`);
    });
    const plain = await open();
    const durable = await open({ durability: BOTH });
    for (const [locks, expected] of [
      [plain, ['evalsha', 'evalsha']],
      [durable, ['evalsha', 'wait', 'evalsha']],
    ] as const) {
      seen.length = 0;
      await (await locks.acquire('name')).release();
      await until('MONITOR has told of all', () => seen.length >= expected.length);
      expect(seen.map((each) => each.split(' ')[0])).toEqual(expected);
      const sources = seen.map((each) => each.split(' ')[1]);
      if (locks === durable) expect(sources[0]).toBe(sources[1]);
      expect(sources[0] === sources.at(-1)).toBe(locks === plain);
    }
    await monitor.end();
  });

  it('come from one server: when one connection is led to another, the other one follows', async () => {
    const [promoted, other] = [replica(0), replica(1)];
    const door = await TcpProxy.start(portOf(servers.master));
    const locks = await open({ redis: door.url, durability: { replicas: 1 } });
    const before = await locks.acquire('before');
    await servers.promote(promoted);
    await other.admin.replicaof('127.0.0.1', portOf(promoted.server));
    await until('the other one follows', async () =>
      /state=online/.test(await promoted.admin.info('replication')),
    );
    door.leadTo(portOf(promoted.server));
    (door.links.at(-1) as ProxyLink).reset(); // the one for acquires: the others were made before
    const after = await locks.acquire('after', { wait: '10s' });
    expect(after.replicas).toBe(1);
    expect(await recordAt(promoted, 'after')).toContain(String(after.fence));
    expect(await recordAt(servers, 'after')).toBeNull();
    await before.renew();
    expect(warnings).toContainEqual(expect.stringMatching(/is another server .* it kept 1 and lost 0/));
    await locks.close();
    await until('the door is closed', () => door.open === 0);
    await door.close();
    await other.admin.replicaof('127.0.0.1', other.link.port);
  });

  it(
    `are known to a replica that is promoted without its last writes, ${ROUNDS} of ${ROUNDS}`,
    async () => {
      let reported = 0;
      for (let round = 0; round < ROUNDS; round += 1) {
        const outcome = await loseBy(servers, BOTH_SOON, Math.random);
        expect(outcome).toMatchObject({ unknown: [], fences: [] });
        reported += outcome.reported;
        await servers.settle();
      }
      expect(reported).toBeGreaterThan(30 * ROUNDS);
    },
    30_000 + ROUNDS * 10_000,
  );

  it(
    'are lost by such a promotion when nobody asks for replicas, and fences do not repeat even then',
    async () => {
      let lost = 0;
      for (let round = 0; round < ROUNDS; round += 1) {
        const outcome = await loseBy(servers, undefined, Math.random);
        expect(outcome.fences).toEqual([]);
        lost += outcome.unknown.length;
        await servers.settle();
      }
      expect(lost).toBeGreaterThan(0);
    },
    30_000 + ROUNDS * 10_000,
  );

  /** How many clients wait for replicas. */
  async function blocked(): Promise<number> {
    return Number(/blocked_clients:(\d+)/.exec(await servers.admin.info('clients'))?.[1]);
  }
  async function calls(command: string): Promise<number> {
    const info = await servers.admin.info('commandstats');
    return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(info)?.[1] ?? 0);
  }
  /** How often an id was given back. */
  async function releases(): Promise<number> {
    return (await servers.admin.get('lock:name'))?.startsWith('lock1 - ') === true ? 1 : 0;
  }
  async function listeners(): Promise<number> {
    return ((await servers.admin.pubsub('CHANNELS', '*session:*')) as string[]).length;
  }
});

/** The commands in what a client has written. */
function commandsIn(text: string): string[] {
  return [...text.matchAll(/\*\d+\r\n\$\d+\r\n([A-Za-z]+)\r\n/g)].map(([, command]) =>
    command!.toUpperCase(),
  );
}

/** A way to a server on which each write of a client is noted. */
async function recordingProxy(url: string) {
  const { hostname, port } = new URL(url);
  const writes: { link: number; text: string }[] = [];
  let links = 0;
  const proxy = createServer((client) => {
    const link = (links += 1);
    const server = connect({ host: hostname, port: Number(port) });
    client.on('data', (data) => {
      writes.push({ link, text: data.toString() });
      server.write(data);
    });
    server.pipe(client);
    client.on('close', () => server.destroy());
    for (const socket of [client, server]) socket.on('error', () => undefined);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const close = (): Promise<unknown> => {
    proxy.close();
    return Promise.resolve();
  };
  return { url: `redis://127.0.0.1:${(proxy.address() as AddressInfo).port}`, writes, close };
}
