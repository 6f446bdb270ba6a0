import { ok } from 'node:assert/strict';
import type { LatchAnswer, LatchOperation } from '../../store/latch-machine.js';
import { equals, matches, rejectsWith } from './assertions.js';
import type { Cases } from './fixture.js';
import { MS, type Peer, TIMEOUT } from './peer.js';

const set = (count: number, round = '', ttl = 60_000 * MS): LatchOperation => ({
  kind: 'set',
  round,
  count,
  ttl,
});
const down = (id: string, round = ''): LatchOperation => ({ kind: 'down', round, id });
const watch = (id: string, round = ''): LatchOperation => ({ kind: 'watch', round, id });
const read = (round = ''): LatchOperation => ({ kind: 'read', round });

const ask = ({ store, name }: Peer, operation: LatchOperation): Promise<LatchAnswer> =>
  store.latch(name, operation, TIMEOUT);

/** What a store does with countdown latches. */
export const latchCases: Cases = {
  'is set once, and forgotten at the end of its ttl': async ({ a, b }) => {
    matches(await ask(a, read()), { outcome: 'missing', count: 0 });
    const { now, until, ...told } = await ask(a, set(2, '', 250 * MS));
    matches({ ...told, until: until - now }, { outcome: 'set', count: 2, round: '', until: 250 * MS });
    matches(await ask(b, set(5)), { outcome: 'exists', count: 2, until });
    await pastLatch(b, until);
    matches(await ask(a, read()), { outcome: 'missing', count: 0 });
    matches(await ask(a, set(3)), { outcome: 'set', count: 3 });
  },

  'counts each id once, from whichever session, and stays open': async ({ a, b }) => {
    const [x, y] = [a.id(), b.id()];
    await ask(a, set(2));
    matches(await ask(a, down(x)), { outcome: 'counting', count: 1 });
    matches(await ask(a, down(x)), { outcome: 'counting', count: 1 });
    matches(await ask(b, down(y)), { outcome: 'open', count: 0 });
    matches(await ask(b, down(b.id())), { outcome: 'open', count: 0 });
    matches(await ask(a, read()), { outcome: 'open', count: 0 });
  },

  'tells those who watch it that it has opened, and nobody else': async ({
    a,
    b,
    recorderOne,
    recorderTwo,
  }) => {
    const [watcher, gone] = [b.id(), a.id()];
    await ask(a, set(1));
    matches(await ask(b, watch(watcher)), { outcome: 'counting', count: 1 });
    await ask(a, watch(gone));
    await ask(a, { kind: 'unwatch', round: '', id: gone });
    await ask(a, down(a.id()));
    matches(await recorderTwo.notice('opened', watcher), { name: b.name });
    equals(recorderOne.of(gone), []);
    equals(recorderOne.of(watcher), []);
  },

  'takes watchers before it is set': async ({ a, b, recorderTwo }) => {
    const watcher = b.id();
    matches(await ask(b, watch(watcher)), { outcome: 'missing' });
    await ask(a, set(1));
    await ask(a, down(a.id()));
    await recorderTwo.notice('opened', watcher);
  },

  'has one round at a time, and a round that was replaced never comes back': async ({ a, b }) => {
    matches(await ask(a, set(1, 'first')), { outcome: 'set', round: 'first' });
    await ask(a, down(a.id(), 'first'));
    matches(await ask(b, read('second')), { outcome: 'missing', round: 'first' });
    matches(await ask(b, set(1, 'second')), { outcome: 'set', round: 'second', count: 1 });
    matches(await ask(a, read('first')), { outcome: 'open', round: 'second' });
    matches(await ask(a, down(a.id(), 'first')), { outcome: 'over', round: 'second' });
    matches(await ask(a, set(1, 'first')), { outcome: 'over', round: 'second' });
    matches(await ask(a, read()), { outcome: 'counting', count: 1, round: 'second' });
  },

  'wakes those who watch a round when another one begins': async ({ a, b, recorderTwo }) => {
    const watcher = b.id();
    await ask(a, set(1, 'first'));
    await ask(b, watch(watcher, 'first'));
    await ask(a, set(1, 'second'));
    await recorderTwo.notice('opened', watcher);
    matches(await ask(b, watch(watcher, 'first')), { outcome: 'over' });
  },

  'shares no name with a lock: each refuses what the other one has': async ({ a, b }) => {
    const lock = b.on(`${b.name}:lock`);
    await ask(a, set(1));
    await lock.acquire(lock.id());
    for (const refused of [b.acquire(b.id()), b.state(), ask(lock, set(1)), ask(lock, read())])
      matches(await rejectsWith(refused, 'LOCK_STORE'), { foreign: true, refused: true });
    matches(await ask(a, read()), { outcome: 'counting', count: 1 });
    equals((await lock.state()).state.holders.length, 1);
  },
};

/** Waits until the server's clock has passed a point of time. */
async function pastLatch(peer: Peer, time: number): Promise<void> {
  for (;;) {
    const { now } = await ask(peer, read());
    if (now > time) return;
    ok(time - now < 1_000 * MS);
    await new Promise((resolve) => setTimeout(resolve, Math.ceil((time - now) / MS)));
  }
}
