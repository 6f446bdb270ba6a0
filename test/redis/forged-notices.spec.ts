import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { SystemClock } from '../../lib/base/clock.js';
import { Lines } from '../../lib/line/lines.js';
import type { LineLease } from '../../lib/line/line-lease.js';
import { WHOLE, type LockState } from '../../lib/store/lock-machine.js';
import { ClientRecipe } from '../../lib/store/redis/client-recipe.js';
import { runIdIn, serverIn } from '../../lib/store/redis/redis-connection.js';
import { RedisStore } from '../../lib/store/redis/redis-store.js';
import { newAttemptId } from '../../lib/store/session-id.js';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';
import { pass, until } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';

const [SECOND, YEAR] = [1_000_000, 31_536_000_000_000];
const TTL = 10_000;

/** One process: its line, at a store of its own. */
class Party {
  readonly store: RedisStore;
  readonly line: Lines;

  constructor(url: string, namespace: string) {
    const clock = new SystemClock();
    const settings = { namespace, fenceMemory: 60_000, process: 'test:1', clock };
    this.store = new RedisStore(new ClientRecipe(url), settings);
    this.line = new Lines(this.store, clock);
  }

  acquire(name: string, renews = true): Promise<LineLease> {
    const terms = { units: WHOLE, capacity: WHOLE, ttl: TTL, guard: 500, once: false, identity: 'test:1' };
    const patience = { wait: TTL, maxHold: Infinity, maxWaiters: Infinity, signal: undefined };
    return this.line.acquire({ name, terms, renews, ...patience }, { leaseOn: (lease) => lease });
  }

  async close(): Promise<void> {
    await this.line.close(0);
    await this.store.close();
  }
}

