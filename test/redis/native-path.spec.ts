import { Redis } from 'ioredis';
import { createLockService, leastRights } from '../../lib/locks/create-lock-service.js';
import type { LockService } from '../../lib/locks/lock-service.js';
import { arenaForTests } from '../support/arena.js';
import { failureOf, until } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';

describeWithRealRedis('without fence memory, a free name', () => {
  const arena = arenaForTests();
  const NATIVE = { fenceMemory: 0 } as const;

  /** How often the server was asked each of these, by the whole of `work`. */
  const counted = async (work: () => Promise<unknown>, ...commands: string[]): Promise<number[]> => {
    const calls = async (): Promise<number[]> => {
      const stats = await arena.admin.info('commandstats');
      return commands.map((each) =>
        Number(new RegExp(`^cmdstat_${each}:calls=(\\d+)`, 'm').exec(stats)?.[1] ?? 0),
      );
    };
    const before = await calls();
    await work();
    return (await calls()).map((count, at) => count - (before[at] ?? 0));
  };

  const warm = async (locks: LockService): Promise<LockService> => {
    await locks.using('warm-up', () => undefined);
    return locks;
  };

  it('is taken by a transaction, and given back by the server where it compares and deletes by itself', async () => {
    const locks = await warm(arena.open(NATIVE));
    const [known] = (await arena.admin.call('COMMAND', 'INFO', 'delifeq')) as unknown[];
    const cycles = async (): Promise<void> => {
      for (let cycle = 0; cycle < 10; cycle += 1) await (await locks.acquire('order')).release();
    };
    const counts = await counted(cycles, 'multi', 'exec', 'delifeq', 'evalsha');
    expect(counts).toEqual([10, 10, ...(known ? [10, 0] : [0, 10])]);
  });

  it('has the record that the script would write, but for its times', async () => {
    const [native, scripted] = [await warm(arena.open(NATIVE)), arena.open()];
    const holders = async (name: string, locks: LockService) => {
      const lease = await locks.acquire(name, { ttl: 5_000 });
      const [holder] = (await arena.state(name)).holders;
      await lease.release();
      if (!holder) throw new Error('nobody holds');
      const { since, deadline, first, last } = holder;
      const times = { first: first - since, last: 0, deadline: deadline - last, since: 0 };
      return { ...holder, id: '', ...times, behind: lease.fence - since, reserved: last - first + 1 };
    };
    const [one, other] = [await holders('a', native), await holders('b', scripted)];
    // It reserves all fences that the server's clock can have shown, from the earliest on.
    expect(one.behind).toBeGreaterThanOrEqual(0);
    expect(one.reserved).toBeGreaterThan(other.reserved);
    expect((one.reserved - other.reserved) / 1_000).toTakeLessThan(50, arena.lag.max);
    expect({ ...one, behind: 0, reserved: 0 }).toEqual({ ...other, behind: 0, reserved: 0 });
  });

  it('goes from process to process, one at a time, by fences that grow', async () => {
    const fences: number[] = [];
    let inside = 0;
    let most = 0;
    const worker = async (locks: LockService): Promise<void> => {
      for (let round = 0; round < 100; round += 1)
        await locks.using(
          'order',
          async ({ fence }) => {
            fences.push(fence);
            most = Math.max(most, (inside += 1));
            if (round % 7 === 0) await arena.admin.ping();
            inside -= 1;
          },
          { wait: '10s' },
        );
    };
    const services = [arena.open(NATIVE), arena.open(NATIVE), arena.open(NATIVE)];
    const alone = await counted(() => Promise.all(services.map(warm)), 'multi');
    const natively = await counted(() => Promise.all(services.map(worker)), 'multi');
    expect(most).toBe(1);
    expect(fences).toEqual([...new Set(fences)].sort((a, b) => a - b));
    expect([alone[0] ?? 0, natively[0] ?? 0].every((count) => count > 0)).toBe(true);
  });

  it('is asked for by the script once others have had it, until nobody has', async () => {
    const [locks, other] = [await warm(arena.open(NATIVE)), await warm(arena.open(NATIVE))];
    const lease = await other.acquire('order');
    const tries = async (): Promise<void> => {
      for (let round = 0; round < 5; round += 1) expect(await locks.tryAcquire('order')).toBeUndefined();
    };
    expect(await counted(tries, 'multi')).toEqual([1]);
    await lease.release();
    const cycles = async (): Promise<void> => {
      for (let cycle = 0; cycle < 5; cycle += 1) await (await locks.acquire('order')).release();
    };
    expect(await counted(cycles, 'multi')).toEqual([4]);
  });

  it('leaves in one script call with others that are asked for at once', async () => {
    const locks = await warm(arena.open(NATIVE));
    const leases: { release(): Promise<unknown> }[] = [];
    const crowd = async (): Promise<void> => {
      const names = Array.from({ length: 10 }, (_, at) => `name ${at}`);
      leases.push(...(await Promise.all(names.map((name) => locks.acquire(name)))));
    };
    expect(await counted(crowd, 'multi', 'evalsha')).toEqual([1, 1]);
    await Promise.all(leases.map((lease) => lease.release()));
  });

  it('has a renewed lease, whose release is a script again', async () => {
    const locks = await warm(arena.open(NATIVE));
    const lease = await locks.acquire('order');
    await lease.renew();
    expect(await counted(() => lease.release(), 'evalsha', 'delifeq')).toEqual([1, 0]);
    expect((await arena.state('order')).holders).toEqual([]);
  });

  it('is revoked, and its release says so', async () => {
    const locks = await warm(arena.open(NATIVE));
    const lease = await locks.acquire('order', { ttl: '5s' });
    expect(await locks.revoke('order', { reason: 'by test', force: true })).toBe(true);
    expect(await lease.release()).toBe('expired');
  });

  it('whose answer is lost is asked for again under another id, by a larger fence', async () => {
    const { locks, proxy } = await arena.openBehindProxy({ ...NATIVE, ttl: '5s' });
    proxy.dropReply();
    const lease = await locks.acquire('order', { wait: '5s' });
    expect(proxy.links).toHaveLength(2);
    const { holders } = await arena.state('order');
    expect(holders).toHaveLength(1);
    expect(holders[0]?.first).toBeLessThanOrEqual(lease.fence);
    expect(await lease.release()).toBe('released');
    proxy.dropReply();
    await (await locks.tryAcquire('order'))?.release();
    expect(proxy.links).toHaveLength(3);
  });

  it('is not waited for by an id that was given up while it was asked for', async () => {
    const { locks, proxy } = await arena.openBehindProxy(NATIVE);
    const lease = await (await warm(arena.open(NATIVE))).acquire('order');
    await warm(locks);
    proxy.delay({ down: 50 });
    const controller = new AbortController();
    const waiting = failureOf(locks.acquire('order', { signal: controller.signal }));
    const { requests } = proxy;
    await until('it is on its way', () => proxy.requests > requests);
    controller.abort();
    expect(await waiting).toMatchObject({ reason: 'aborted' });
    await warm(locks); // behind all that was sent for it
    expect((await arena.state('order')).queue).toEqual([]);
    proxy.pass();
    await lease.release();
  });

  it('is not held by a command that the server reads from a connection of before', async () => {
    const { locks, proxy } = await arena.openBehindProxy({ ...NATIVE, ttl: '10s' });
    proxy.blackHole('up', (link) => link === 0); // what is written now arrives when all is over
    const { requests } = proxy;
    const lease = locks.acquire('order', { wait: '20s' });
    await until('it is on its way', () => proxy.requests > requests);
    proxy.links[0]?.loseClient();
    await (await lease).release();
    expect((await arena.state('order')).holders).toEqual([]);
    proxy.pass();
    await until('the old connection has ended', () => proxy.open === 1);
    await arena.admin.ping();
    expect((await arena.state('order')).holders).toEqual([]);
  });

  it.each([
    ['end connections', '-client|kill'],
    ['say which connection it is', '-client|id'],
    ['begin transactions', '-multi'],
    ['end transactions', '-exec'],
  ])('is left to the scripts where a user may not %s', async (_, denied) => {
    await arena.admin.call('ACL', 'SETUSER', 'some', 'reset', 'on', '>secret', '~*', '&*', '+@all', denied);
    const url = arena.server.url.replace('redis://', 'redis://some:secret@');
    const locks = await warm(arena.open({ ...NATIVE, redis: url }));
    const cycle = (): Promise<unknown> => locks.using('order', () => undefined);
    expect(await counted(cycle, 'exec', 'evalsha')).toEqual([0, 2]);
  });

  it('needs no more rights than leastRights names with the option', async () => {
    const url = arena.server.url.replace('redis://', 'redis://locks:secret@');
    const rule = leastRights({ redis: url, ...NATIVE }).replace('<password>', 'secret');
    const [, ...words] = rule.split(/\s+/);
    await arena.admin.acl(...(words as ['SETUSER', string]));
    const locks = await warm(arena.open({ ...NATIVE, redis: url }));
    const cycle = async (): Promise<unknown> => (await locks.acquire('order')).release();
    expect(await counted(cycle, 'multi')).toEqual([1]);
    expect(await counted(cycle, 'multi')).toEqual([1]);
  });

  it('is refused by a server whose memory is full, in its words', async () => {
    const locks = await warm(arena.open(NATIVE));
    await arena.admin.config('SET', 'maxmemory', '1');
    const error = await failureOf(locks.acquire('order'));
    await arena.admin.config('SET', 'maxmemory', '0');
    expect(error).toMatchObject({ code: 'LOCK_STORE', message: expect.stringContaining('OOM') as string });
    await locks.using('order', () => undefined);
  });
});

describeWithRealRedis('with fence memory', () => {
  const arena = arenaForTests();

  it('free names are taken by the scripts, which know the fence of before', async () => {
    const locks = createLockService({ redis: arena.server.url, shutdownGrace: 0 });
    await locks.using('order', () => undefined);
    const admin = new Redis(arena.server.url);
    expect(await admin.info('commandstats')).not.toContain('cmdstat_multi');
    admin.disconnect();
    await locks.close();
  });
});
