import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { SystemClock } from '../../lib/base/clock.js';
import { ClientRecipe } from '../../lib/store/redis/client-recipe.js';
import { RedisStore } from '../../lib/store/redis/redis-store.js';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';
import { NoticeRecorder } from '../../lib/testing/contract/notice-recorder.js';
import { Peer } from '../../lib/testing/contract/peer.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { itWithRealRedis } from '../support/real-redis.js';

describe('a release that hands the lock on', () => {
  let redis: RunningRedis, proxy: TcpProxy, store: RedisStore, recorder: NoticeRecorder;
  const pieces: string[] = [];
  const ends: (() => Promise<unknown>)[] = [];
  const settings = { namespace: `test-${randomUUID()}`, process: 'test:1', clock: new SystemClock() };
  const open = (url: string) => new RedisStore(new ClientRecipe(url), { ...settings, fenceMemory: 60_000 });

  /** Has a session hear its notices. */
  const hearing = async (session: RedisStore): Promise<NoticeRecorder> => {
    const heard = new NoticeRecorder(session);
    await session.ready(2_000);
    heard.wakes = 0;
    session.subscribe();
    if (!session.subscribed) await heard.woken();
    return heard;
  };

  beforeAll(async () => {
    redis = await startRedis();
    proxy = await TcpProxy.start(Number(new URL(redis.url).port));
    store = open(proxy.url);
    ends.push(
      () => store.close(),
      () => proxy.close(),
      () => redis.stop(),
    );
    recorder = await hearing(store);
    const { up } = proxy.links[0]!;
    const take = up.take.bind(up);
    up.take = (data) => {
      pieces.push(String(data));
      take(data);
    };
  });
  afterAll(async () => {
    for (const end of ends) await end();
  });

  /** The commands of each piece of data that reaches the server meanwhile. */
  const sentBy = async (work: Promise<unknown>): Promise<string[][]> => {
    pieces.length = 0;
    await work;
    return pieces.map((piece) => piece.match(/(?<=\n)(time|evalsha)(?=\r\n)/g) ?? []);
  };
  const LIKE_ANY = [['evalsha']];
  // The server answers in the order in which it first had something for somebody.
  const BEHIND_WAITERS = [['time', 'evalsha']];

  it('lets the server tell the next before us, if the one before handed the same name on', async () => {
    const [peer, other] = [new Peer(store, 'wanted'), new Peer(store, 'left alone')];
    const [first, second, third, alone] = [peer.id(), peer.id(), peer.id(), other.id()];
    await peer.acquire(first);
    await Promise.all([second, third].map((id) => peer.acquire(id)));
    await peer.release(peer.id()); // the scripts are known now
    await other.acquire(alone);

    expect(await sentBy(peer.release(first))).toEqual(LIKE_ANY);
    await recorder.notice('granted', second);
    expect(await sentBy(other.release(alone))).toEqual(LIKE_ANY);
    expect(await sentBy(peer.release(second))).toEqual(BEHIND_WAITERS);
    await recorder.notice('granted', third);
    expect(await sentBy(peer.release(third))).toEqual(BEHIND_WAITERS);
    const last = peer.id();
    await peer.acquire(last);
    expect(await sentBy(peer.release(last))).toEqual(LIKE_ANY);
  });

  itWithRealRedis('reaches the server in one piece, which is all that counts', async () => {
    const own = await startRedis({ given: false });
    const [there, admin] = [open(own.url), new Redis(own.url)];
    ends.push(
      () => there.close(),
      () => Promise.resolve(admin.disconnect()),
      () => own.stop(),
    );
    const reads = async (): Promise<number> =>
      Number(/total_reads_processed:(\d+)/.exec(await admin.info('stats'))?.[1]);
    const peer = new Peer(there, 'wanted');
    const heard = await hearing(there);
    const [first, second, third] = [peer.id(), peer.id(), peer.id()];
    await peer.acquire(first);
    await Promise.all([second, third].map((id) => peer.acquire(id)));
    await peer.release(first);
    const before = await reads();
    await peer.release(second);
    expect((await reads()) - before).toBe(1 + 1); // the question is read, too
    await heard.notice('granted', third);
  });
});
