import { arenaForTests } from '../support/arena.js';
import { Child } from '../support/child.js';
import { failureOf, pass, until } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';
import { storedRecord } from '../support/stored-record.js';

const TTL = 30_000;

describeWithRealRedis('a lease that was handed over', () => {
  const arena = arenaForTests();
  const children: Child[] = [];
  afterEach(() => Promise.all(children.splice(0).map((child) => child.kill())));

  async function start(): Promise<Child> {
    const child = new Child('test/support/lock-process.ts', arena.server.url);
    children.push(child);
    await child.says('ready');
    return child;
  }

  it('goes on in one of two processes when the giver is killed right after it has given the text', async () => {
    const [giver, taker] = await Promise.all([start(), start()]);
    giver.tell(`acquire x ${TTL}`);
    await giver.says('granted');
    giver.tell('note half');
    await giver.says('noted');
    giver.tell('hand-over');
    await giver.says(';');
    await giver.kill();
    const text = /text ([\w-]+);/.exec(giver.said)![1]!;
    const waiting = arena.open().acquire('x', { wait: '60s' });
    await arena.queued('x');
    taker.tell(`resume ${text}`);
    const [here] = await Promise.allSettled([arena.open().resume(text)]);
    await Promise.race([taker.says('resumed half'), taker.says('somebody has resumed it already')]);
    if (here.status === 'fulfilled') {
      expect(taker.said).toContain('somebody has resumed it already');
      expect(here.value.previous).toBe('half');
      await here.value.release();
    } else {
      expect(taker.said).toContain('resumed half');
      expect(here.reason).toMatchObject({ code: 'LOCK_LOST', reason: 'taken' });
      taker.tell('release');
    }
    await (await waiting).release();
  }, 60_000); // processes take their time to start on a busy machine

  it('is refused by a service of another namespace or keyPrefix, which says so, and stays good', async () => {
    const lease = await arena.open().acquire('x');
    const text = await lease.handOver();
    const strangers = [
      [{ namespace: 'shop' }, "the keys 'lock:…', and this LockService has those of the keys 'shop:…'"],
      [{ redis: `${arena.server.url}?keyPrefix=app:` }, "has those of the keys 'app:lock:…'"],
      [{ redis: 'memory' }, 'has those of a store in memory'],
    ] as const;
    for (const [options, what] of strangers)
      expect(await failureOf(arena.open(options).resume(text))).toMatchObject({
        ...{ code: 'LOCK_USAGE', lockName: 'x' },
        message: expect.stringContaining(what) as string,
      });
    await (await arena.open().resume(text)).release();
  });

  it('can be handed over and resumed when the memory of the server is full; a note is refused', async () => {
    const [one, two] = [arena.open(), arena.open()];
    const lease = await one.acquire('x');
    await two.ready();
    await arena.admin.config('SET', 'maxmemory', '1');
    try {
      expect(await failureOf(lease.note('no room'))).toMatchObject({ code: 'LOCK_STORE', refused: true });
      const resumed = await two.resume(await lease.handOver());
      expect(resumed.previous).toBeUndefined();
      await resumed.release();
    } finally {
      await arena.admin.config('SET', 'maxmemory', '0');
    }
  });

  it('costs nothing when its time is over: the record is gone with the fence memory', async () => {
    const locks = arena.open({ fenceMemory: 0 });
    await (await locks.acquire('x', { ttl: 2_000 })).handOver();
    const left = await arena.admin.pttl('lock:x');
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(2_501); // its ttl and the guard, rounded up
  });

  it('is a record of the usual form, before it is resumed and after it', async () => {
    const [one, two] = [arena.open(), arena.open()];
    const text = await (await one.acquire('x')).handOver();
    expect(typeof (await storedRecord(arena.admin, 'lock:x'))).toBe('string');
    const lease = await two.resume(text);
    expect(typeof (await storedRecord(arena.admin, 'lock:x'))).toBe('string');
    await lease.note('a note makes it a hash');
    expect(await storedRecord(arena.admin, 'lock:x')).toMatchObject({
      note: expect.stringMatching(/^\S+ 1 a%20note/) as string,
    });
    await lease.note('');
    await lease.release();
    expect(typeof (await storedRecord(arena.admin, 'lock:x'))).toBe('string');
  });

  it('is no orphan for its giver when the server restarts with its data', async () => {
    const locks = arena.open();
    await locks.using('x', () => undefined); // whose release is sent again, and whose name is looked through for orphans
    const text = await (await locks.acquire('x')).handOver();
    const { store } = locks as unknown as { store: { moved(what: string): void } };
    const warned = arena.warnings.length;
    store.moved('a test'); // what it does then is seen in test/redis/other-server.spec.ts
    await until('it has asked for its leases', () => arena.warnings.length > warned);
    await pass(50);
    const held = await locks.resume(text);
    held.assertHeld();
    await held.release();
  });
});
