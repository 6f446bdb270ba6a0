import { ok } from 'node:assert/strict';
import { WHOLE } from '../../store/lock-machine.js';
import { equals, matches } from './assertions.js';
import type { Cases } from './fixture.js';
import { MS } from './peer.js';

export const takeOverCases: Cases = {
  'lets a hold go on under the id of another session, with a larger fence and its full ttl': async ({
    a,
    b,
  }) => {
    const [x, y] = [a.id(), b.id()];
    const { last } = await a.granted(x);
    const answer = await b.takeOver(x, y, { used: last, ttl: 7_000 * MS });
    matches(answer, { outcome: 'granted', contended: false, done: false });
    const { first } = answer as { first: number };
    ok(first > last);
    matches(await b.takeOver(x, y), { outcome: 'granted', first });
    matches((await a.state()).state.holders, [{ id: y, identity: 'host:2', units: WHOLE }]);
    matches(await a.renew(x), { outcome: 'lost' });
    matches(await a.acquire(x), { outcome: 'gone' });
    matches(await b.renew(y), { outcome: 'renewed' });
    matches(await b.release(y), { outcome: 'released' });
  },

  'is refused to a second id, and for a hold that has ended or was revoked': async ({ a, b }) => {
    const [x, y, z] = [a.id(), b.id(), b.id()];
    matches(await b.takeOver(x, y), { outcome: 'lost' });
    await a.acquire(x);
    await b.takeOver(x, y);
    matches(await b.takeOver(x, z), { outcome: 'lost' });
    await a.revoke(false, 'stop');
    matches(await b.takeOver(y, z), { outcome: 'revoked', reason: 'stop' });
    await a.revoke(true, 'now');
    matches(await b.takeOver(y, z), { outcome: 'revoked', reason: 'now' });
    equals((await a.state()).state.holders, []);
  },

  'changes nothing when the server reads it too late': async ({ a, b }) => {
    const x = a.id();
    const { now } = await a.granted(x);
    matches(await b.takeOver(x, b.id(), { notAfter: now - 1 }), { outcome: 'late' });
    matches((await a.state()).state.holders, [{ id: x }]);
  },

  'keeps the places of those who wait, and tells the new holder of them': async ({
    a,
    b,
    recorderOne,
    recorderTwo,
  }) => {
    const [x, y, w] = [a.id(), b.id(), a.id()];
    await a.acquire(x);
    await b.takeOver(x, y);
    await a.acquire(w);
    await recorderTwo.notice('contended', y);
    const z = a.id();
    matches(await a.takeOver(y, z), { outcome: 'granted', contended: true });
    matches((await a.state()).state.queue, [{ id: w }]);
    await a.release(z);
    await recorderOne.notice('granted', w);
  },

  'serves units of a semaphore as well': async ({ a, b }) => {
    const [x, y] = [a.id(), b.id()];
    await a.acquire(x, { units: 2, capacity: 3 });
    await a.acquire(a.id(), { units: 1, capacity: 3 });
    matches(await b.takeOver(x, y), { outcome: 'granted' });
    matches((await a.state()).state.holders, [{ units: 1 }, { id: y, units: 2 }]);
  },
};

export const noteCases: Cases = {
  'is told with grants, by answers and by notices, until it is taken back': async ({ a, b, recorderTwo }) => {
    const [x, y, z] = [a.id(), b.id(), a.id()];
    await a.acquire(x);
    matches(await a.note(x, 'row 7, “ü” #@%', 1), { outcome: 'noted' });
    await b.acquire(y);
    await a.release(x);
    matches(await recorderTwo.notice('granted', y), { note: 'row 7, “ü” #@%', seal: `seal-of-${y}` });
    matches(await b.acquire(y), { outcome: 'granted', note: 'row 7, “ü” #@%' });
    await b.note(y, 'two', 2);
    await b.note(y, 'one', 1);
    equals((await a.state()).state.note, { by: y, turn: 2, text: 'two' });
    await b.note(y, '', 3);
    await b.release(y);
    ok(!('note' in (await a.granted(z))));
    equals((await a.state()).state.note, undefined);
  },

  'is left by a holder alone': async ({ a, b }) => {
    const x = a.id();
    matches(await a.note(x, 'early'), { outcome: 'lost' });
    await a.acquire(x);
    matches(await b.note(b.id(), 'stranger'), { outcome: 'lost' });
    await a.revoke(false, 'stop');
    matches(await a.note(x, 'late'), { outcome: 'revoked', reason: 'stop' });
    equals((await a.state()).state.note, undefined);
  },
};
