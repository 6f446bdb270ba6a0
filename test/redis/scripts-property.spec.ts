import { deepStrictEqual, ok } from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { applyOperation, emptyState, expiryOf, type LockState } from '../../lib/store/lock-machine.js';
import type { LockNotice } from '../../lib/store/lock-operation.js';
import { decodeNotice } from '../../lib/store/redis/notice-codec.js';
import { decodeState, type StoredRecord } from '../../lib/store/redis/state-codec.js';
import { startRedis, type RunningRedis } from '../../tools/redis/start-redis.js';
import { HistoryClients } from '../support/history-clients.js';
import {
  FADING,
  HEARING,
  isHeard,
  lockHistories,
  mutexHistory,
  type LockHistory,
  type Step,
} from '../support/lock-history.js';
import { assertInvariants } from '../support/lock-ledger.js';
import { VirtualScripts } from '../support/virtual-scripts.js';

// In the year 2096, so that the real server does not expire by its own clock what the test's clock still keeps.
const START = 4_000_000_000_000_000;

const endOnFailure = process.env['FIRST_FAILURE'] === '1';
// HISTORIES=1, as in npm run test:servers, runs all of them.
const share = (histories: number): number => Math.ceil(histories * Number(process.env['HISTORIES'] ?? 0.5));

