import { Cluster, Redis } from 'ioredis';
import { createLockService } from '../../../lib/locks/create-lock-service.js';
import type { LockService } from '../../../lib/locks/lock-service.js';
import { failureOf } from '../../support/eventually.js';

const QUIET = { log: { warn: () => undefined } };

/** What creating a service with these options says. */
function refusalOf(options: object): { code?: string; message: string } {
  try {
    createLockService({ ...QUIET, ...options });
  } catch (error) {
    return error as Error;
  }
  throw new Error(`Accepted: ${JSON.stringify(options)}`);
}

describe('bad options of a registration', () => {
  it.each([
    [{ leaseTime: '5s' }, /no option 'leaseTime' here; the options are redis, namespace, .*, log\./],
    [{ ttl: 99 }, /option ttl takes 100ms to 24h.*'250ms'.*it was 99\./],
    [{ ttl: '25h' }, /option ttl takes 100ms to 24h.*it was '25h'/],
    [{ ttl: '10 s' }, /option ttl .*it was '10 s'/],
    [{ ttl: NaN }, /option ttl .*it was NaN/],
    [{ ttl: Infinity }, /option ttl .*it was Infinity/],
    [{ ttl: null }, /option ttl .*it was null/],
    [{ ttl: {} }, /option ttl .*it was a value of type object/],
    [{ wait: -1 }, /option wait takes 0ms to 24h \(or Infinity\).*it was -1/],
    [{ wait: true }, /option wait .*it was a value of type boolean/],
    [{ guard: -1 }, /option guard takes 0ms to 24h.*it was -1/],
    [{ guard: Infinity }, /option guard .*it was Infinity/],
    [{ fenceMemory: '2d' }, /option fenceMemory takes 0ms to 24h.*it was '2d'/],
    [{ shutdownGrace: [] }, /option shutdownGrace takes 0ms to 24h.*it was an array/],
    [{ namespace: '' }, /option namespace takes 1 to 64 of the characters.*it was ''/],
    [{ namespace: 'a:b' }, /option namespace .*it was 'a:b'/],
    [{ namespace: 'n'.repeat(65) }, /option namespace .*it was 'n+…'/],
    [{ namespace: 7 }, /option namespace .*it was 7/],
    [{ startup: 'maybe' }, /option startup takes 'require' or 'warn'; it was 'maybe'/],
    [{ durability: 2 }, /option durability takes an object, such as \{ replicas: 2.*it was 2/],
    [{ durability: null }, /option durability takes an object.*it was null/],
    [{ durability: {} }, /option durability\.replicas takes a whole number from 1 to 100; it was undefined/],
    [{ durability: { replicas: 0 } }, /option durability\.replicas .* from 1 to 100; it was 0/],
    [{ durability: { replicas: 101 } }, /option durability\.replicas .* from 1 to 100; it was 101/],
    [{ durability: { replicas: 1.5 } }, /option durability\.replicas .*it was 1\.5/],
    [{ durability: { replicas: 'all' } }, /option durability\.replicas .*it was 'all'/],
    [{ durability: { replicas: 1, timeout: 0 } }, /option durability\.timeout takes 10ms to 1s.*it was 0/],
    [
      { durability: { replicas: 1, timeout: '2s' } },
      /option durability\.timeout takes 10ms to 1s.*it was '2s'/,
    ],
    [{ durability: { replica: 1 } }, /no option 'replica' here; the options are replicas, timeout/],
    [
      { durability: { replicas: 1 } },
      /option durability needs a Redis with replicas; locks in memory have none/,
    ],
    [{ durability: { replicas: 1 }, redis: 'memory' }, /option durability needs a Redis with replicas/],
  ])('%j is refused with the option, its range and its value', (options, message) => {
    expect(refusalOf(options)).toMatchObject({ code: 'LOCK_USAGE', message: expect.stringMatching(message) });
  });

  it.each([undefined, 'redis', 5, null])(
    '%p instead of options is refused, unless it is undefined',
    (options) => {
      if (options === undefined) return void createLockService(QUIET);
      expect(() => createLockService(options as never)).toThrow(/options .* must be an object; they were/);
    },
  );

  it.each([
    [
      'localhost:6379',
      /option redis takes a URL such as 'redis:\/\/localhost:6379'.*it was 'localhost:6379'/,
    ],
    ['http://localhost', /option redis .*it was 'http:\/\/localhost'/],
    ['redis://', /option redis .*it was 'redis:\/\/'/],
    ['redis://localhost:99999', /option redis .*it was 'redis:\/\/localhost:99999'/],
    ['redis://localhost/three', /option redis .*it was 'redis:\/\/localhost\/three'/],
    [5, /option redis takes a URL, the options of ioredis, or a client of ioredis; it was 5/],
    [null, /option redis .*it was null/],
    [true, /option redis .*it was a value of type boolean/],
    [
      ['redis://a', 'redis://b'],
      /it was an array\..*For one server write \{ host, port \}, for a cluster \{ cluster: .*; .*quorum/,
    ],
    [{ url: 'redis://localhost' }, /does not know: url\. Instead of url write the URL itself/],
    [{ hostname: 'localhost', port: 1 }, /does not know: hostname\. Instead of hostname write host\./],
    [{ host: 'localhost', retries: 3, prot: 6379 }, /keys that ioredis does not know: retries, prot\./],
    ['redis://localhost?keyprefix=a', /does not know: keyprefix/],
    ['redis://localhost?db=one', /In the URL of the option redis, db takes a whole number/],
    ['redis://localhost?enableReadyCheck=yes', /enableReadyCheck takes true or false/],
    ['redis://localhost?sentinels=a', /sentinels takes no text/],
    [{ sentinels: [{ port: 26379 }] }, /has sentinels but no name: .*name: 'mymaster'/],
    [{ sentinels: [{ port: 26379 }], name: '' }, /has sentinels but no name/],
    [{ sentinels: [], name: 'a' }, /takes the addresses of the sentinels as sentinels, .*it was an array/],
    [{ sentinels: [{ port: 26379 }], name: 'a', role: 'slave' }, /locks need the master\. Leave role out/],
    [Redis, /was the class or function 'Redis' itself\. Give a URL, the options of ioredis/],
    [Promise.resolve(), /was a promise: await it first/],
    [
      new (class NotPlain {
        host = 'a';
        connect() {}
      })(),
      /an object of the class 'NotPlain'/,
    ],
    [
      new (class GlideClient {
        customCommand() {}
      })(),
      /a client of GLIDE/,
    ],
    [{ sendCommand() {}, isOpen: true }, /a client of node-redis/],
    [{ sendCommand() {}, execute() {}, totalClients: 1 }, /a pool of clients of node-redis/],
    [{ pipeline() {}, createScript() {} }, /a client of @upstash\/redis/],
    [
      { duplicate: () => ({ options: {}, status: 'ready' }), options: {}, status: 'ready' },
      /whose duplicate\(\) takes settings of ours/,
    ],
    [{ cluster: [] }, /takes the addresses of some nodes as cluster/],
    [{ cluster: { host: 'a' } }, /takes the addresses of some nodes as cluster/],
    [{ quorum: ['redis://a'] }, /takes one server.*or a cluster: quorums are not a part/],
  ])('redis: %j is refused with what to write instead', (redis, message) => {
    expect(refusalOf({ redis })).toMatchObject({
      code: 'LOCK_USAGE',
      message: expect.stringMatching(message),
    });
  });

  it.each(['', undefined])('redis: %j in production is a variable that is missing', (redis) => {
    const before = process.env['NODE_ENV'];
    process.env['NODE_ENV'] = 'production';
    try {
      expect(refusalOf({ redis })).toMatchObject({
        code: 'LOCK_USAGE',
        message: expect.stringMatching(/missing variable.*redis: 'memory'/),
      });
      createLockService({ ...QUIET, redis: 'memory' });
      createLockService(QUIET);
    } finally {
      process.env['NODE_ENV'] = before;
    }
  });

  it.each(['', undefined])('redis: %j elsewhere warns once, and ready() says so too', async (redis) => {
    const said: string[] = [];
    const locks = createLockService({ redis, log: { warn: (message) => said.push(message) } });
    expect((await locks.ready())?.warnings).toEqual(said);
    expect(said).toEqual([expect.stringMatching(/option redis is given, but .*redis: 'memory'/)]);
    await locks.close();
  });

  it("redis: 'memory' is silent", async () => {
    const said: string[] = [];
    const locks = createLockService({ redis: 'memory', log: { warn: (message) => said.push(message) } });
    expect(await locks.ready()).toMatchObject({ address: 'memory', warnings: [] });
    expect(await locks.using('x', () => 'ran')).toBe('ran');
    expect(said).toEqual([]);
    await locks.close();
    expect(await failureOf<Error>(locks.inspect('x'))).toMatchObject({
      message: expect.stringContaining("'x'"),
    });
  });

  it('durability is refused for a cluster', () => {
    const options = { redis: { cluster: [{ port: 1 }] }, durability: { replicas: 1 } };
    expect(refusalOf(options)).toMatchObject({
      code: 'LOCK_USAGE',
      message: expect.stringMatching(/durability takes one server.*for clusters it is not a part/),
    });
  });

  it('a client of a cluster is a recipe, and is not connected by it', async () => {
    const cluster = new Cluster([{ host: '127.0.0.1', port: 1 }], { lazyConnect: true });
    const locks = createLockService({ redis: cluster, startup: 'warn', log: { warn: () => undefined } });
    expect((await failureOf<Error>(locks.acquire('x', { wait: 700, ttl: 600 }))).message).toMatch(
      'Redis at cluster 127.0.0.1:1 is not reachable (',
    );
    expect(cluster.status).toBe('wait');
    await locks.close();
  });

  it('options that are undefined are as if they were not there', async () => {
    const options = {
      redis: undefined,
      namespace: undefined,
      ttl: undefined,
      wait: undefined,
      guard: undefined,
    };
    const locks = createLockService({ ...QUIET, ...options, fenceMemory: undefined, startup: undefined });
    expect(await locks.using('x', () => 'ran', { ttl: undefined, wait: undefined, signal: undefined })).toBe(
      'ran',
    );
    await locks.close();
  });
});

describe('bad arguments of a call', () => {
  let locks: LockService;
  beforeAll(() => (locks = createLockService(QUIET)));
  afterAll(() => locks.close());

  it.each([
    ['', /1 to 512 bytes; '' has 0/],
    ['n'.repeat(513), /1 to 512 bytes; 'n+…' has 513/],
    ['ü'.repeat(257), /has 514/],
    ['order:undefined', /has the segment 'undefined'.*missing value/],
    ['null', /has the segment 'null'/],
    ['a:NaN:b', /has the segment 'NaN'/],
    ['[object Object]:7', /has the segment '\[object Object\]'/],
    [undefined, /must be a string of 1 to 512 bytes; it was undefined/],
    [7, /it was 7/],
    ['x\ud800', /half of a surrogate pair.*same lock/],
    ['\udc00\ud800y', /half of a surrogate pair/],
  ])('the name %j is refused by every verb', async (name, message) => {
    const bad = name as string;
    for (const call of [
      () => locks.acquire(bad),
      () => locks.tryAcquire(bad),
      () => locks.using(bad, () => undefined),
      () => locks.inspect(bad),
      () => locks.revoke(bad, { reason: 'test' }),
    ])
      expect(await failureOf(call())).toMatchObject({
        code: 'LOCK_USAGE',
        message: expect.stringMatching(message),
      });
    expect(() => locks.mutex(bad)).toThrow(message);
    expect(await failureOf(locks.using(['fine', bad], () => undefined))).toMatchObject({
      code: 'LOCK_USAGE',
    });
    expect((await locks.inspect('fine')).fence).toBeUndefined();
  });

  it('names of 1 and of 512 bytes are taken, and so is a segment that only contains a forbidden word', async () => {
    for (const name of ['n', 'n'.repeat(512), 'undefined-ish:nullable:NaNcy'])
      expect(await locks.using(name, () => 'ran')).toBe('ran');
  });

  it('an empty list of names is refused', async () => {
    expect(await failureOf(locks.using([], () => undefined))).toMatchObject({
      code: 'LOCK_USAGE',
      message: expect.stringMatching(/list of locks is empty/),
    });
  });

  it.each([
    [{ ttl: 99 }, /option ttl takes 100ms to 24h.*it was 99/],
    [{ ttl: '1d' }, /option ttl .*it was '1d'/],
    [{ wait: '-5s' }, /option wait takes 0ms to 24h \(or Infinity\).*it was '-5s'/],
    [{ wait: null }, /option wait .*it was null/],
    [{ maxHold: 0 }, /option maxHold takes 100ms to 24h.*it was 0/],
    [{ renew: 'no' }, /option renew takes true or false; it was 'no'/],
    [{ signal: {} }, /option signal takes an AbortSignal; it was a value of type object/],
    [{ label: '' }, /option label takes a text of 1 to 128 bytes; it was ''/],
    [{ label: 'ü'.repeat(65) }, /option label takes a text of 1 to 128 bytes/],
    [{ label: 5 }, /option label .*it was 5/],
    [5, /options must be an object.*they were 5/],
    ['10s', /options must be an object.*they were '10s'/],
    [null, /options must be an object.*they were null/],
  ])('the options %j are refused by every verb', async (options, message) => {
    const bad = options as object;
    for (const call of [
      () => locks.acquire('x', bad),
      () => locks.tryAcquire('x', bad),
      () => locks.using('x', () => undefined, bad),
      () => locks.using(['x', 'y'], () => undefined, bad),
    ])
      expect(await failureOf(call())).toMatchObject({
        code: 'LOCK_USAGE',
        message: expect.stringMatching(message),
      });
    expect((await locks.inspect('x')).inUse).toBe(0);
  });

  it.each([
    [{ reentrant: 1 }, /option reentrant takes true or false; it was 1/],
    [{ onStoreError: 'ignore' }, /option onStoreError takes 'throw' or 'run'; it was 'ignore'/],
  ])('the options %j are refused by using', async (options, message) => {
    const refusal = await failureOf(locks.using('x', () => undefined, options as object));
    expect(refusal).toMatchObject({ code: 'LOCK_USAGE', message: expect.stringMatching(message) });
  });

  it.each([
    [undefined, /handlers of lead must be an object with a function onElected; they were undefined/],
    [null, /handlers of lead must be an object.*they were null/],
    [async () => undefined, /handlers of lead must be an object.*they were a value of type function/],
    [{}, /handler onElected takes a function; it was undefined/],
    [{ onElect: async () => undefined }, /handler onElected takes a function; it was undefined/],
    [{ onElected: 'me' }, /handler onElected takes a function; it was 'me'/],
    [
      { onElected: async () => undefined, onRevoked: null },
      /handler onRevoked takes a function; it was null/,
    ],
    [{ onElected: async () => undefined, onRevoked: 5 }, /handler onRevoked takes a function; it was 5/],
  ])('the handlers %p are refused by lead', async (handlers, message) => {
    const refusal = await failureOf((async () => locks.lead('x', handlers as never))());
    expect(refusal).toMatchObject({ code: 'LOCK_USAGE', message: expect.stringMatching(message) });
    expect((await locks.inspect('x')).inUse).toBe(0);
  });

  it.each([null, 5, '5s', []])('%p instead of options is refused by lead', async (options) => {
    const handlers = { onElected: async () => undefined };
    const refusal = await failureOf((async () => locks.lead('x', handlers, options as never))());
    expect(refusal).toMatchObject({
      code: 'LOCK_USAGE',
      message: expect.stringMatching(/options must be an object/),
    });
  });

  it('a maxHold that is over before minHold is refused by using, with both; one that is as long is not', async () => {
    for (const names of ['x', ['x', 'y']]) {
      const refusal = await failureOf(
        locks.using(names, () => undefined, { minHold: '5m', maxHold: 60_000 }),
      );
      expect(refusal).toMatchObject({
        code: 'LOCK_USAGE',
        message: expect.stringMatching(/option maxHold \(1m\) is shorter than minHold \(5m\)/),
      });
    }
    expect((await locks.inspect('x')).inUse).toBe(0);
    expect(await locks.using('min', () => 1, { minHold: 100, maxHold: 100 })).toBe(1);
  });

  it('an option that does not exist is refused by name, by every verb of every kind', async () => {
    const bad = { ttll: '5s' } as object;
    const units = { units: 1 } as object;
    const nothing = (): void => undefined;
    const { read, write } = locks.readWrite('x');
    for (const [call, unknown] of [
      [() => locks.acquire('x', bad), 'ttll'],
      [() => locks.tryAcquire('x', bad), 'ttll'],
      [() => locks.using('x', nothing, bad), 'ttll'],
      [() => locks.using(['x', 'y'], nothing, bad), 'ttll'],
      [() => read.acquire(bad), 'ttll'],
      [() => write.using(nothing, bad), 'ttll'],
      [() => locks.semaphore('x', 2).using(nothing, bad), 'ttll'],
      [() => locks.semaphore('x', 2).acquire(bad), 'ttll'],
      [() => locks.once('x', nothing, { doneTtl: '1s', ...bad }), 'ttll'],
      [() => locks.latch('x').trySetCount(1, bad), 'ttll'],
      [() => locks.latch('x').opened(bad), 'ttll'],
      [() => locks.revoke('x', { reason: 'test', ...bad }), 'ttll'],
      [async () => locks.lead('x', { onElected: async () => undefined }, bad), 'ttll'],
      // Options that another verb or kind has.
      [() => locks.acquire('x', { minHold: '1s' } as object), 'minHold'],
      [() => locks.using('x', nothing, units), 'units'],
      [() => locks.allOf(['y', read]).using(nothing, units), 'units'],
      [() => locks.once('x', nothing, { doneTtl: '1s', onStoreError: 'run' } as never), 'onStoreError'],
    ] as [() => Promise<unknown>, string][])
      expect(await failureOf(call())).toMatchObject({
        code: 'LOCK_USAGE',
        message: expect.stringMatching(
          `^There is no option '${unknown}' here; the (options are|only option is) .*\\.$`,
        ),
      });
    expect((await locks.inspect('x')).fence).toBeUndefined();
  });

  it('an option that does not exist counts as not given when it is undefined', async () => {
    const lease = await locks.acquire('mistyped', { ttll: undefined } as object);
    await lease.release();
    const { read } = locks.readWrite('mistyped');
    expect(await read.using(() => 'ran', { units: undefined } as object)).toBe('ran');
  });

  it('the units of several semaphores are an option of all of them', async () => {
    const semaphores = [locks.semaphore('s', 3), locks.semaphore('t', 3)];
    const free = await locks
      .allOf(semaphores)
      .using(() => semaphores[0]?.available(), { units: 2 } as object);
    expect(free).toBe(1);
  });

  it('work that is no function is refused, and nothing is locked for it', async () => {
    const work = Promise.resolve('started already') as never;
    expect(await failureOf(locks.using('x', work))).toMatchObject({
      code: 'LOCK_USAGE',
      lockName: 'x',
      message: expect.stringMatching(/must be a function; it was a value of type object/),
    });
    expect((await locks.inspect('x')).fence).toBeUndefined();
  });

  it.each([
    [{}, /option reason takes a text for the log, of 1 to 512 bytes; it was undefined/],
    [{ reason: '' }, /option reason .*it was ''/],
    [{ reason: 'x'.repeat(513) }, /option reason .*1 to 512 bytes/],
    [{ reason: 'test', forced: true }, /no option 'forced' here; the options are reason, force/],
    [{ reason: 'test', force: 'yes' }, /option force takes true or false; it was 'yes'/],
    [undefined, /options must be an object.*they were undefined/],
  ])('revoke with %j is refused', async (options, message) => {
    expect(await failureOf(locks.revoke('x', options as never))).toMatchObject({
      code: 'LOCK_USAGE',
      message: expect.stringMatching(message),
    });
  });

  it('a renewal for a ttl out of range is refused, and the lease goes on', async () => {
    await using lease = await locks.acquire('x');
    expect(await failureOf(lease.renew(5))).toMatchObject({ code: 'LOCK_USAGE' });
    expect(lease.held).toBe(true);
  });
});

describe('a Redis that is not there', () => {
  it('is told within 5 s at the start, by its address', async () => {
    const locks = createLockService({ redis: 'redis://user:s3cret@127.0.0.1:1/3' });
    const start = performance.now();
    const error = await failureOf<Error>(locks.ready());
    expect(error.message).not.toContain('s3cret');
    expect(performance.now() - start).toBeLessThan(5_000);
    expect(error).toMatchObject({ code: 'LOCK_STORE' });
    expect(error.message).toMatch(
      /^Redis at redis:\/\/127\.0\.0\.1:1\/3 is not reachable \(.*ECONNREFUSED.*\)/,
    );
    await locks.close();
  }, 10_000);

  it('fails each call within its wait, and runs work without the lock only when told to', async () => {
    const locks = createLockService({ redis: 'redis://127.0.0.1:1', ttl: 300 });
    let ran = 0;
    const work = () => (ran += 1);
    expect(await failureOf(locks.using('x', work, { wait: 200 }))).toMatchObject({
      code: 'LOCK_STORE',
      lockName: 'x',
    });
    expect(ran).toBe(0);
    const value = await locks.using(
      'x',
      (lease) => {
        expect([lease.held, lease.remaining, lease.names]).toEqual([false, 0, ['x']]);
        // Work that passes the signal on can do what it was told to do.
        expect([lease.signal.aborted, lease.signal]).toEqual([false, lease.signal]);
        expect(() => lease.fence).toThrow(/runs without the lock/);
        expect(() => lease.assertHeld()).toThrow(expect.objectContaining({ code: 'LOCK_STORE' }));
        return work();
      },
      { wait: 200, onStoreError: 'run' },
    );
    expect([value, ran]).toEqual([1, 1]);
    await locks.close();
  });

  it('is not connected to before it is needed', async () => {
    const client = new Redis({ port: 1, lazyConnect: true });
    const locks = createLockService({ redis: client });
    expect(client.status).toBe('wait');
    await locks.close();
  });
});
