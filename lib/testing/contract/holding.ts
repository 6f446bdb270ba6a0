import { ok } from 'node:assert/strict';
import { equals, matches } from './assertions.js';
import type { Cases } from './fixture.js';
import { MS } from './peer.js';

/** What ends by itself. */
export const expiryCases: Cases = {
  'frees the lock after ttl and guard, and the former holder has lost it': async ({ a, b }) => {
    const id = a.id();
    const { now, last } = await a.granted(id, { ttl: 100 * MS, guard: 50 * MS });
    matches(await b.acquire(b.id(), { wait: 0 }), { outcome: 'busy', due: now + 150 * MS });
    await b.past(now + 150 * MS);
    ok((await b.granted(b.id())).first > last);
    matches(await a.renew(id), { outcome: 'lost' });
    matches(await a.release(id), { outcome: 'gone' });
    equals((await b.state()).state.holders.length, 1);
  },

  'hands the lock on at the next operation of anybody': async ({ a, b, recorderTwo }) => {
    const [first, next] = [a.id(), b.id()];
    const { now } = await a.acquire(first, { ttl: 60 * MS, guard: 0 });
    await b.acquire(next);
    await a.past(now + 60 * MS);
    matches(await a.renew(first), { outcome: 'lost' });
    await recorderTwo.notice('granted', next);
  },

  'drops a waiter whose wait is over': async ({ a, b, recorderOne, recorderTwo }) => {
    const [holder, first, next] = [a.id(), a.id(), b.id()];
    await a.acquire(holder);
    const { now } = await a.acquire(first, { wait: 60 * MS });
    await b.acquire(next);
    await a.past(now + 60 * MS);
    await a.release(holder);
    await recorderTwo.notice('granted', next);
    ok(!recorderOne.of(first).includes('granted'));
  },
};

/** How a hold is kept. */
export const renewCases: Cases = {
  'moves the deadline, and the block ends at the last used fence plus its size, never lower': async ({
    a,
  }) => {
    const id = a.id();
    const { first } = await a.granted(id);
    const answer = await a.renew(id, { used: first + 7, ttl: 9_000 * MS });
    matches(answer, { outcome: 'renewed', last: first + 1_007, contended: false });
    matches((await a.state()).state.holders, [{ deadline: answer.now + 9_500 * MS }]);
    matches(await a.renew(id, { used: first + 7, block: 1 }), { last: first + 1_007 });
  },

  'takes nothing back of what was promised before': async ({ a, b }) => {
    const id = a.id();
    const { now } = await a.acquire(id);
    await a.renew(id, { ttl: 20 * MS, guard: 0 });
    await b.acquire(b.id());
    matches((await a.state()).state.holders, [{ deadline: now + 5_500 * MS }]);
  },

  'never creates a hold': async ({ a }) => {
    matches(await a.renew(a.id()), { outcome: 'lost' });
    equals((await a.state()).state.holders, []);
  },

  'says whether others wait': async ({ a, b }) => {
    const [id, other] = [a.id(), b.id()];
    await a.acquire(id);
    await b.acquire(other);
    matches(await a.renew(id), { contended: true });
    await b.release(other);
    matches(await a.renew(id), { contended: false });
  },

  'that is read late changes nothing': async ({ a }) => {
    const id = a.id();
    const { now } = await a.acquire(id);
    matches(await a.renew(id, { notAfter: now - 1 }), { outcome: 'late' });
    matches((await a.state()).state.holders, [{ deadline: now + 5_500 * MS }]);
  },
};

/** How a hold is given back, all of it or in part. */
export const releaseCases: Cases = {
  'answers a repeat the same, and a stranger gone': async ({ a, b }) => {
    const id = a.id();
    await a.acquire(id);
    matches(await b.release(b.id()), { outcome: 'gone' });
    matches(await a.release(id), { outcome: 'released' });
    matches(await a.release(id), { outcome: 'released' });
  },

  'leaves the queue, and lets those behind through': async ({ a, b, recorderTwo }) => {
    const [reader, writer, next] = [a.id(), a.id(), b.id()];
    await a.read(reader);
    await a.acquire(writer);
    await b.read(next);
    matches(await a.release(writer), { outcome: 'dequeued' });
    await recorderTwo.notice('granted', next);
    matches(await a.release(writer), { outcome: 'gone' });
  },

  'gives the unused rest of the block back': async ({ a, b }) => {
    const id = a.id();
    const { first } = await a.granted(id, { block: 5_000 * MS });
    await a.release(id, { used: first });
    const next = await b.granted(b.id());
    equals(next.first, Math.max(first + 1, next.now));
  },

  'gives the whole block back when nothing was used of it': async ({ a }) => {
    const id = a.id();
    const { first } = await a.granted(id, { block: 5_000 * MS });
    await a.release(id);
    equals((await a.state()).state.fence, first - 1);
  },

  'never makes a fence smaller than one that was used, whatever it is told': async ({ a, b }) => {
    const [x, y] = [a.id(), b.id()];
    const { first } = await a.granted(x);
    await a.release(x, { used: first });
    const { first: second } = await b.granted(y);
    await b.release(y, { used: 1 });
    equals((await b.state()).state.fence, second - 1);
  },

  'keeps the units for a minimum hold, and nothing revives the lease': async ({ a, b }) => {
    const [id, next] = [a.id(), b.id()];
    await a.acquire(id);
    const { outcome, now } = await a.release(id, { keep: 40 * MS });
    equals(outcome, 'released');
    matches(await b.acquire(next), { outcome: 'queued', due: now + 40 * MS });
    matches(await a.renew(id), { outcome: 'lost' });
    matches(await a.acquire(id), { outcome: 'gone' });
    matches(await a.release(id, { keep: 40 * MS }), { outcome: 'released' });
    await b.past(now + 40 * MS);
    matches(await b.acquire(next), { outcome: 'granted' });
  },

  'marks the name as done, and each grant says so until the mark ends': async ({ a, b, recorderTwo }) => {
    const [x, y, z] = [a.id(), b.id(), a.id()];
    await a.acquire(x);
    await b.acquire(y);
    const { now } = await a.release(x, { done: 60 * MS });
    matches(await recorderTwo.notice('granted', y), { done: true });
    await b.release(y);
    await a.past(now + 60 * MS);
    matches(await a.acquire(z), { outcome: 'granted', done: false });
  },

  'downgrade gives units back and lets readers in; it never takes any': async ({ a, b, recorderTwo }) => {
    const [writer, reader] = [a.id(), b.id()];
    const { first } = await a.granted(writer);
    await b.read(reader);
    matches(await a.downgrade(writer, first + 1), { outcome: 'downgraded' });
    const notice = await recorderTwo.notice('granted', reader);
    ok(notice.first > first + 1);
    matches((await a.state()).state.holders, [{ units: 1 }, { units: 1 }]);
    matches(await a.downgrade(writer, first + 1), { outcome: 'downgraded' });
    matches(await a.downgrade(a.id(), 0), { outcome: 'lost' });
  },

  'fences grow from grant to grant, whichever way a hold ends': async ({ a, b }) => {
    let before = 0;
    for (let round = 0; round < 40; round += 1) {
      const peer = round % 2 ? a : b;
      const id = peer.id();
      const more = round % 4 === 3 ? { ttl: 5 * MS, guard: 0 } : {};
      const { first, last, now } = await peer.granted(id, more);
      ok(first > before);
      before = round % 4 === 3 ? last : first;
      if (round % 4 === 3) await peer.past(now + 5 * MS);
      else await peer.release(id, { used: first });
    }
  },
};
