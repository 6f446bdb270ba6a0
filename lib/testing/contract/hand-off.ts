import { ok } from 'node:assert/strict';
import { equals, matches } from './assertions.js';
import type { Cases } from './fixture.js';
import { MS, Peer, TIMEOUT } from './peer.js';

/** How a lock goes from one holder to the next. */
export const handOffCases: Cases = {
  'goes to the head of the queue by a notice, with the deadline of its claim': async ({
    a,
    b,
    recorderTwo,
  }) => {
    const [holder, next] = [a.id(), b.id()];
    const { first } = await a.granted(holder);
    await b.acquire(next);
    const { now } = await a.release(holder, { used: first + 2 });
    const notice = await recorderTwo.notice('granted', next);
    matches(notice, { name: a.name, span: 2_000 * MS, until: now + 2_000 * MS });
    matches(notice, { first: now, last: now + 999, contended: false, done: false });
    matches((await b.state()).state.holders, [
      { id: next, deadline: now + 2_500 * MS, first: now, last: now + 999 },
    ]);
  },

  'is confirmed by a renewal': async ({ a, b, recorderTwo }) => {
    const [holder, next] = [a.id(), b.id()];
    await a.acquire(holder);
    await b.acquire(next);
    await a.release(holder);
    const { first } = await recorderTwo.notice('granted', next);
    const { outcome, now } = await b.renew(next, { used: first + 5 });
    equals(outcome, 'renewed');
    matches((await b.state()).state.holders, [{ deadline: now + 5_500 * MS, last: first + 5 + 1_000 }]);
  },

  'goes on to the next when a claim is not confirmed': async ({ a, b, recorderOne }) => {
    const [holder, silent, next] = [a.id(), a.id(), b.id()];
    await a.acquire(holder);
    await a.acquire(silent, { ttl: 30 * MS, guard: 5 * MS });
    await b.acquire(next);
    await a.release(holder);
    const { until, last } = await recorderOne.notice('granted', silent);
    await b.past(until + 5 * MS);
    const answer = await b.granted(next);
    ok(answer.first > last);
    matches(await a.renew(silent), { outcome: 'lost' });
  },

  'reaches a waiter that does not listen when it asks, for its full ttl': async ({ a, b, recorderTwo }) => {
    const [holder, next] = [a.id(), b.id()];
    await a.acquire(holder);
    await b.acquire(next, { subscribed: false });
    const released = await a.release(holder);
    matches((await b.state()).state.holders, [{ id: next, deadline: released.now + 2_500 * MS }]);
    const { now } = await b.granted(next, { subscribed: false });
    matches((await b.state()).state.holders, [{ deadline: now + 5_500 * MS }]);
    equals(recorderTwo.of(next), []);
  },

  'goes without a notice to a waiter whose session nobody listens to, whatever it claimed': async ({
    a,
    open,
    countable,
  }) => {
    const store = await open(60_000);
    const peer = new Peer(store, a.name);
    await store.ready(TIMEOUT);
    const [holder, deaf] = [a.id(), peer.id()];
    await a.acquire(holder);
    matches(await peer.acquire(deaf), { outcome: 'queued', heard: !countable });
    await a.release(holder);
    matches(await peer.acquire(deaf), { outcome: 'granted' });
    await store.close();
  },

  'lets as many in as fit, in order': async ({ a, b, recorderOne, recorderTwo }) => {
    const [writer, r1, r2, w2, r3] = [a.id(), b.id(), a.id(), b.id(), a.id()];
    await a.acquire(writer);
    await b.read(r1);
    await a.read(r2);
    await b.acquire(w2);
    await a.read(r3);
    await a.release(writer);
    const [n1, n2] = [await recorderTwo.notice('granted', r1), await recorderOne.notice('granted', r2)];
    equals([n1.last, n2.first, n2.contended], [n1.first, n1.first + 1, true]);
    const { state } = await a.state();
    equals(
      state.holders.map(({ id }) => id),
      [r1, r2],
    );
    equals(
      state.queue.map(({ id }) => id),
      [w2, r3],
    );
  },

  'counts weights against the capacity': async ({ a, b, recorderTwo }) => {
    const [x, y, z] = [a.id(), a.id(), b.id()];
    const semaphore = { capacity: 3 };
    await a.acquire(x, { ...semaphore, units: 2 });
    await a.acquire(y, { ...semaphore, units: 1 });
    matches(await b.acquire(z, { ...semaphore, units: 2 }), { outcome: 'queued' });
    await a.release(y);
    equals((await b.state()).state.holders.length, 1);
    await a.release(x);
    await recorderTwo.notice('granted', z);
  },
};

const NAMES = {
  spaces: 'a b  c',
  'other letters': 'ünï·código:7',
  'a pattern': '*?[x]{y}',
  'quotes and escapes': 'it\'s %s \\ "quoted"\n',
  '512 bytes': 'n'.repeat(512),
};

/** A case for each kind of name: notices carry it as the user wrote it. */
const carriedNames = Object.fromEntries(
  Object.entries(NAMES).map(([what, text]): [string, Cases[string]] => [
    `carry the name as the user wrote it, with ${what}`,
    async ({ a, b, recorderTwo }) => {
      const name = `${text}${a.name}`.slice(-512);
      const [first, second] = [a.on(name), b.on(name)];
      const [holder, next] = [first.id(), second.id()];
      await first.acquire(holder);
      await second.acquire(next);
      await first.release(holder);
      matches(await recorderTwo.notice('granted', next), { name: first.name });
    },
  ]),
);

/** What a store tells sessions without being asked. */
export const noticeCases: Cases = {
  'tell an exclusive holder once that somebody waits': async ({ a, b, recorderOne }) => {
    const holder = a.id();
    await a.acquire(holder);
    await b.acquire(b.id());
    matches(await recorderOne.notice('contended', holder), { name: a.name });
    await b.acquire(b.id());
    matches(await a.acquire(holder), { contended: true });
    await b.acquire(b.id());
    equals(recorderOne.of(holder), ['contended']);
  },

  'echo the sign of life of a waiter that listens': async ({ a, b, recorderTwo }) => {
    const id = b.id();
    await a.acquire(a.id());
    await b.acquire(id);
    matches(await b.acquire(id), { outcome: 'queued', heard: true });
    matches(await recorderTwo.notice('echo', id), { name: b.name });
  },

  ...carriedNames,
};
