import { ok } from 'node:assert/strict';
import { serverTimeAtLeast } from '../../store/server-clock.js';
import { equals, rejectsWith } from './assertions.js';
import type { Cases } from './fixture.js';
import { NoticeRecorder } from './notice-recorder.js';
import { Peer, TIMEOUT } from './peer.js';

/** The presence of one process at a store. */
export const sessionCases: Cases = {
  'knows the server’s clock from below by a sample': async ({ a, one }) => {
    const sample = await one.measure(a.name, TIMEOUT);
    ok(sample.receivedAt >= sample.sentAt);
    const { now, sentAt } = await a.acquire(a.id());
    ok(serverTimeAtLeast(sample, sentAt) <= now);
    ok(one.sample(a.name) !== undefined);
  },

  'wakes its waiters when it can hear': async ({ open, hears }) => {
    const store = await open(60_000);
    const recorder = new NoticeRecorder(store);
    await store.ready(TIMEOUT);
    equals(store.subscribed, false);
    recorder.wakes = 0;
    store.subscribe();
    await hears(store);
    await recorder.woken();
    store.subscribe();
    await store.close();
  },

  'that is closed hears and does nothing any more, and the others go on': async ({
    a,
    b,
    recorderTwo,
    open,
    countable,
    hears,
  }) => {
    const store = await open(60_000);
    const peer = new Peer(store, a.name);
    const recorder = new NoticeRecorder(store);
    await store.ready(TIMEOUT);
    store.subscribe();
    await hears(store);
    const [holder, waiter, next] = [a.id(), peer.id(), b.id()];
    await a.acquire(holder);
    await peer.acquire(waiter);
    await b.acquire(next);
    await store.close();
    equals(store.subscribed, false);
    await rejectsWith(peer.acquire(peer.id()), 'LOCK_STORE');
    await rejectsWith(peer.state(), 'LOCK_STORE');
    await rejectsWith(store.ready(50), 'LOCK_STORE');
    await new Promise((resolve) => setTimeout(resolve, 50)); // until the server knows, too
    await a.release(holder);
    if (!countable) await b.past((await b.state()).state.holders[0]!.deadline); // the claim of the closed one
    if (!countable) await b.acquire(next);
    else await recorderTwo.notice('granted', next);
    ok(!recorder.of(waiter).includes('granted'));
    await store.close(); // a second time does nothing
    store.subscribe();
    equals(store.subscribed, false);
  },

  'hears nothing that is for another session': async ({ a, b, recorderOne, recorderTwo }) => {
    const [holder, next] = [a.id(), b.id()];
    await a.acquire(holder);
    await b.acquire(next);
    await a.release(holder);
    await recorderTwo.notice('granted', next);
    equals(recorderOne.of(next), []);
  },
};
