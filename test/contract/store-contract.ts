import { LockStoreError } from '../../lib/base/errors.js';
import { emptyState, WHOLE } from '../../lib/store/lock-machine.js';
import type { LockStore } from '../../lib/store/lock-store.js';
import { serverTimeAtLeast } from '../../lib/store/server-clock.js';
import { NoticeRecorder } from './notice-recorder.js';
import { MS, Peer } from './peer.js';

/** Opens a session at one and the same place; `fenceMemory` in milliseconds. */
export type OpenStore = (fenceMemory: number) => Promise<LockStore>;

const TIMEOUT = 2_000;
let names = 0;

/**
 * What every store promises. Two sessions at one server; each test has a name of its own. `countable`: the store knows
 * when nobody hears a notice, which no node of a cluster does.
 */
export function storeContract(open: OpenStore, { countable = true } = {}): void {
  let one!: LockStore, two!: LockStore;
  let recorderOne!: NoticeRecorder, recorderTwo!: NoticeRecorder;
  let a!: Peer, b!: Peer;

  beforeAll(async () => {
    one = await open(60_000);
    two = await open(60_000);
    recorderOne = new NoticeRecorder(one);
    recorderTwo = new NoticeRecorder(two);
    for (const store of [one, two]) {
      await store.ready(TIMEOUT);
      store.subscribe();
    }
    await Promise.all([heard(one), heard(two)]);
  });
  afterAll(() => Promise.all([one.close(), two.close()]));
  beforeEach(() => {
    const name = `contract:${process.pid}:${(names += 1)}`;
    a = new Peer(one, name);
    b = new Peer(two, name);
  });

  async function heard(store: LockStore): Promise<void> {
    for (let tries = 0; tries < 500 && !store.subscribed; tries += 1)
      await new Promise((resolve) => setTimeout(resolve, 5));
    expect(store.subscribed).toBe(true);
  }

  describe('acquire', () => {
    it('grants a free lock, with a block of fences of 16 digits that begin at the server’s microseconds', async () => {
      const { first, last, contended, done, now } = await a.granted(a.id());
      expect([first, last, contended, done]).toEqual([now, now + 999, false, false]);
      expect(String(first)).toMatch(/^\d{16}$/);
      expect(Math.abs(now / MS - Date.now())).toBeLessThan(60_000);
    });

    it('brackets each answer by the local clock', async () => {
      const { sentAt, receivedAt } = await a.acquire(a.id());
      expect(receivedAt).toBeGreaterThanOrEqual(sentAt);
    });

    it('answers a repeat with the same grant', async () => {
      const id = a.id();
      const { first, last } = await a.granted(id);
      expect(await a.acquire(id)).toMatchObject({ outcome: 'granted', first, last });
      expect((await a.state()).state.holders).toHaveLength(1);
    });

    it('lets the deadline of a repeat count from the repeat', async () => {
      const id = a.id();
      await a.acquire(id);
      const { now } = await a.acquire(id, { ttl: 7_000 * MS });
      expect((await a.state()).state.holders).toMatchObject([{ deadline: now + 7_500 * MS }]);
    });

    it('answers busy when it must not wait, and says who holds the lock and until when', async () => {
      const { now } = await a.acquire(a.id(), { identity: 'shop-1:42 nightly report · ünï' });
      expect(await b.acquire(b.id(), { wait: 0 })).toMatchObject({
        outcome: 'busy',
        holder: 'shop-1:42 nightly report · ünï',
        due: now + 5_500 * MS,
      });
      expect((await b.state()).state.queue).toEqual([]);
    });

    it('queues once per attempt, first come first', async () => {
      await a.acquire(a.id());
      const [x, y] = [b.id(), b.id()];
      expect(await b.acquire(x)).toMatchObject({
        outcome: 'queued',
        place: 0,
        heard: true,
        holder: 'host:1',
      });
      expect(await b.acquire(y)).toMatchObject({ outcome: 'queued', place: 1 });
      expect(await b.acquire(x)).toMatchObject({ outcome: 'queued', place: 0 });
      expect((await b.state()).state.queue.map(({ id }) => id)).toEqual([x, y]);
    });

    it('does not let anybody overtake the queue', async () => {
      await a.read(a.id());
      await a.acquire(a.id());
      expect(await b.read(b.id(), { wait: 0 })).toMatchObject({ outcome: 'busy' });
      expect(await b.read(b.id())).toMatchObject({ outcome: 'queued', place: 1 });
    });

    it('refuses another capacity while the lock is in use', async () => {
      const id = a.id();
      await a.acquire(id, { units: 1, capacity: 3 });
      expect(await b.acquire(b.id())).toMatchObject({ outcome: 'mismatch', capacity: 3 });
      await a.release(id);
      expect(await b.acquire(b.id())).toMatchObject({ outcome: 'granted' });
    });

    it('changes nothing when it is read late', async () => {
      const { now } = await a.state();
      expect(await a.acquire(a.id(), { notAfter: now - 1 })).toMatchObject({ outcome: 'late' });
      expect((await a.state()).state).toEqual(emptyState());
    });

    it('does not revive an attempt that was released', async () => {
      const id = a.id();
      await a.acquire(id);
      await a.release(id);
      expect(await a.acquire(id)).toMatchObject({ outcome: 'gone' });
      expect((await a.state()).state.holders).toEqual([]);
    });

    it('grants exactly one of many who ask at once, and the others in the order of their places', async () => {
      const peers = Array.from({ length: 24 }, (_, at) => (at % 2 ? a : b)).map((peer) => ({
        peer,
        id: peer.id(),
        recorder: peer === a ? recorderOne : recorderTwo,
      }));
      const answers = await Promise.all(peers.map(({ peer, id }) => peer.acquire(id)));
      const placed = answers.map((answer, at) => ({ ...answer, at }));
      expect(placed.filter(({ outcome }) => outcome === 'granted')).toHaveLength(1);
      const order = (await a.state()).state.queue.map(({ id }) => id);
      expect(order).toHaveLength(23);
      let holder = peers.find((_, at) => answers[at]?.outcome === 'granted');
      for (const id of order) {
        await holder?.peer.release(holder.id);
        holder = peers.find((each) => each.id === id);
        await holder?.recorder.notice('granted', id);
      }
    });
  });

  describe('hand-off', () => {
    it('goes to the head of the queue by a notice, with the deadline of its claim', async () => {
      const [holder, next] = [a.id(), b.id()];
      const { first } = await a.granted(holder);
      await b.acquire(next);
      const { now } = await a.release(holder, { used: first + 2 });
      const notice = await recorderTwo.notice('granted', next);
      expect(notice).toMatchObject({ name: a.name, span: 2_000 * MS, until: now + 2_000 * MS });
      expect(notice).toMatchObject({ first: now, last: now + 999, contended: false, done: false });
      expect((await b.state()).state.holders).toMatchObject([
        { id: next, deadline: now + 2_500 * MS, first: now, last: now + 999 },
      ]);
    });

    it('is confirmed by a renewal', async () => {
      const [holder, next] = [a.id(), b.id()];
      await a.acquire(holder);
      await b.acquire(next);
      await a.release(holder);
      const { first } = await recorderTwo.notice('granted', next);
      const { outcome, now } = await b.renew(next, { used: first + 5 });
      expect(outcome).toBe('renewed');
      expect((await b.state()).state.holders).toMatchObject([
        { deadline: now + 5_500 * MS, last: first + 5 + 1_000 },
      ]);
    });

    it('goes on to the next when a claim is not confirmed', async () => {
      const [holder, silent, next] = [a.id(), a.id(), b.id()];
      await a.acquire(holder);
      await a.acquire(silent, { ttl: 30 * MS, guard: 5 * MS });
      await b.acquire(next);
      await a.release(holder);
      const { until, last } = await recorderOne.notice('granted', silent);
      await b.past(until + 5 * MS);
      const answer = await b.granted(next);
      expect(answer.first).toBeGreaterThan(last);
      expect(await a.renew(silent)).toMatchObject({ outcome: 'lost' });
    });

    it('reaches a waiter that does not listen when it asks, for its full ttl', async () => {
      const [holder, next] = [a.id(), b.id()];
      await a.acquire(holder);
      await b.acquire(next, { subscribed: false });
      const released = await a.release(holder);
      expect((await b.state()).state.holders).toMatchObject([
        { id: next, deadline: released.now + 2_500 * MS },
      ]);
      const { now } = await b.granted(next, { subscribed: false });
      expect((await b.state()).state.holders).toMatchObject([{ deadline: now + 5_500 * MS }]);
      expect(recorderTwo.of(next)).toEqual([]);
    });

    it('goes without a notice to a waiter whose session nobody listens to, whatever it claimed', async () => {
      const store = await open(60_000);
      const peer = new Peer(store, a.name);
      await store.ready(TIMEOUT);
      const [holder, deaf] = [a.id(), peer.id()];
      await a.acquire(holder);
      expect(await peer.acquire(deaf)).toMatchObject({ outcome: 'queued', heard: !countable });
      await a.release(holder);
      expect(await peer.acquire(deaf)).toMatchObject({ outcome: 'granted' });
      await store.close();
    });

    it('lets as many in as fit, in order', async () => {
      const [writer, r1, r2, w2, r3] = [a.id(), b.id(), a.id(), b.id(), a.id()];
      await a.acquire(writer);
      await b.read(r1);
      await a.read(r2);
      await b.acquire(w2);
      await a.read(r3);
      await a.release(writer);
      const [n1, n2] = [await recorderTwo.notice('granted', r1), await recorderOne.notice('granted', r2)];
      expect([n1.last, n2.first, n2.contended]).toEqual([n1.first, n1.first + 1, true]);
      const { state } = await a.state();
      expect(state.holders.map(({ id }) => id)).toEqual([r1, r2]);
      expect(state.queue.map(({ id }) => id)).toEqual([w2, r3]);
    });

    it('counts weights against the capacity', async () => {
      const [x, y, z] = [a.id(), a.id(), b.id()];
      const semaphore = { capacity: 3 };
      await a.acquire(x, { ...semaphore, units: 2 });
      await a.acquire(y, { ...semaphore, units: 1 });
      expect(await b.acquire(z, { ...semaphore, units: 2 })).toMatchObject({ outcome: 'queued' });
      await a.release(y);
      expect((await b.state()).state.holders).toHaveLength(1);
      await a.release(x);
      await recorderTwo.notice('granted', z);
    });
  });

  describe('notices', () => {
    it('tell an exclusive holder once that somebody waits', async () => {
      const holder = a.id();
      await a.acquire(holder);
      await b.acquire(b.id());
      expect(await recorderOne.notice('contended', holder)).toMatchObject({ name: a.name });
      await b.acquire(b.id());
      expect(await a.acquire(holder)).toMatchObject({ contended: true });
      await b.acquire(b.id());
      expect(recorderOne.of(holder)).toEqual(['contended']);
    });

    it('echo the sign of life of a waiter that listens', async () => {
      const id = b.id();
      await a.acquire(a.id());
      await b.acquire(id);
      expect(await b.acquire(id)).toMatchObject({ outcome: 'queued', heard: true });
      expect(await recorderTwo.notice('echo', id)).toMatchObject({ name: b.name });
    });

    it.each([
      ['spaces', 'a b  c'],
      ['other letters', 'ünï·código:7'],
      ['a pattern', '*?[x]{y}'],
      ['quotes and escapes', 'it\'s %s \\ "quoted"\n'],
      ['512 bytes', 'n'.repeat(512)],
    ])('carry the name as the user wrote it, with %s', async (_, text) => {
      const name = `${text}${a.name}`.slice(-512);
      const [first, second] = [a.on(name), b.on(name)];
      const [holder, next] = [first.id(), second.id()];
      await first.acquire(holder);
      await second.acquire(next);
      await first.release(holder);
      expect(await recorderTwo.notice('granted', next)).toMatchObject({ name: first.name });
    });
  });

  describe('expiry', () => {
    it('frees the lock after ttl and guard, and the former holder has lost it', async () => {
      const id = a.id();
      const { now, last } = await a.granted(id, { ttl: 20 * MS, guard: 10 * MS });
      expect(await b.acquire(b.id(), { wait: 0 })).toMatchObject({ outcome: 'busy', due: now + 30 * MS });
      await b.past(now + 30 * MS);
      expect((await b.granted(b.id())).first).toBeGreaterThan(last);
      expect(await a.renew(id)).toMatchObject({ outcome: 'lost' });
      expect(await a.release(id)).toMatchObject({ outcome: 'gone' });
      expect((await b.state()).state.holders).toHaveLength(1);
    });

    it('hands the lock on at the next operation of anybody', async () => {
      const [first, next] = [a.id(), b.id()];
      const { now } = await a.acquire(first, { ttl: 20 * MS, guard: 0 });
      await b.acquire(next);
      await a.past(now + 20 * MS);
      expect(await a.renew(first)).toMatchObject({ outcome: 'lost' });
      await recorderTwo.notice('granted', next);
    });

    it('drops a waiter whose wait is over', async () => {
      const [holder, first, next] = [a.id(), a.id(), b.id()];
      await a.acquire(holder);
      const { now } = await a.acquire(first, { wait: 20 * MS });
      await b.acquire(next);
      await a.past(now + 20 * MS);
      await a.release(holder);
      await recorderTwo.notice('granted', next);
      expect(recorderOne.of(first)).not.toContain('granted');
    });
  });

  describe('renew', () => {
    it('moves the deadline, and the block ends at the last used fence plus its size, never lower', async () => {
      const id = a.id();
      const { first } = await a.granted(id);
      const answer = await a.renew(id, { used: first + 7, ttl: 9_000 * MS });
      expect(answer).toMatchObject({ outcome: 'renewed', last: first + 1_007, contended: false });
      expect((await a.state()).state.holders).toMatchObject([{ deadline: answer.now + 9_500 * MS }]);
      expect(await a.renew(id, { used: first + 7, block: 1 })).toMatchObject({ last: first + 1_007 });
    });

    it('takes nothing back of what was promised before', async () => {
      const id = a.id();
      const { now } = await a.acquire(id);
      await a.renew(id, { ttl: 20 * MS, guard: 0 });
      await b.acquire(b.id());
      expect((await a.state()).state.holders).toMatchObject([{ deadline: now + 5_500 * MS }]);
    });

    it('never creates a hold', async () => {
      expect(await a.renew(a.id())).toMatchObject({ outcome: 'lost' });
      expect((await a.state()).state.holders).toEqual([]);
    });

    it('says whether others wait', async () => {
      const [id, other] = [a.id(), b.id()];
      await a.acquire(id);
      await b.acquire(other);
      expect(await a.renew(id)).toMatchObject({ contended: true });
      await b.release(other);
      expect(await a.renew(id)).toMatchObject({ contended: false });
    });

    it('that is read late changes nothing', async () => {
      const id = a.id();
      const { now } = await a.acquire(id);
      expect(await a.renew(id, { notAfter: now - 1 })).toMatchObject({ outcome: 'late' });
      expect((await a.state()).state.holders).toMatchObject([{ deadline: now + 5_500 * MS }]);
    });
  });

  describe('release', () => {
    it('answers a repeat the same, and a stranger gone', async () => {
      const id = a.id();
      await a.acquire(id);
      expect(await b.release(b.id())).toMatchObject({ outcome: 'gone' });
      expect(await a.release(id)).toMatchObject({ outcome: 'released' });
      expect(await a.release(id)).toMatchObject({ outcome: 'released' });
    });

    it('leaves the queue, and lets those behind through', async () => {
      const [reader, writer, next] = [a.id(), a.id(), b.id()];
      await a.read(reader);
      await a.acquire(writer);
      await b.read(next);
      expect(await a.release(writer)).toMatchObject({ outcome: 'dequeued' });
      await recorderTwo.notice('granted', next);
      expect(await a.release(writer)).toMatchObject({ outcome: 'gone' });
    });

    it('gives the unused rest of the block back', async () => {
      const id = a.id();
      const { first } = await a.granted(id, { block: 5_000 * MS });
      await a.release(id, { used: first });
      const next = await b.granted(b.id());
      expect(next.first).toBe(Math.max(first + 1, next.now));
    });

    it('gives the whole block back when nothing was used of it', async () => {
      const id = a.id();
      const { first } = await a.granted(id, { block: 5_000 * MS });
      await a.release(id);
      expect((await a.state()).state.fence).toBe(first - 1);
    });

    it('never makes a fence smaller than one that was used, whatever it is told', async () => {
      const [x, y] = [a.id(), b.id()];
      const { first } = await a.granted(x);
      await a.release(x, { used: first });
      const { first: second } = await b.granted(y);
      await b.release(y, { used: 1 });
      expect((await b.state()).state.fence).toBe(second - 1);
    });

    it('keeps the units for a minimum hold, and nothing revives the lease', async () => {
      const [id, next] = [a.id(), b.id()];
      await a.acquire(id);
      const { outcome, now } = await a.release(id, { keep: 40 * MS });
      expect(outcome).toBe('released');
      expect(await b.acquire(next)).toMatchObject({ outcome: 'queued', due: now + 40 * MS });
      expect(await a.renew(id)).toMatchObject({ outcome: 'lost' });
      expect(await a.acquire(id)).toMatchObject({ outcome: 'gone' });
      expect(await a.release(id, { keep: 40 * MS })).toMatchObject({ outcome: 'released' });
      await b.past(now + 40 * MS);
      expect(await b.acquire(next)).toMatchObject({ outcome: 'granted' });
    });

    it('marks the name as done, and each grant says so until the mark ends', async () => {
      const [x, y, z] = [a.id(), b.id(), a.id()];
      await a.acquire(x);
      await b.acquire(y);
      const { now } = await a.release(x, { done: 60 * MS });
      expect(await recorderTwo.notice('granted', y)).toMatchObject({ done: true });
      await b.release(y);
      await a.past(now + 60 * MS);
      expect(await a.acquire(z)).toMatchObject({ outcome: 'granted', done: false });
    });
  });

  it('downgrade gives units back and lets readers in; it never takes any', async () => {
    const [writer, reader] = [a.id(), b.id()];
    const { first } = await a.granted(writer);
    await b.read(reader);
    expect(await a.downgrade(writer, first + 1)).toMatchObject({ outcome: 'downgraded' });
    const notice = await recorderTwo.notice('granted', reader);
    expect(notice.first).toBeGreaterThan(first + 1);
    expect((await a.state()).state.holders).toMatchObject([{ units: 1 }, { units: 1 }]);
    expect(await a.downgrade(writer, first + 1)).toMatchObject({ outcome: 'downgraded' });
    expect(await a.downgrade(a.id(), 0)).toMatchObject({ outcome: 'lost' });
  });

  describe('revoke', () => {
    it('tells the holder why, refuses its renewals, and frees the lock at its release', async () => {
      const [holder, next] = [a.id(), b.id()];
      const { now } = await a.acquire(holder);
      await b.acquire(next);
      expect(await b.revoke(false, 'stuck since 9:00, see %42 “ops”')).toMatchObject({
        outcome: 'marked',
        count: 1,
        holder: 'host:1',
      });
      expect(await recorderOne.notice('revoked', holder)).toMatchObject({
        name: a.name,
        reason: 'stuck since 9:00, see %42 “ops”',
      });
      const told = { outcome: 'revoked', reason: 'stuck since 9:00, see %42 “ops”' };
      expect(await a.renew(holder)).toMatchObject(told);
      expect((await a.state()).state.holders).toMatchObject([{ revocation: told.reason }]);
      expect(await a.acquire(holder)).toMatchObject({ outcome: 'gone' });
      expect((await a.state()).state.holders).toMatchObject([{ deadline: now + 5_500 * MS }]);
      expect(await a.release(holder)).toMatchObject({ outcome: 'released' });
      await recorderTwo.notice('granted', next);
    });

    it('by force frees the lock at once, with fences above those of the old holder', async () => {
      const [holder, next] = [a.id(), b.id()];
      const { last } = await a.granted(holder);
      await b.acquire(next);
      expect(await b.revoke(true, 'by force: 100 %')).toMatchObject({ outcome: 'freed', count: 1 });
      await recorderOne.notice('revoked', holder);
      expect((await recorderTwo.notice('granted', next)).first).toBeGreaterThan(last);
      expect(await a.renew(holder)).toMatchObject({ outcome: 'revoked', reason: 'by force: 100 %' });
    });

    it('by force is remembered, by a second one too, until the holder gives up', async () => {
      const holder = a.id();
      const { now } = await a.granted(holder);
      await b.revoke(true, 'the first');
      expect(await b.revoke(true, 'the second')).toMatchObject({ outcome: 'freed', count: 0, holder: '' });
      expect((await b.state()).state.forced).toEqual([
        { id: holder, reason: 'the first', until: now + 5_500 * MS },
      ]);
      expect(await a.downgrade(holder, 0)).toMatchObject({ outcome: 'revoked', reason: 'the first' });
      expect(await a.acquire(holder)).toMatchObject({ outcome: 'gone' });
      expect(await a.release(holder)).toMatchObject({ outcome: 'gone' });
      expect((await b.state()).state).toMatchObject({ holders: [], forced: [] });
    });

    it('of a free lock says that there was nobody', async () => {
      expect(await b.revoke()).toMatchObject({ outcome: 'marked', count: 0 });
      expect((await b.state()).state).toEqual(emptyState());
    });
  });

  it('fences grow from grant to grant, whichever way a hold ends', async () => {
    let before = 0;
    for (let round = 0; round < 40; round += 1) {
      const peer = round % 2 ? a : b;
      const id = peer.id();
      const more = round % 4 === 3 ? { ttl: 5 * MS, guard: 0 } : {};
      const { first, last, now } = await peer.granted(id, more);
      expect(first).toBeGreaterThan(before);
      before = round % 4 === 3 ? last : first;
      if (round % 4 === 3) await peer.past(now + 5 * MS);
      else await peer.release(id, { used: first });
    }
  });

  describe('read', () => {
    it('shows holders, queue, capacity and fence, and changes nothing', async () => {
      const [holder, waiter] = [a.id(), b.id()];
      const { first, last, now } = await a.granted(holder, { identity: 'host:7 a label' });
      const queued = await b.acquire(waiter, { identity: 'other:8', block: 5 });
      const { key, state, now: at } = await a.state();
      expect(key).toContain(a.name);
      expect(at).toBeGreaterThanOrEqual(queued.now);
      expect(state).toMatchObject({ capacity: WHOLE, fence: last, released: '', done: 0 });
      expect(state.holders).toEqual([
        {
          ...{ id: holder, units: WHOLE, deadline: now + 5_500 * MS, span: 5_500 * MS, first, last },
          ...{ since: now, identity: 'host:7 a label', contended: true, revocation: undefined, kept: false },
        },
      ]);
      expect(state.queue).toMatchObject([
        { id: waiter, units: WHOLE, ttl: 5_000 * MS, guard: 500 * MS, block: 5, seal: `seal-of-${waiter}` },
      ]);
      expect(state.queue).toMatchObject([
        {
          until: queued.now + 60_000 * MS,
          alive: queued.now + 15_000 * MS,
          since: queued.now,
          identity: 'other:8',
        },
      ]);
      expect((await a.state()).state).toEqual(state);
    });

    it('of a name that nobody used shows an empty state', async () => {
      expect((await a.state()).state).toEqual(emptyState());
    });

    it('shows the last fence of a lock that is free, while the record is remembered', async () => {
      const id = a.id();
      const { first } = await a.granted(id);
      await a.release(id, { used: first + 1 });
      expect((await a.state()).state).toMatchObject({ fence: first + 1, holders: [], released: id });
    });

    it('shows nothing of a lock that is free, when records are not remembered', async () => {
      const store = await open(0);
      const peer = new Peer(store, a.name);
      await store.ready(TIMEOUT);
      const id = peer.id();
      await peer.granted(id);
      await peer.release(id);
      expect((await peer.state()).state).toEqual(emptyState());
      await store.close();
    });
  });

  describe('the server’s clock', () => {
    it('is known from below by a sample', async () => {
      const sample = await one.measure(a.name, TIMEOUT);
      expect(sample.receivedAt).toBeGreaterThanOrEqual(sample.sentAt);
      const { now, sentAt } = await a.acquire(a.id());
      expect(serverTimeAtLeast(sample, sentAt)).toBeLessThanOrEqual(now);
      expect(one.sample(a.name)).toBeDefined();
    });
  });

  describe('a session', () => {
    it('wakes its waiters when it can hear', async () => {
      const store = await open(60_000);
      const recorder = new NoticeRecorder(store);
      await store.ready(TIMEOUT);
      expect(store.subscribed).toBe(false);
      recorder.wakes = 0;
      store.subscribe();
      await heard(store);
      await recorder.woken();
      store.subscribe();
      await store.close();
    });

    it('that is closed hears and does nothing any more, and the others go on', async () => {
      const store = await open(60_000);
      const peer = new Peer(store, a.name);
      const recorder = new NoticeRecorder(store);
      await store.ready(TIMEOUT);
      store.subscribe();
      await heard(store);
      const [holder, waiter, next] = [a.id(), peer.id(), b.id()];
      await a.acquire(holder);
      await peer.acquire(waiter);
      await b.acquire(next);
      await store.close();
      expect(store.subscribed).toBe(false);
      await expect(peer.acquire(peer.id())).rejects.toThrow(LockStoreError);
      await expect(peer.state()).rejects.toThrow(LockStoreError);
      await expect(store.ready(50)).rejects.toThrow(LockStoreError);
      await new Promise((resolve) => setTimeout(resolve, 50)); // until the server knows, too
      await a.release(holder);
      if (!countable) await b.past((await b.state()).state.holders[0]!.deadline); // the claim of the closed one
      if (!countable) await b.acquire(next);
      else await recorderTwo.notice('granted', next);
      expect(recorder.of(waiter)).not.toContain('granted');
      await store.close(); // a second time does nothing
      store.subscribe();
      expect(store.subscribed).toBe(false);
    });

    it('hears nothing that is for another session', async () => {
      const [holder, next] = [a.id(), b.id()];
      await a.acquire(holder);
      await b.acquire(next);
      await a.release(holder);
      await recorderTwo.notice('granted', next);
      expect(recorderOne.of(next)).toEqual([]);
    });
  });
}
