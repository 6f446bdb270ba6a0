import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { SystemClock } from '../../lib/base/clock.js';
import { ClientRecipe, type RedisSource } from '../../lib/store/redis/client-recipe.js';
import { RedisStore } from '../../lib/store/redis/redis-store.js';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';
import { itWithRealRedis } from '../support/real-redis.js';
import { NoticeRecorder } from '../../lib/testing/contract/notice-recorder.js';
import { Peer } from '../../lib/testing/contract/peer.js';
import { testStoreContract } from '../contract/store-contract.js';

describe('the Redis store', () => {
  const [clock, namespace] = [new SystemClock(), `test-${randomUUID()}`];
  let redis: RunningRedis;
  beforeAll(async () => (redis = await startRedis()));
  const open = (fenceMemory: number, source: RedisSource = redis.url) =>
    new RedisStore(new ClientRecipe(source), { namespace, fenceMemory, process: 'test:1', clock });

  testStoreContract(({ fenceMemory }) => Promise.resolve(open(fenceMemory)));

  describe('beyond the contract', () => {
    let client: Redis, store: RedisStore, recorder: NoticeRecorder;
    const opened: RedisStore[] = [];
    afterEach(() => Promise.all(opened.splice(0).map((each) => each.close())));
    beforeAll(async () => {
      client = new Redis(redis.url);
      store = open(60_000);
      recorder = new NoticeRecorder(store);
      await store.ready(2_000);
    });
    afterAll(async () => {
      await store.close();
      client.disconnect();
    });

    it('trusts notices when the server that pushes them is known to be the one that answers', async () => {
      store.subscribe();
      recorder.wakes = 0;
      if (!store.subscribed) await recorder.woken();
      const peer = new Peer(store, 'trusted');
      const [holder, next] = [peer.id(), peer.id()];
      await peer.acquire(holder);
      await peer.acquire(next);
      await peer.release(holder);
      const grant = await recorder.notice('granted', next);
      expect(store.sampleFor(grant) !== undefined).toBe(redis.kind !== 'emulated');
      await peer.release(next);
    });

    it('is served by a server that forgot the scripts, many at once too', async () => {
      await client.script('FLUSH');
      const peers = ['a', 'b', 'c'].map((name) => new Peer(store, `flushed ${name}`));
      const answers = await Promise.all(peers.map((peer) => peer.acquire(peer.id())));
      expect(answers.map(({ outcome }) => outcome)).toEqual(['granted', 'granted', 'granted']);
    });

    it.each([['fence memory', 60_000] as const, ['none', 0] as const])(
      'answers each of many names in one call as if it had been asked alone, with %s',
      async (_, fenceMemory) => {
        const [mine, theirs] = [open(fenceMemory), open(fenceMemory)];
        opened.push(mine, theirs);
        const names = ['new', 'used', 'held', 'line', 'spare', 'foreign', 'last'];
        const [us, them] = [mine, theirs].map((of) =>
          names.map((name) => new Peer(of, `${name} ${fenceMemory}`)),
        );
        const ids = us!.map((peer) => peer.id());
        const outcomes = async (answers: Promise<{ outcome: string; now: number }>[]): Promise<string[]> =>
          (await Promise.allSettled(answers)).map((each) =>
            each.status === 'rejected'
              ? 'refused'
              : each.value.now > 1e15
                ? each.value.outcome
                : 'at no time',
          );
        const [, used, held, line, , foreign] = them!;
        const [before, other, second] = [used!.id(), held!.id(), line!.id()];
        await used!.acquire(before);
        await used!.release(before);
        await Promise.all([held!.acquire(other), line!.acquire(line!.id())]);
        await line!.acquire(second); // a queue: the record is a hash
        await client.set(`${namespace}:${foreign!.name}`, 'mine');
        await mine.ready(2_000);
        const first = new Peer(mine, `first ${fenceMemory}`); // alone, so that the others share a call
        const asked = [first.acquire(first.id()), ...us!.map((peer, at) => peer.acquire(ids[at]!))];
        expect(await outcomes(asked)).toEqual([
          'granted',
          ...['granted', 'granted', 'queued', 'queued', 'granted', 'refused', 'granted'],
        ]);
        const given = [first.release(first.id()), ...us!.map((peer, at) => peer.release(ids[at]!))];
        expect(await outcomes(given)).toEqual([
          'gone',
          ...['released', 'released', 'dequeued', 'dequeued', 'released', 'refused', 'released'],
        ]);
        const keys = names.map((name) => `${namespace}:${name} ${fenceMemory}`);
        const left = await Promise.all(keys.map((key) => client.exists(key)));
        expect(left).toEqual(fenceMemory > 0 ? [1, 1, 1, 1, 1, 1, 1] : [0, 0, 1, 1, 0, 1, 0]);
        expect(await client.get(keys[5]!)).toBe('mine');
      },
    );

    itWithRealRedis(
      'takes a release back on a full server, and refuses a new name in its words',
      async () => {
        const full = await startRedis({ given: false });
        const [admin, there] = [new Redis(full.url), open(60_000, full.url)];
        const peer = new Peer(there, 'full');
        const [held, next] = [peer.id(), peer.id()];
        await peer.acquire(held);
        await admin.config('SET', 'maxmemory', '1mb');
        const refused = { code: 'LOCK_STORE', message: expect.stringContaining('OOM') as string };
        await expect(peer.renew(held)).resolves.toMatchObject({ outcome: 'renewed' });
        await expect(peer.release(held)).resolves.toMatchObject({ outcome: 'released' });
        expect((await there.read('full', 1_000)).state.holders).toEqual([]);
        await expect(peer.acquire(next)).rejects.toMatchObject(refused);
        await there.close();
        admin.disconnect();
        await full.stop();
      },
    );

    it.each([
      ['a string', (key: string) => client.set(key, 'mine'), (key: string) => client.get(key)],
      ['a number', (key: string) => client.set(key, '17'), (key: string) => client.get(key)],
      ['a hash', (key: string) => client.hset(key, 'a', 'b'), (key: string) => client.hgetall(key)],
      ['a list', (key: string) => client.rpush(key, 'a'), (key: string) => client.lrange(key, 0, -1)],
    ])('leaves %s of somebody else under its key alone, and says so', async (_, put, look) => {
      const peer = new Peer(store, `foreign ${randomUUID()}`);
      const key = `${namespace}:${peer.name}`;
      await put(key);
      const before = await look(key);
      const refused = expect.objectContaining({ code: 'LOCK_STORE', refused: true });
      await expect(peer.acquire(peer.id())).rejects.toEqual(refused);
      await expect(peer.release(peer.id())).rejects.toEqual(refused);
      await expect(peer.renew(peer.id())).rejects.toEqual(refused);
      await expect(peer.downgrade(peer.id(), 0)).rejects.toEqual(refused);
      await expect(peer.revoke(true)).rejects.toEqual(refused);
      await expect(peer.acquire(peer.id())).rejects.toThrow(/foreign value/);
      await expect(peer.revoke()).rejects.toThrow(`The key of '${peer.name}' at `);
      expect(await look(key)).toEqual(before);
      expect(await client.ttl(key)).toBe(-1);
    });

    it('reads a holder that the build of before revoked, which kept no reason', async () => {
      const peer = new Peer(store, `before ${randomUUID()}`);
      const [id, key] = [peer.id(), `${namespace}:${peer.name}`];
      await peer.acquire(id);
      await peer.revoke(false, 'lost in what follows');
      expect(await client.hdel(key, `r:${id}`)).toBe(1);
      expect((await peer.state()).state.holders).toMatchObject([{ id, revocation: '' }]);
      expect(await peer.renew(id)).toMatchObject({ outcome: 'revoked', reason: '' });
      expect(await peer.release(id)).toMatchObject({ outcome: 'released' });
      expect(await client.type(key)).toBe('string'); // nothing about it is special any more
    });

    it('keeps reasons beside the fields of the build of before, in the format that it knows', async () => {
      const peer = new Peer(store, `after ${randomUUID()}`);
      const [held, forced, key] = [peer.id(), peer.id(), `${namespace}:${peer.name}`];
      await peer.acquire(forced);
      await peer.revoke(true, 'by force');
      await peer.acquire(held);
      await peer.revoke(false, 'and 1 more');
      const fields = await client.hgetall(key);
      expect(fields).toMatchObject({ v: '1', ids: held, [`r:${held}`]: 'and%201%20more' });
      expect(fields).toMatchObject({
        forced: expect.stringMatching(`^${forced} \\d{16}$`),
        [`r:${forced}`]: 'by%20force',
      });
      expect(fields[`h:${held}`]).toMatch(/^\d+ \d+ \d+ \d+ 2$/);
    });

    it.each([
      ['compact', (key: string) => client.set(key, 'lock2 x y')],
      ['general', (key: string) => client.hset(key, 'v', '2', 'capacity', '1')],
    ])('refuses a %s record of a newer version', async (_, put) => {
      const peer = new Peer(store, `newer ${randomUUID()}`);
      await put(`${namespace}:${peer.name}`);
      await expect(peer.acquire(peer.id())).rejects.toThrow(/newer version/);
      await expect(peer.release(peer.id())).rejects.toThrow(/newer version/);
    });

    it('puts the prefix of the user’s client before its keys, and finds its notices all the same', async () => {
      const prefixed = open(60_000, { ...client.options, keyPrefix: 'shop:' });
      const [peer, heard] = [new Peer(prefixed, `prefixed ${randomUUID()}`), new NoticeRecorder(prefixed)];
      await prefixed.ready(2_000);
      heard.wakes = 0;
      prefixed.subscribe();
      await heard.woken();
      const [holder, next] = [peer.id(), peer.id()];
      await peer.acquire(holder);
      expect(await client.exists(`shop:${namespace}:${peer.name}`)).toBe(1);
      await peer.acquire(next);
      await peer.release(holder);
      expect(await heard.notice('granted', next)).toMatchObject({ name: peer.name });
      await prefixed.close();
    });
  });

  afterAll(() => redis.stop()); // after all sessions are closed
});
