import { ok } from 'node:assert/strict';
import { emptyState } from '../../store/lock-machine.js';
import { equals, matches } from './assertions.js';
import type { Cases } from './fixture.js';
import { MS } from './peer.js';

/** What a store answers to those who ask for a lock. */
export const acquireCases: Cases = {
  'grants a free lock, with a block of fences of 16 digits that begin at the server’s microseconds': async ({
    a,
  }) => {
    const { first, last, contended, done, now } = await a.granted(a.id());
    equals([first, last, contended, done], [now, now + 999, false, false]);
    ok(/^\d{16}$/.test(String(first)));
    ok(Math.abs(now / MS - Date.now()) < 60_000);
  },

  'brackets each answer by the local clock': async ({ a }) => {
    const { sentAt, receivedAt } = await a.acquire(a.id());
    ok(receivedAt >= sentAt);
  },

  'answers a repeat with the same grant': async ({ a }) => {
    const id = a.id();
    const { first, last } = await a.granted(id);
    matches(await a.acquire(id), { outcome: 'granted', first, last });
    equals((await a.state()).state.holders.length, 1);
  },

  'lets the deadline of a repeat count from the repeat': async ({ a }) => {
    const id = a.id();
    await a.acquire(id);
    const { now } = await a.acquire(id, { ttl: 7_000 * MS });
    matches((await a.state()).state.holders, [{ deadline: now + 7_500 * MS }]);
  },

  'answers busy when it must not wait, and says who holds the lock and until when': async ({ a, b }) => {
    const { now } = await a.acquire(a.id(), { identity: 'shop-1:42 nightly report · ünï' });
    matches(await b.acquire(b.id(), { wait: 0 }), {
      outcome: 'busy',
      holder: 'shop-1:42 nightly report · ünï',
      due: now + 5_500 * MS,
    });
    equals((await b.state()).state.queue, []);
  },

  'queues once per attempt, first come first': async ({ a, b }) => {
    await a.acquire(a.id());
    const [x, y] = [b.id(), b.id()];
    matches(await b.acquire(x), {
      outcome: 'queued',
      place: 0,
      heard: true,
      holder: 'host:1',
    });
    matches(await b.acquire(y), { outcome: 'queued', place: 1 });
    matches(await b.acquire(x), { outcome: 'queued', place: 0 });
    equals(
      (await b.state()).state.queue.map(({ id }) => id),
      [x, y],
    );
  },

  'does not let anybody overtake the queue': async ({ a, b }) => {
    await a.read(a.id());
    await a.acquire(a.id());
    matches(await b.read(b.id(), { wait: 0 }), { outcome: 'busy' });
    matches(await b.read(b.id()), { outcome: 'queued', place: 1 });
  },

  'refuses another capacity while the lock is in use': async ({ a, b }) => {
    const id = a.id();
    await a.acquire(id, { units: 1, capacity: 3 });
    matches(await b.acquire(b.id()), { outcome: 'mismatch', capacity: 3 });
    await a.release(id);
    matches(await b.acquire(b.id()), { outcome: 'granted' });
  },

  'changes nothing when it is read late': async ({ a }) => {
    const { now } = await a.state();
    matches(await a.acquire(a.id(), { notAfter: now - 1 }), { outcome: 'late' });
    equals((await a.state()).state, emptyState());
  },

  'does not revive an attempt that was released': async ({ a }) => {
    const id = a.id();
    await a.acquire(id);
    await a.release(id);
    matches(await a.acquire(id), { outcome: 'gone' });
    equals((await a.state()).state.holders, []);
  },

  'grants exactly one of many who ask at once, and the others in the order of their places': async ({
    a,
    b,
    recorderOne,
    recorderTwo,
  }) => {
    const peers = Array.from({ length: 24 }, (_, at) => (at % 2 ? a : b)).map((peer) => ({
      peer,
      id: peer.id(),
      recorder: peer === a ? recorderOne : recorderTwo,
    }));
    const answers = await Promise.all(peers.map(({ peer, id }) => peer.acquire(id)));
    const placed = answers.map((answer, at) => ({ ...answer, at }));
    equals(placed.filter(({ outcome }) => outcome === 'granted').length, 1);
    const order = (await a.state()).state.queue.map(({ id }) => id);
    equals(order.length, 23);
    let holder = peers.find((_, at) => answers[at]?.outcome === 'granted');
    for (const id of order) {
      await holder?.peer.release(holder.id);
      holder = peers.find((each) => each.id === id);
      await holder?.recorder.notice('granted', id);
    }
  },
};