// An emulated server does not tell which one it is, and then no notice is believed.
describeWithRealRedis('a forged notice', () => {
  const namespace = `test-${randomUUID()}`;
  let redis: RunningRedis, forger: Redis;
  let name: string;
  let holder: Party, waiter: Party;
  let held: LineLease;
  let waiting: Promise<LineLease>;
  let granted: boolean;

  beforeAll(async () => {
    redis = await startRedis();
    forger = new Redis(redis.url);
  });
  afterAll(async () => {
    forger.disconnect();
    await redis.stop();
  });

  beforeEach(async () => {
    name = `forged ${randomUUID()}`;
    [holder, waiter] = [new Party(redis.url, namespace), new Party(redis.url, namespace)];
    for (const { store } of [holder, waiter]) store.subscribe();
    held = await holder.acquire(name);
    granted = false;
    waiting = waiter.acquire(name).finally(() => (granted = true));
    await until('both hear, and the queue knows it', async () => {
      return holder.store.subscribed && (await state()).queue[0]?.subscribed === true;
    });
  });
  afterEach(async () => {
    try {
      expect(await held.release()).toBe('released');
      expect(await (await waiting).release()).toBe('released');
    } finally {
      await Promise.all([holder.close(), waiter.close()]);
    }
  });

  async function state(): Promise<LockState> {
    return (await holder.store.read(name, 2_000)).state;
  }

  /** Publishes to a session, and tells how many of the messages it did not count as notices when it has read all. */
  async function forge(to: Party, ...messages: string[]): Promise<number> {
    const mark = newAttemptId(to.store.session);
    const read = new Promise<void>((resolve) =>
      to.store.listen({ notice: (_, { id }) => id === mark && resolve(), wake: () => undefined }),
    );
    const before = to.line.ignoredNotices;
    for (const message of [...messages, `c ${mark} ${namespace}:${name}`])
      await forger.publish(`${namespace}:session:${to.store.session}`, message);
    await read;
    return to.line.ignoredNotices - before - 1;
  }

  /** A grant that would be believed, but for what it says otherwise. */
  async function grant(
    id: string,
    more: Partial<Record<'until' | 'span' | 'first' | 'seal' | 'server', number | string>>,
  ) {
    const { fence } = await state();
    const now = waiter.store.sample(name)?.time ?? 0;
    const said = {
      first: fence + 1,
      until: now + 2 * SECOND,
      span: 2 * SECOND,
      seal: 'AbCdEfGhIjKl',
      server: serverIn(runIdIn(await forger.info('server'))),
      ...more,
    };
    const { first, until, span, seal, server } = said;
    const since = typeof until === 'string' ? until : Math.max(0, until - Number(span));
    return `g ${id} ${since} ${first} ${span} 101 0 0 ${seal}@${server} ${namespace}:${name}`;
  }

  const kinds = (id: string, of = name) =>
    ['contended', 'revoked', 'echo', 'opened'].map((kind) => plain(kind, id, of));
  const plain = (kind: string, id: string, of = name) =>
    `${kind === 'revoked' ? `r ${id} no-reason` : `${kind[0]} ${id}`} ${namespace}:${of}`;

  async function expectNothingChanged(before: LockState): Promise<void> {
    await waiter.store.measure(name, 2_000); // what was asked for meanwhile has its answer
    const after = await state();
    expect(granted).toBe(false);
    expect(held.over).toBeUndefined();
    expect(after.holders).toEqual(before.holders);
    expect(after.queue.map(({ id }) => id)).toEqual(before.queue.map(({ id }) => id));
  }

  it('of any kind for an attempt that does not exist, or of another session, is ignored and counted', async () => {
    const before = await state();
    for (const party of [holder, waiter]) {
      const others = [holder, waiter].find((one) => one !== party) as Party;
      const ids = [
        newAttemptId(party.store.session),
        newAttemptId(others.store.session),
        'x',
        '.',
        `${name}.1`,
      ];
      ids.push(party === holder ? (before.queue[0]?.id ?? '') : held.hold.id); // alive, but not here
      for (const id of ids) {
        const messages = [...kinds(id), await grant(id, {})];
        expect(await forge(party, ...messages)).toBe(messages.length);
      }
    }
    await expectNothingChanged(before);
  });

  it.each([
    ['nothing', ''],
    ['no words', '\0\u{fffd} \n'],
    ['JSON', '{"kind":"granted"}'],
    ['a kind and no more', 'g'],
    ['another kind', 'x ID NAME'],
    ['no number', 'g ID one 2 3 4 0 0 seal NAME'],
    ['a negative number', 'g ID -1 2 3 4 0 0 seal NAME'],
    ['a flag of two', 'g ID 1 2 3 4 2 0 seal NAME'],
    ['no seal', 'g ID 1 2 3 4 0 0  NAME'],
    ['a key of others', 'g ID 1 2 3 4 0 0 seal other:name'],
    ['much', `g ID ${'9'.repeat(100_000)}`],
  ])('that consists of %s is ignored and counted', async (_what, text) => {
    const before = await state();
    for (const party of [holder, waiter]) {
      const id = party === holder ? held.hold.id : (before.queue[0]?.id ?? '');
      const message = text.replace('ID', id).replace('NAME', `${namespace}:${name}`);
      expect(await forge(party, message)).toBe(1);
    }
    await expectNothingChanged(before);
  });

  it.each([
    ['as the server would tell it', {}],
    ['with an empty claim', { span: 0 }],
    ['with a claim of a year', { span: YEAR }],
    ['that ends in a year', { until: 4_000_000_000_000_000, span: YEAR }],
    ['that is over', { until: 1 }],
    ['with an old fence', { first: 1 }],
    ['with a fence out of range', { first: 9_007_199_254_740_993 }],
    ['with numbers without end', { first: '9'.repeat(400), until: '9'.repeat(400), span: '9'.repeat(400) }],
  ])(
    'of a grant for the very attempt that waits, %s, is no more than a reason to ask',
    async (_what, more) => {
      const before = await state();
      const id = before.queue[0]?.id ?? '';
      for (let times = 0; times < 3; times += 1) await forge(waiter, await grant(id, more));
      await expectNothingChanged(before);
    },
  );

  it.each(['another', 'no'])(
    'of a grant with the very seal, and of %s server, is no more than that',
    async (which) => {
      const before = await state();
      const { id = '', seal = '' } = before.queue[0] ?? {};
      const message = await grant(id, { seal, server: 'f'.repeat(16) });
      await forge(waiter, which === 'no' ? message.replace(/@\S+/, '') : message);
      await expectNothingChanged(before);
    },
  );

  it('of a grant with the seal of an earlier grant is no more than that', async () => {
    const before = await state();
    const seal = before.queue[0]?.seal ?? '';
    // The connection of the notices was lost: what the server pushed meanwhile was heard by others.
    await forger.client('KILL', 'TYPE', 'PUBSUB');
    await until('it hears again, and has another seal', async () => {
      return waiter.store.subscribed && (await state()).queue[0]?.seal !== seal;
    });
    await forge(waiter, await grant(before.queue[0]?.id ?? '', { seal }));
    await expectNothingChanged(before);
  });

  it.each([
    ['is renewed', true],
    ['is not renewed, which it does not prolong,', false],
  ])('of a revocation of a lease that %s is a question to the store', async (_what, renews) => {
    const lease = await holder.acquire(`${name} too`, renews);
    const before = lease.deadline;
    await pass(5);
    expect(await forge(holder, ...kinds(lease.hold.id))).toBe(4); // of another name: nothing is asked
    await holder.store.read(name, 2_000);
    expect(lease.deadline).toBe(before);
    expect(await forge(holder, ...kinds(lease.hold.id, `${name} too`))).toBe(0);
    await holder.store.read(name, 2_000); // behind the question, on the same connection
    expect(lease.over).toBeUndefined();
    expect(lease.deadline > before).toBe(renews);
    expect(await lease.release()).toBe('released');
  });

  it('of a revocation is forgotten when the store has renewed the lease', async () => {
    await forge(holder, plain('revoked', held.hold.id));
    await held.hold.renewNow();
    await forger.del(`${namespace}:${name}`);
    await held.hold.renewNow();
    expect(held.over).toBe('taken');
    held = await holder.acquire(`${name} again`);
  });
});
