import { Redis as Redis5 } from 'ioredis-5';
import { createLockService, leastRights } from '../../lib/locks/create-lock-service.js';
import type { Lease } from '../../lib/locks/lock.js';
import type { LockServiceOptions } from '../../lib/locks/lock-options.js';
import { arenaForTests, portOf } from '../support/arena.js';
import { abortOf, pass, until } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';
import { RoundTrips } from '../support/round-trips.js';
import { Monitor } from '../support/monitor.js';

const NOTICED = 20;
const CHANGED_EVERY = 250;
/** The scheduler is up to a tenth early, which the pause allows for, and has slots of 5 ms. */
const LATEST = CHANGED_EVERY / 0.9 + 5;

describeWithRealRedis('locks with client tracking', () => {
  const arena = arenaForTests();
  const KEY = 'lock:x';

  const statistic = async (name: string): Promise<number> =>
    Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(await arena.admin.info())?.[1] ?? 0);
  const renewals = async (): Promise<number> =>
    Number(/cmdstat_evalsha:calls=(\d+)/.exec(await arena.admin.info('commandstats'))?.[1] ?? 0);
  const tracked = (): Promise<void> =>
    until('a key is tracked', async () => (await statistic('tracking_total_keys')) > 0);

  /** A lease that is renewed for the first time, and so tracked; its next renewal may be at once. */
  async function held(options: LockServiceOptions = {}): Promise<Lease> {
    const lease = await arena.open({ clientTracking: true, ...options }).acquire('x');
    await lease.renew();
    await tracked();
    await pass(LATEST); // when tracking begins, it is a reason to renew
    await tracked();
    return lease;
  }

  /** How long it takes after `what` until the signal aborts, and what the machine may add to a bound. */
  async function abortAfter(
    lease: Lease,
    what: () => Promise<unknown>,
  ): Promise<{ ms: number; lag: number }> {
    using trips = new RoundTrips(portOf(arena.server));
    await until('the way is measured', () => trips.max > 0);
    const aborted = abortOf(lease.signal);
    const start = performance.now();
    await what();
    expect(await aborted).toMatchObject({ code: 'LOCK_LOST', reason: 'taken' });
    const ms = performance.now() - start;
    return { ms, lag: 2 * arena.lag.max + 3 * trips.max };
  }

  describe('the signal aborts at once, long before the next renewal', () => {
    afterEach(() => arena.admin.config('SET', 'maxmemory', '0', 'maxmemory-policy', 'noeviction'));

    it.each<[string, () => Promise<unknown>]>([
      ['DEL', () => arena.admin.del(KEY)],
      ['FLUSHALL', () => arena.admin.flushall()],
      [
        'an eviction',
        () => arena.admin.config('SET', 'maxmemory-policy', 'allkeys-random', 'maxmemory', '1'),
      ],
      ["an operator's hand", () => arena.admin.set(KEY, 'mine')],
    ])('by %s', async (_, what) => {
      const { ms, lag } = await abortAfter(await held(), what);
      expect(ms).toTakeLessThan(NOTICED, lag);
    });

    it('with a client of ioredis 5', async () => {
      const client = new Redis5(arena.server.url, { lazyConnect: true });
      const { ms, lag } = await abortAfter(await held({ redis: client }), () => arena.admin.del(KEY));
      client.disconnect();
      expect(ms).toTakeLessThan(NOTICED, lag);
    });

    it('with a keyPrefix, and a comma in the name', async () => {
      const redis = { port: portOf(arena.server), keyPrefix: 'app:' };
      const lease = await arena.open({ redis, clientTracking: true }).acquire('a,b ü');
      await lease.renew();
      await tracked();
      const { ms, lag } = await abortAfter(lease, () => arena.admin.del('app:lock:a,b ü'));
      expect(ms).toTakeLessThan(NOTICED + LATEST, lag);
    });
  });

  describe('a change that leaves the hold as it is', () => {
    const touch = (): Promise<unknown> => arena.admin.append(KEY, ''); // a change for those who track

    it('is a reason to renew, every 250 ms at most, and no loss', async () => {
      const lease = await held();
      const before = await renewals();
      const start = performance.now();
      while (performance.now() - start < 1_000) {
        await touch();
        await pass(5);
      }
      const took = performance.now() - start;
      const asked = (await renewals()) - before;
      expect(asked).toBeGreaterThanOrEqual(2);
      expect(asked).toBeLessThanOrEqual(1 + took / CHANGED_EVERY);
      lease.assertHeld();
      await lease.release();
    });

    it('is followed by tracking again: a DEL within the pause is noticed at its end, and one after it at once', async () => {
      const lease = await held();
      await touch();
      const first = await abortAfter(lease, () => arena.admin.del(KEY));
      expect(first.ms).toTakeLessThan(LATEST + NOTICED, first.lag);

      const next = await held();
      await touch();
      await pass(LATEST);
      const second = await abortAfter(next, () => arena.admin.del(KEY));
      expect(second.ms).toTakeLessThan(NOTICED, second.lag);
    });

    it('may be our own: a note ends no tracking', async () => {
      const lease = await held();
      await lease.note('row 7');
      const { ms, lag } = await abortAfter(lease, () => arena.admin.del(KEY));
      expect(ms).toTakeLessThan(NOTICED, lag);
    });
  });

  describe('when a connection is lost', () => {
    it.each(['pubsub', 'normal'])(
      '(%s) tracks again, and finds what has happened meanwhile',
      async (type) => {
        const lease = await held();
        await arena.admin.call('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes');
        await tracked();
        await pass(LATEST);
        await tracked();
        const { ms, lag } = await abortAfter(lease, () => arena.admin.del(KEY));
        expect(ms).toTakeLessThan(NOTICED, lag);

        const next = await held();
        await Promise.all([
          arena.admin.call('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes'),
          arena.admin.del(KEY),
        ]);
        expect(await abortOf(next.signal)).toMatchObject({ reason: 'taken' });
        expect(next.remaining).toBe(0);
      },
    );
  });

  describe('the commands of an uncontended cycle', () => {
    /** What the server is sent for some cycles, the connection included; ids, times and digests are masked. */
    async function sent(clientTracking: boolean): Promise<string[]> {
      const seen: string[] = [];
      // Only of connections that began here: the server may still read what the test before has sent.
      const own = new Set<string>();
      await arena.state('x'); // the arena's own store is connected, and will not begin to be now
      const monitor = await Monitor.of(arena.admin, (args, source) => {
        if (args[0] === 'hello' || args[0] === 'echo') own.add(source);
        if (own.has(source)) seen.push(JSON.stringify(args).replace(/[\w-]{22}\.[\w-]{12}/g, 'ID'));
      });
      const locks = arena.open({ clientTracking });
      for (let cycle = 0; cycle < 3; cycle += 1) await (await locks.acquire('cycle')).release();
      await locks.close();
      await arena.admin.echo('end');
      await until('all was seen', () => seen.some((words) => words.includes('"end"')));
      await monitor.end();
      return seen.map((words) => words.replace(/\d{16}/g, 'TIME').replace(/ [\w-]{12}"]$/, ' SEAL"]'));
    }

    it('are the same as without, byte for byte but for ids and times', async () => {
      const without = await sent(false);
      expect(without.filter((words) => words.includes('evalsha'))).toHaveLength(6);
      expect(await sent(true)).toEqual(without);
    });
  });

  describe('a user', () => {
    afterEach(() => arena.admin.acl('DELUSER', 'locks'));
    const url = (): string => arena.server.url.replace('redis://', 'redis://locks:secret@');

    it('needs what leastRights says with the option, and no more', async () => {
      const rule = leastRights({ redis: url(), clientTracking: true }).replace('<password>', 'secret');
      const [, ...words] = rule.split(/\s+/);
      await arena.admin.acl(...(words as ['SETUSER', string]));
      const locks = arena.open({ redis: url(), clientTracking: true });
      expect((await locks.ready())?.warnings).toEqual([]);
      const lease = await locks.acquire('x');
      await lease.renew();
      await tracked();
      await pass(LATEST);
      const { ms, lag } = await abortAfter(lease, () => arena.admin.del(KEY));
      expect(ms).toTakeLessThan(NOTICED + LATEST, lag);
    });

    it('without those rights has locks as before, and one warning at the start', async () => {
      const rule = leastRights({ redis: url() }).replace('<password>', 'secret');
      const [, ...words] = rule.split(/\s+/);
      await arena.admin.acl(...(words as ['SETUSER', string]));
      const locks = arena.open({ redis: url(), clientTracking: true, ttl: 300 });
      await locks.ready();
      expect(arena.warnings).toEqual([
        expect.stringMatching(
          /clientTracking has no effect.*\+client\|tracking \+client\|caching \+client\|id/,
        ),
      ]);
      const lease = await locks.acquire('x');
      await lease.renew();
      await pass(400);
      lease.assertHeld();
      await arena.admin.del(KEY);
      expect(await abortOf(lease.signal)).toMatchObject({ reason: 'taken' });
      expect(arena.warnings.filter((text) => text.includes('clientTracking'))).toHaveLength(1);
    });

    it('is asked for no such rights without the option', async () => {
      expect(leastRights({ redis: url() })).not.toContain('client|');
    });
  });

  it('does not track readers and permits, whose renewals would call for each other', async () => {
    const open = () => arena.open({ clientTracking: true, ttl: 300 });
    const [one, other] = [open(), open()];
    const leases = [
      await one.readWrite('book').read.acquire(),
      await other.readWrite('book').read.acquire(),
      await one.semaphore('pool', 3).acquire(),
      await other.semaphore('pool', 3).acquire(),
    ];
    for (const lease of leases) await lease.renew();
    await pass(400);
    expect(await statistic('tracking_total_keys')).toBe(0);
    for (const lease of leases) await lease.release();
  });

  it('are refused for a cluster by name, with the reason', () => {
    const open = () => createLockService({ redis: { cluster: [{ host: 'h' }] }, clientTracking: true });
    expect(open).toThrow(/option clientTracking takes one server.*each node of a cluster tells of its own/);
    expect(() => createLockService({ clientTracking: 'yes' as never })).toThrow(
      /option clientTracking takes true or false/,
    );
  });
});
