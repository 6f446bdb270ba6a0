import { deepStrictEqual } from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import {
  applyLatchOperation,
  emptyLatch,
  latchExpiryOf,
  type LatchState,
} from '../../lib/store/latch-machine.js';
import { decodeNotice } from '../../lib/store/redis/notice-codec.js';
import {
  decodeLatchAnswer,
  encodeLatchOperation,
  encodeTerms,
} from '../../lib/store/redis/operation-codec.js';
import { encodedText } from '../../lib/store/redis/state-codec.js';
import { SCRIPTS } from '../../lib/store/redis/run-script.js';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';
import { storedExpiry } from '../support/stored-record.js';
import { describeWithRealRedis } from '../support/real-redis.js';
import { latchHistories, type LatchStep } from '../support/latch-history.js';

// In the year 2096, so that the real server does not expire by its own clock what the test's clock still keeps.
const START = 4_000_000_000_000_000;

describeWithRealRedis('the script of the latch and its machine, side by side', () => {
  const channel = `test-${randomUUID()}:session:`;
  const barriers = new Map<string, () => void>();
  const seen = new Set<string>();
  let heard: string[] = [];
  let histories = 0;
  let server: RunningRedis, client: Redis, listener: Redis, digest: string;

  beforeAll(async () => {
    server = await startRedis();
    client = new Redis(server.url);
    listener = client.duplicate();
    const parts = SCRIPTS.latch.split("redis.call('TIME')");
    expect(parts).toHaveLength(2); // it reads the clock once
    digest = String(await client.script('LOAD', parts.join('{ 0, tonumber(ARGV[#ARGV]) }')));
    listener.on('message', (_channel, message: string) => {
      const { notice } = decodeNotice(message) ?? {};
      if (notice) heard.push(`${notice.kind} ${notice.id}`);
      else barriers.get(message)?.();
    });
    await listener.subscribe(`${channel}hearing0`, `${channel}hearing1`);
  });
  afterAll(async () => {
    client.disconnect();
    listener.disconnect();
    await server.stop();
  });

  /** All that was published before is here afterwards. */
  async function allHeard(): Promise<void> {
    const mark = randomUUID();
    await new Promise<void>((resolve) => {
      barriers.set(mark, resolve);
      void client.publish(`${channel}hearing0`, mark);
    });
    barriers.delete(mark);
  }

  async function compare(history: LatchStep[]): Promise<void> {
    const key = `${channel}latch ${(histories += 1)}`;
    const expected: string[] = [];
    heard = [];
    let [state, now, expiry] = [emptyLatch(), START, 0];
    for (const { operation, pause } of history) {
      now += pause;
      if (expiry <= now) {
        await client.del(key);
        state = emptyLatch();
      }
      const args = [encodeTerms(0, channel, true), ...encodeLatchOperation(operation), now];
      const [reply, record, until] = await Promise.all([
        client.evalsha(digest, 1, key, ...args),
        client.hgetall(key),
        storedExpiry(client, key),
      ]);
      const answer = applyLatchOperation(state, operation, now, (id) => expected.push(`opened ${id}`));
      deepStrictEqual(decodeLatchAnswer(reply), answer);
      seen.add(`${operation.kind}: ${answer.outcome}`);
      expiry = latchExpiryOf(state);
      deepStrictEqual(record, expiry > now ? recordOf(state) : {});
      if (expiry > now && until !== undefined) deepStrictEqual(until, Math.ceil(expiry / 1_000));
    }
    await allHeard();
    deepStrictEqual(heard.sort(), expected.sort()); // all at once: in no order
    await client.del(key);
  }

  it('agree on the rounds that are remembered', async () => {
    const rounds = Array.from({ length: 11 }, (_, index) => `round ${index}`);
    const set = rounds.map((round) => ({ kind: 'set', round, count: 1, ttl: 60_000_000 }) as const);
    const open = rounds.map((round, index) => ({ kind: 'down', round, id: String(index % 2) }) as const);
    const look = rounds.map((round) => ({ kind: 'watch', round, id: 'hearing0.attempt' }) as const);
    const steps = [
      ...set.flatMap((each, index) => (index % 3 ? [each, open[index]!] : [each])),
      ...look,
      ...set,
    ];
    await compare(steps.map((operation) => ({ operation, pause: 10 })));
  });

  it('agree on every answer, every record, every notice and the end of every record', async () => {
    await fc.assert(fc.asyncProperty(latchHistories, compare), { numRuns: 500 });
    for (const outcome of ['set', 'exists', 'over']) expect(seen).toContain(`set: ${outcome}`);
    for (const kind of ['down', 'watch', 'unwatch', 'read'])
      for (const outcome of ['counting', 'open', 'missing', 'over'])
        expect(seen).toContain(`${kind}: ${outcome}`);
  }, 120_000);
});

/** The fields of a record, by the header of the script. */
function recordOf(state: LatchState): Record<string, string> {
  const record: Record<string, string> = { latch: '1', alive: String(state.alive) };
  if (state.count !== undefined)
    Object.assign(record, { count: String(state.count), until: String(state.until) });
  const past = state.past.map(({ round, open }) => (open ? '+' : '-') + encodedText(round));
  if (state.round !== '') record['round'] = encodedText(state.round);
  if (past.length > 0) record['past'] = past.join(' ');
  for (const id of state.counted) record[`d:${id}`] = '1';
  for (const [id, alive] of state.watchers) record[`w:${id}`] = String(alive);
  return record;
}
