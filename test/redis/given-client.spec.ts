import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis-5';
import type { LockService } from '../../lib/locks/lock-service.js';
import { arenaForTests, portOf } from '../support/arena.js';
import { until } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';

// Both type as the ioredis that is installed, and are made by the one that is named.
const VERSIONS = [
  ['5', Redis5 as unknown as typeof Redis],
  ['6', Redis],
] as const;

// How BullMQ has its connections: it refuses a client that limits retries.
const BULLMQ = { maxRetriesPerRequest: null, enableReadyCheck: false };

describeWithRealRedis.each(VERSIONS)('a client of ioredis %s that was given', (_version, Client) => {
  const arena = arenaForTests();
  const clients: Redis[] = [];
  afterEach(() => clients.splice(0).forEach((client) => client.disconnect()));

  /** A client that is connected, and how many commands were sent over it since then. */
  async function given(options: object): Promise<{ client: Redis; sent: () => number }> {
    const client = new Client({ port: portOf(arena.server), ...options });
    clients.push(client);
    await until('it is connected', () => client.status === 'ready');
    let sent = 0;
    const sendCommand = client.sendCommand.bind(client);
    client.sendCommand = (...args) => {
      sent += 1;
      return sendCommand(...args);
    };
    return { client, sent: () => sent };
  }

  it.each([
    ['as BullMQ makes it', BULLMQ, 0, 'lock:name'],
    ['with a keyPrefix', { keyPrefix: 'app:' }, 0, 'app:lock:name'],
    ['of database 3', { db: 3 }, 3, 'lock:name'],
    ['with all of these', { ...BULLMQ, keyPrefix: 'app:', db: 3 }, 3, 'app:lock:name'],
  ] as const)(
    '%s hands on by notice, in its database and under its prefix, and is sent nothing',
    async (_what, options, db, key) => {
      const { client, sent } = await given(options);
      const [one, two] = [arena.open({ redis: client }), arena.open({ redis: client })] as [
        LockService,
        LockService,
      ];
      for (const locks of [one, two])
        expect(await locks.ready()).toMatchObject({ publish: true, warnings: [] });

      // Both meet once, so that both listen.
      for (const [holder, waiter] of [
        [one, two],
        [two, one],
      ] as const) {
        const lease = await holder.acquire('name');
        const waiting = waiter.acquire('name');
        await until('it waits', async () => (await one.inspect('name')).queue.length === 1);
        await lease.release();
        await (await waiting).release();
      }
      await arena.listening(2);

      const lease = await one.acquire('name');
      const waiting = two.acquire('name');
      await until('it waits, and the server knows that it hears', async () => {
        return (await one.inspect('name')).queue.length === 1;
      });
      const acquires = async (): Promise<string[]> => {
        const info = await arena.admin.info('commandstats');
        return info.match(/cmdstat_publish:calls=\d+/g) ?? [];
      };
      const before = await acquires();
      const since = performance.now();
      await lease.release();
      const granted = await waiting;
      // A waiter that hears asks by itself after 900 ms at the earliest.
      expect(performance.now() - since).toTakeLessThan(450, arena.lag.max);
      expect(await acquires()).not.toEqual(before);

      await arena.admin.select(db);
      expect(await arena.admin.exists(key)).toBe(1);
      await granted.release();
      await arena.admin.flushdb();
      await arena.admin.select(0);
      expect(sent()).toBe(0);
      expect(client.status).toBe('ready');
    },
  );

  it('before it has connected leads to where its options say, and stays as it is', async () => {
    const client = new Client({
      port: portOf(arena.server),
      lazyConnect: true,
      db: 3,
      keyPrefix: 'app:',
      ...BULLMQ,
    });
    clients.push(client);
    const locks = arena.open({ redis: client });
    await using _lease = await locks.acquire('name');
    await arena.admin.select(3);
    expect(await arena.admin.exists('app:lock:name')).toBe(1);
    await arena.admin.select(0);
    expect(client.status).toBe('wait');
  });

  it('that is asked for another database while locks are made leads there, too', async () => {
    const { client } = await given({});
    const selected = client.select(3);
    const locks = arena.open({ redis: client });
    await selected;
    await using _lease = await locks.acquire('name');
    const found: number[] = [];
    for (const db of [0, 3]) {
      await arena.admin.select(db);
      found.push(await arena.admin.exists('lock:name'));
    }
    await arena.admin.select(0);
    expect(found).toEqual([0, 1]);
  });

  it('leads to the server with the password that it has now', async () => {
    const user = { username: 'rotated', password: 'before' };
    await arena.admin.call('ACL', 'SETUSER', user.username, 'on', `>${user.password}`, '~*', '&*', '+@all');
    const { client } = await given(user);
    const locks = arena.open({ redis: client, ttl: 900 });
    await locks.using('name', () => undefined);
    await arena.admin.call('ACL', 'SETUSER', user.username, `<${user.password}`, '>after');
    client.options.password = 'after';
    await arena.admin.call('CLIENT', 'KILL', 'USER', user.username);
    await until('it is let in', () => locks.using('name', () => true).catch(() => false));
    await arena.admin.call('ACL', 'DELUSER', user.username);
  });
});
