import { ok } from 'node:assert/strict';
import { emptyState, WHOLE } from '../../store/lock-machine.js';
import type { LockReading, LockStore } from '../../store/lock-store.js';
import { equals, matches } from './assertions.js';
import type { Cases } from './fixture.js';
import { MS, Peer, TIMEOUT } from './peer.js';

/** How an operator takes a lock away. */
export const revokeCases: Cases = {
  'tells the holder why, refuses its renewals, and frees the lock at its release': async ({
    a,
    b,
    recorderOne,
    recorderTwo,
  }) => {
    const [holder, next] = [a.id(), b.id()];
    const { now } = await a.acquire(holder);
    await b.acquire(next);
    matches(await b.revoke(false, 'stuck since 9:00, see %42 “ops”'), {
      outcome: 'marked',
      count: 1,
      holder: 'host:1',
    });
    matches(await recorderOne.notice('revoked', holder), {
      name: a.name,
      reason: 'stuck since 9:00, see %42 “ops”',
    });
    const told = { outcome: 'revoked', reason: 'stuck since 9:00, see %42 “ops”' };
    matches(await a.renew(holder), told);
    matches((await a.state()).state.holders, [{ revocation: told.reason }]);
    matches(await a.acquire(holder), { outcome: 'gone' });
    matches((await a.state()).state.holders, [{ deadline: now + 5_500 * MS }]);
    matches(await a.release(holder), { outcome: 'released' });
    await recorderTwo.notice('granted', next);
  },

  'by force frees the lock at once, with fences above those of the old holder': async ({
    a,
    b,
    recorderOne,
    recorderTwo,
  }) => {
    const [holder, next] = [a.id(), b.id()];
    const { last } = await a.granted(holder);
    await b.acquire(next);
    matches(await b.revoke(true, 'by force: 100 %'), { outcome: 'freed', count: 1 });
    await recorderOne.notice('revoked', holder);
    ok((await recorderTwo.notice('granted', next)).first > last);
    matches(await a.renew(holder), { outcome: 'revoked', reason: 'by force: 100 %' });
  },

  'by force is remembered, by a second one too, until the holder gives up': async ({ a, b }) => {
    const holder = a.id();
    const { now } = await a.granted(holder);
    await b.revoke(true, 'the first');
    matches(await b.revoke(true, 'the second'), { outcome: 'freed', count: 0, holder: '' });
    equals((await b.state()).state.forced, [{ id: holder, reason: 'the first', until: now + 5_500 * MS }]);
    matches(await a.downgrade(holder, 0), { outcome: 'revoked', reason: 'the first' });
    matches(await a.acquire(holder), { outcome: 'gone' });
    matches(await a.release(holder), { outcome: 'gone' });
    matches((await b.state()).state, { holders: [], forced: [] });
  },

  'by force frees what a minimum hold keeps, and a release after a revocation keeps nothing': async ({
    a,
    b,
  }) => {
    const [kept, revoked] = [a.id(), b.id()];
    await a.granted(kept);
    await a.release(kept, { keep: 60_000 * MS });
    matches(await b.revoke(false), { outcome: 'marked', count: 0 });
    matches(await b.revoke(true), { outcome: 'freed', count: 1 });
    await b.granted(revoked);
    await b.revoke(false);
    matches(await b.release(revoked, { keep: 60_000 * MS }), { outcome: 'released' });
    matches((await b.state()).state, { holders: [] });
  },

  'of a free lock says that there was nobody': async ({ b }) => {
    matches(await b.revoke(), { outcome: 'marked', count: 0 });
    equals((await b.state()).state, emptyState());
  },
};

/** What a store shows of its names. */
export const readCases: Cases = {
  'shows holders, queue, capacity and fence, and changes nothing': async ({ a, b }) => {
    const [holder, waiter] = [a.id(), b.id()];
    const { first, last, now } = await a.granted(holder, { identity: 'host:7 a label' });
    const queued = await b.acquire(waiter, { identity: 'other:8', block: 5 });
    const { key, state, now: at } = await a.state();
    ok(key.includes(a.name));
    ok(at >= queued.now);
    matches(state, { capacity: WHOLE, fence: last, released: '', done: 0 });
    equals(state.holders, [
      {
        ...{ id: holder, units: WHOLE, deadline: now + 5_500 * MS, span: 5_500 * MS, first, last },
        ...{ since: now, identity: 'host:7 a label', contended: true, revocation: undefined, kept: false },
      },
    ]);
    matches(state.queue, [
      { id: waiter, units: WHOLE, ttl: 5_000 * MS, guard: 500 * MS, block: 5, seal: `seal-of-${waiter}` },
    ]);
    matches(state.queue, [
      {
        until: queued.now + 60_000 * MS,
        alive: queued.now + 15_000 * MS,
        since: queued.now,
        identity: 'other:8',
      },
    ]);
    equals((await a.state()).state, state);
  },

  'of a name that nobody used shows an empty state': async ({ a }) => {
    equals((await a.state()).state, emptyState());
  },

  'shows the last fence of a lock that is free, while the record is remembered': async ({ a }) => {
    const id = a.id();
    const { first } = await a.granted(id);
    await a.release(id, { used: first + 1 });
    matches((await a.state()).state, { fence: first + 1, holders: [], released: id });
  },

  'shows nothing of a lock that is free, when records are not remembered': async ({ a, open }) => {
    const store = await open(0);
    const peer = new Peer(store, a.name);
    await store.ready(TIMEOUT);
    const id = peer.id();
    await peer.granted(id);
    await peer.release(id);
    equals((await peer.state()).state, emptyState());
    await store.close();
  },
};

/** How a store walks over its names. */
export const listCases: Cases = {
  'comes to every name that has a record, with what read shows of it': async ({ a, b, one }) => {
    const [held, queued, left] = [a, a.on(`${a.name}:queued`), a.on(`${a.name}:left`)];
    await held.acquire(held.id());
    await queued.acquire(queued.id());
    await b.on(queued.name).acquire(b.id());
    const id = left.id();
    await left.acquire(id);
    await left.release(id);
    const found = await namesOf(one, a.name);
    equals([...found.keys()].sort(), [held.name, left.name, queued.name].sort());
    for (const peer of [held, queued, left]) {
      const { state, key } = await peer.state();
      matches(found.get(peer.name), { name: peer.name, key, state });
    }
  },

  'comes to no latch': async ({ a, one }) => {
    await one.latch(a.name, { kind: 'set', round: '', count: 1, ttl: 60_000 * MS }, TIMEOUT);
    equals([...(await namesOf(one, a.name)).keys()], []);
  },
};

/** What a walk shows of the names that begin with `prefix`. */
async function namesOf(store: LockStore, prefix: string): Promise<Map<string, LockReading>> {
  const found = new Map<string, LockReading>();
  for await (const page of store.list(TIMEOUT))
    for (const reading of page) if (reading.name.startsWith(prefix)) found.set(reading.name, reading);
  return found;
}