describe('the scripts and the machine, side by side', () => {
  const namespace = `test-${randomUUID()}`;
  const channel = `${namespace}:session:`;
  const messages = new Map<string, LockNotice[]>();
  const barriers = new Map<string, () => void>();
  let server: RunningRedis,
    client: Redis,
    listener: Redis,
    scripts: VirtualScripts,
    generalScripts: VirtualScripts;
  const seen = new Set<string>();
  let longest = 0; // queue
  let compact = 0;
  let histories = 0;

  beforeAll(async () => {
    server = await startRedis();
    client = new Redis(server.url);
    listener = client.duplicate();
    scripts = new VirtualScripts(client, channel);
    await scripts.load();
    generalScripts = new VirtualScripts(client, channel);
    await generalScripts.load({ lean: false });
    listener.on('message', (_channel, message: string) => {
      const told = decodeNotice(message);
      if (told) messages.get(told.key)?.push(unnamed(told.notice));
      else barriers.get(message)?.();
    });
    await listener.subscribe(...HEARING.map((session) => channel + session));
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
      void client.publish(channel + HEARING[0], mark);
    });
    barriers.delete(mark);
  }

  async function compare(history: LockHistory): Promise<void> {
    const key = `${namespace}:history ${(histories += 1)}`;
    const clients = new HistoryClients(history);
    const [expected, heard]: [LockNotice[], LockNotice[]] = [[], []];
    messages.set(key, heard);
    if (history.fades > 0) await listener.subscribe(channel + FADING);
    let [state, now, expiry] = [emptyState(), START, Infinity];
    for (const [at, step] of history.steps.entries()) {
      if (at === history.fades) await listener.unsubscribe(channel + FADING);
      now += clients.pause(step, state, now) + step.jump;
      if (expiry <= now) {
        await client.del(key);
        [state, expiry] = [emptyState(), Infinity];
      }
      const operation = clients.operation(step, state, now);
      const script = await scripts.execute(key, history, operation, now);
      const answer = applyOperation(state, operation, now, (notice) => {
        const listens = isHeard(history, notice.id, at);
        if (listens) expected.push(notice);
        return listens || !history.counted;
      });
      deepStrictEqual(script.answer, answer);
      seen.add(`${operation.kind}: ${answer.outcome}`);
      if (answer.outcome !== 'late') {
        expiry = expiryOf(state, now, history.fenceMemory);
        if (expiry <= now || state.fence === 0) [state, expiry] = [emptyState(), Infinity];
        assertInvariants(state, now);
      }
      const stored = decodeState(script.record);
      deepStrictEqual(stored, state);
      longest = Math.max(longest, state.queue.length);
      ok(isWhole(script.record, state), `something was left behind: ${JSON.stringify(script.record)}`);
      if (script.expiry === undefined) continue; // before Redis 7.0
      // Redis lets a key go when its clock shows a later millisecond.
      const end = expiry < Infinity ? (script.expiry + 1) * 1_000 : expiry;
      ok(end >= expiry && end <= expiry + 2_000, `the record ends ${end - expiry} µs too late`);
    }
    await allHeard();
    deepStrictEqual(heard, expected);
    for (const { kind } of heard) seen.add(`notice: ${kind}`);
    messages.delete(key);
    await client.del(key);
  }

  /** Both ways through the scripts leave the same bytes, also those that the state does not show. */
  async function compareTexts(drawn: LockHistory): Promise<void> {
    // Half of the time is shorter than a claim, which then lasts no longer.
    const history = { ...drawn, steps: drawn.steps.map((step) => ({ ...step, ttl: step.ttl / 2 })) };
    const keys = ['lean', 'general'].map((path) => `${namespace}:${path} ${(histories += 1)}`);
    const clients = new HistoryClients(history);
    let [state, now] = [emptyState(), START];
    for (const step of history.steps) {
      now += clients.pause(step, state, now) + step.jump;
      const operation = clients.operation(step, state, now);
      if ('notAfter' in operation) continue; // the general path has no eye for what is late
      const [lean, general] = await Promise.all([
        scripts.execute(keys[0]!, history, operation, now),
        generalScripts.execute(keys[1]!, history, operation, now),
      ]);
      deepStrictEqual([lean.answer, lean.record], [general.answer, general.record]);
      if (typeof lean.record === 'string') compact += 1;
      state = decodeState(lean.record);
    }
    await client.del(...keys);
  }

  const waits = (who: number, more: Partial<Step> = {}): Partial<Step> => ({ who, ...more });
  const short = { wait: 300_000 };
  const handOn = { verb: 'release', who: 0, pause: 1_000_000 } as const;
  const crowd = Array.from({ length: 8 }, (_, index) => waits(index));
  it.each([
    ['goes to the next in line', [waits(0), waits(1), waits(2), handOn, handOn, handOn]],
    [
      'goes on when a whole crowd waits',
      [...crowd, waits(8), waits(9), waits(10), ...crowd.map(() => handOn)],
    ],
    ['passes one whose time is over', [waits(0), waits(1, short), waits(2), handOn, handOn]],
    ['leaves nobody at the head whose time is over', [waits(0), waits(1), waits(2, short), handOn, handOn]],
    ['gives no fence that was used', [waits(0), waits(1), { ...handOn, share: 1 }, handOn]],
    ['waits for nobody who fell silent', [waits(0), waits(3), handOn, waits(1), waits(2), handOn], 2],
    ['passes one who fell silent', [waits(0), waits(3), waits(1), handOn, handOn], 3],
  ] as [string, Partial<Step>[], number?][])('agree that a hand-off %s', async (_what, ...[steps, fades]) => {
    await compare(mutexHistory(steps, fades));
  });

  const readers = Array.from({ length: 70 }, (_, index) => waits(index, { units: 1, who: index }));
  const byForce = { verb: 'revoke', force: true } as const;
  const asked = (['renew', 'downgrade', 'acquire', 'release', 'renew'] as const).map((verb) => ({ verb }));
  it.each([
    ['is told to whoever asks', [waits(0), byForce, ...asked]],
    ['is told beside the next holder', [waits(0), waits(1), byForce, waits(9), byForce, ...asked]],
    ['is forgotten at the release', [waits(0), byForce, waits(1), byForce, { verb: 'release' }]],
    ['is kept by a second one', [waits(0), byForce, byForce, ...asked]],
    ['comes after one that only marks', [waits(0), { verb: 'revoke' }, { who: 1 }, byForce, ...asked]],
    ['is forgotten when the lease would have ended', [waits(0), byForce, { ...byForce, pause: 20_000_000 }]],
    ['is remembered of the latest of a crowd', [...readers, byForce, { verb: 'renew', who: 0 }, ...asked]],
  ] as [string, Partial<Step>[]][])(
    'agree that a revocation by force %s',
    async (_what, steps) => {
      for (const fenceMemory of [0, 60_000_000]) await compare({ ...mutexHistory(steps), fenceMemory });
    },
    60_000,
  ); // an emulated server takes its time with a crowd

  const keeps = { verb: 'release', keep: 60_000_000 } as const;
  it.each([
    ['is ended by a revocation by force alone', [waits(0), keeps, { verb: 'revoke' }, byForce, ...asked]],
    ['makes room for whoever waits', [waits(0), waits(1), keeps, byForce, { ...keeps, who: 0 }, ...asked]],
    ['is none where the hold was revoked', [waits(0), waits(1), { verb: 'revoke' }, keeps, ...asked]],
    ['is one of several that end', [...readers.slice(0, 3), keeps, byForce, ...asked]],
  ] as [string, Partial<Step>[]][])('agree that a minimum hold %s', async (_what, steps) => {
    for (const fenceMemory of [0, 60_000_000]) await compare({ ...mutexHistory(steps), fenceMemory });
  });

  const goesOn = { verb: 'takeOver' } as const;
  const again = { ...goesOn, force: true } as const;
  const second = { ...goesOn, otherCapacity: true } as const;
  it.each([
    ['alone', [waits(0), goesOn, again, second, { verb: 'renew' }, { verb: 'release' }]],
    ['while others wait', [waits(0), waits(1), waits(2), goesOn, again, second, handOn, handOn, handOn]],
    ['after it has used its fences', [waits(0), { ...goesOn, share: 1 }, { ...goesOn, share: 1 }, handOn]],
    ['at its last moment', [waits(0), { ...goesOn, onTime: true }, waits(1), again]],
    ['beside other readers', [...readers.slice(0, 3), goesOn, again, second, { verb: 'release' }]],
    ['after it was revoked', [waits(0), { verb: 'revoke' }, goesOn, byForce, goesOn, again]],
    ['after it was given back', [waits(0), goesOn, { verb: 'release' }, again, second, waits(1), again]],
    ['with fewer units', [waits(0), waits(1, { units: 1 }), { ...goesOn, done: 1, units: 1 }, again]],
  ] as [string, Partial<Step>[]][])('agree that a hold goes on under another id %s', async (_what, steps) => {
    for (const fenceMemory of [0, 60_000_000]) await compare({ ...mutexHistory(steps), fenceMemory });
  });

  const writes = { verb: 'note' } as const;
  const takesBack = { verb: 'note', share: 0 } as const;
  it.each([
    ['is told to the next holder', [waits(0), writes, { verb: 'release' }, waits(1), { verb: 'renew' }]],
    ['is told with a pushed grant', [waits(0), waits(1), writes, handOn, waits(2), handOn, waits(1)]],
    ['outlives a lease that ends by itself', [waits(0), writes, waits(1, { pause: 20_000_000 })]],
    ['is replaced, but not by a late copy', [waits(0), writes, writes, { ...writes, late: true }, goesOn]],
    [
      'is taken back',
      [waits(0), writes, takesBack, { ...writes, late: true }, { verb: 'release' }, waits(1)],
    ],
    ['goes on with the hold', [waits(0), writes, goesOn, writes, { verb: 'release' }, waits(1)]],
    [
      'is left by holders alone',
      [waits(0), { ...writes, who: 6 }, { verb: 'revoke' }, writes, byForce, writes],
    ],
  ] as [string, Partial<Step>[]][])('agree that a note %s', async (_what, steps) => {
    for (const fenceMemory of [0, 60_000_000]) await compare({ ...mutexHistory(steps), fenceMemory });
  });

  it('agree on every answer, every state, every notice and the end of every record', async () => {
    const emulated = server.kind === 'emulated';
    await fc.assert(fc.asyncProperty(lockHistories(true), compare), {
      numRuns: emulated ? 20 : share(1_000),
      endOnFailure,
    });
    if (emulated) return; // too few to have seen everything
    for (const outcome of ['granted', 'queued', 'busy', 'mismatch', 'gone', 'late'])
      expect(seen).toContain(`acquire: ${outcome}`);
    for (const outcome of ['renewed', 'lost', 'revoked', 'late']) expect(seen).toContain(`renew: ${outcome}`);
    for (const outcome of ['released', 'dequeued', 'gone']) expect(seen).toContain(`release: ${outcome}`);
    for (const outcome of ['downgraded', 'lost', 'revoked']) expect(seen).toContain(`downgrade: ${outcome}`);
    for (const outcome of ['marked', 'freed']) expect(seen).toContain(`revoke: ${outcome}`);
    for (const outcome of ['granted', 'lost', 'revoked', 'late'])
      expect(seen).toContain(`takeOver: ${outcome}`);
    for (const outcome of ['noted', 'lost', 'revoked']) expect(seen).toContain(`note: ${outcome}`);
    for (const kind of ['granted', 'contended', 'wanted', 'revoked', 'echo'])
      expect(seen).toContain(`notice: ${kind}`);
  }, 120_000);

  it('agree when a mutex goes from hand to hand, and more wait than a compact record has room for', async () => {
    longest = 0;
    const runs = server.kind === 'emulated' ? 5 : share(400);
    await fc.assert(fc.asyncProperty(lockHistories(true, 60, true), compare), {
      numRuns: runs,
      endOnFailure,
    });
    if (server.kind !== 'emulated') expect(longest).toBeGreaterThan(8); // too few to have seen everything
  }, 120_000);

  it.each([
    ['of any kind', lockHistories(true)],
    ['of a mutex that goes from hand to hand', lockHistories(true, 60, true)],
  ])(
    'write the same bytes by their lean paths as without them: histories %s',
    async (_what, histories_) => {
      compact = 0;
      const numRuns = server.kind === 'emulated' ? 5 : share(200);
      await fc.assert(fc.asyncProperty(histories_, compareTexts), { numRuns, endOnFailure });
      expect(compact).toBeGreaterThan(numRuns);
    },
    120_000,
  );
});

/** The notice without the server that pushed it, of which the machine knows nothing. */
function unnamed(notice: LockNotice): LockNotice {
  if (notice.kind !== 'granted') return notice;
  const { server: _server, ...rest } = notice;
  return rest;
}

/** Whether a record consists of what `state` needs, and nothing else. */
function isWhole(record: StoredRecord, state: LockState): boolean {
  if (typeof record === 'string') return true;
  const fields = Object.keys(record);
  if (fields.length === 0) return true;
  const optional = ['released', 'done', 'ids', 'first'];
  if (state.forced.length > 0) optional.push('forced');
  if (state.note) optional.push('note');
  const needed = ['v', 'capacity', 'fence'];
  for (const { id } of state.holders) needed.push(`h:${id}`, `i:${id}`);
  for (const { id, revocation } of state.holders) if (revocation !== undefined) needed.push(`r:${id}`);
  for (const { id } of state.forced) needed.push(`r:${id}`);
  for (const { id, seq } of state.queue) needed.push(`w:${id}`, `q:${seq}`);
  if (state.queue.length > 0) needed.push('next', 'count', 'alive');
  return (
    needed.every((field) => fields.includes(field)) &&
    fields.every((field) => needed.includes(field) || optional.includes(field))
  );
}
