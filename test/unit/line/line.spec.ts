import type { LockBusyError, LockError } from '../../../lib/base/errors.js';
import { Caller } from '../../../lib/line/caller.js';
import type { LineLease } from '../../../lib/line/line-lease.js';
import { Line } from '../../../lib/line/line.js';
import { Lines } from '../../../lib/line/lines.js';
import type { Request, Terms } from '../../../lib/line/request.js';
import { WHOLE } from '../../../lib/store/lock-machine.js';
import { MemoryServer } from '../../../lib/store/memory/memory-server.js';
import { MemoryStore } from '../../../lib/store/memory/memory-store.js';
import { newSession } from '../../../lib/store/session-id.js';
import { Peer } from '../../../lib/testing/contract/peer.js';
import { HandClock } from '../../support/hand-clock.js';
import { HandStore, turned } from '../../support/hand-store.js';

const TTL = 3_000;

/** What a caller of the line was told. */
interface Told {
  lease?: LineLease;
  error?: LockError;
}

describe('a line', () => {
  let clock: HandClock, server: MemoryServer, store: HandStore, rival: Peer, line: Line;
  let lost: string[], idle: number;
  beforeEach(() => {
    clock = new HandClock();
    server = new MemoryServer(clock);
    store = new HandStore(server, clock);
    store.held = () => false;
    rival = new Peer(new MemoryStore(server, newSession(), clock), 'name');
    [lost, idle] = [[], 0];
    const { setup } = new Lines(store.store, clock, () => 0);
    line = new Line('name', {
      ...setup,
      onIdle: () => (idle += 1),
      onLost: (lease, reason) => lost.push(`${lease.identity}: ${reason}`),
    });
  });

  /** A caller comes. */
  const come = (more: Partial<Request> = {}, terms: Partial<Terms> = {}): Told => {
    const mutex = { units: WHOLE, capacity: WHOLE, ttl: TTL, guard: 300, once: false, identity: 'host:1' };
    const patience = { wait: 60_000, renews: true, maxHold: Infinity, maxWaiters: Infinity };
    const request = { name: 'name', terms: { ...mutex, ...terms }, signal: undefined, ...patience, ...more };
    const told: Told = {};
    line.admit(
      new Caller(
        request,
        clock,
        { leaseOn: (lease) => lease },
        (lease) => void (told.lease = lease),
        (error) => void (told.error = error),
      ),
    );
    return told;
  };
  /** A caller comes who holds the lock at once. */
  const holding = async (): Promise<Told & { lease: LineLease }> => {
    const told = come();
    await turned();
    return told as Told & { lease: LineLease };
  };
  const holders = (): string[] => server.read('name').state.holders.map(({ id }) => id);
  const ids = (): Set<string> => new Set(store.of('acquire').map(({ operation }) => operation.id));
  /** Answers what is under way with commands of a kind, in the way of the test, until nothing is. */
  const hold = (...kinds: string[]): void => void (store.held = ({ kind }) => kinds.includes(kind));

  describe('inside the process', () => {
    it('serves its callers in their order, with the lock taken once and fences that grow', async () => {
      const callers = [come(), come(), come()];
      await turned();
      const fences: number[] = [];
      for (const [place, { lease }] of callers.entries()) {
        expect(callers.map((each) => each.lease !== undefined)).toEqual([true, place > 0, place > 1]);
        fences.push(lease!.fence);
        await lease!.release();
      }
      expect(store.kinds).toEqual(['acquire', 'release']);
      expect(fences).toEqual([fences[0], fences[0]! + 1, fences[0]! + 2]);
      expect(holders()).toEqual([]);
      expect(idle).toBeGreaterThan(0);
    });

    it('hands on without end when nobody else waits', async () => {
      let { lease } = await holding();
      for (let times = 0; times < 200; times += 1) {
        const next = come();
        void lease.release();
        lease = next.lease!;
        clock.pass(1);
      }
      expect(ids().size).toBe(1);
    });

    it('hands on for ten milliseconds when others wait, and then lets them have their turn', async () => {
      const first = await holding();
      const { id } = first.lease.hold;
      const other = rival.id();
      await rival.acquire(other);
      expect(line.notice(store.notice('contended'))).toBe(true);
      const callers = Array.from({ length: 20 }, () => come());
      void first.lease.release();
      let handOffs = 0;
      for (const { lease } of callers) {
        if (lease?.hold.id !== id) break;
        handOffs += 1;
        clock.pass(1);
        void lease.release();
      }
      expect(handOffs).toBe(10);
      await turned();
      expect(holders()).toEqual([other]);
      expect(server.read('name').state.queue).toHaveLength(1); // one place for all who are left
      await rival.release(other);
      line.notice(store.notice('granted'));
      expect(callers[10]?.lease).toBeDefined();
    });

    it('hands on 64 times when others wait, however little time that takes', async () => {
      const first = await holding();
      const { id } = first.lease.hold;
      const other = rival.id();
      await rival.acquire(other);
      line.notice(store.notice('contended'));
      const callers = Array.from({ length: 100 }, () => come());
      void first.lease.release();
      let handOffs = 0;
      for (const { lease } of callers) {
        if (lease?.hold.id !== id) break;
        handOffs += 1;
        void lease.release();
      }
      expect(handOffs).toBe(64);
      await turned();
      expect(holders()).toEqual([other]);
    });

    it('counts hand-offs anew with every grant', async () => {
      for (let round = 0; round < 2; round += 1) {
        const { lease } = await holding();
        const callers = Array.from({ length: 65 }, () => come());
        lease.hold.contended = true;
        void lease.release();
        for (const each of callers.slice(0, 64)) {
          expect(each.lease?.hold).toBe(lease.hold);
          void each.lease?.release();
        }
        await turned();
        expect(callers[64]?.lease?.hold).not.toBe(lease.hold);
        void callers[64]?.lease?.release();
        await turned();
      }
    });

    it('lets the event loop turn before a hand-off, once a millisecond', async () => {
      clock.still = true;
      const { lease } = await holding();
      const [second, third, fourth] = [come(), come(), come()];
      void lease.release();
      expect(second.lease).toBeUndefined();
      clock.turn();
      expect(second.lease).toBeDefined();
      void second.lease!.release();
      expect(third.lease).toBeDefined(); // it has just turned
      clock.pass(1);
      void third.lease!.release();
      expect(fourth.lease).toBeUndefined();
      clock.turn();
      expect(fourth.lease).toBeDefined();
    });

    it('gives a lease with a minimum hold, or whose work is done, back to the store though others stand in line', async () => {
      for (const [keep, done] of [
        [100, 0],
        [0, 100],
      ] as const) {
        const { lease } = await holding();
        const next = come();
        void lease.release(keep, done);
        expect(store.of('release').at(-1)?.operation).toMatchObject({
          keep: keep * 1_000,
          done: done * 1_000,
        });
        expect(next.lease).toBeUndefined();
        clock.pass(200);
        await turned();
        clock.pass(200);
        await turned();
        void next.lease!.release();
        await turned();
      }
    });

    it('does not hand on what may end before the next caller has done much', async () => {
      const { lease } = await holding();
      const next = come();
      clock.jump(2_000);
      void lease.release();
      await turned();
      expect(ids().size).toBe(2);
      expect(next.lease?.hold).not.toBe(lease.hold);
      expect(next.lease).toBeDefined();
    });
  });

  describe('whose hold is between two callers', () => {
    it('hears that others wait', async () => {
      clock.still = true;
      const { lease } = await holding();
      come();
      void lease.release();
      expect(line.notice({ kind: 'contended', id: lease.hold.id })).toBe(true);
      expect(lease.hold.contended).toBe(true);
    });

    it('gives it to the one behind when the next one leaves', async () => {
      clock.still = true;
      const { lease } = await holding();
      const leaves = new AbortController();
      const [next, behind] = [come({ signal: leaves.signal }), come()];
      void lease.release();
      leaves.abort();
      clock.turn();
      expect(next.error).toMatchObject({ code: 'LOCK_BUSY', reason: 'aborted' });
      expect(behind.lease?.hold).toBe(lease.hold);
    });

    it('gives it back to the store when nobody is left', async () => {
      clock.still = true;
      const { lease } = await holding();
      const leaves = new AbortController();
      come({ signal: leaves.signal });
      void lease.release();
      leaves.abort();
      expect(store.kinds).toEqual(['acquire']);
      clock.turn();
      await turned();
      expect(store.kinds).toEqual(['acquire', 'release']);
      expect(holders()).toEqual([]);
    });

    it('gives it back when the process closes meanwhile, once', async () => {
      clock.still = true;
      const { lease } = await holding();
      const next = come();
      void lease.release();
      line.sendAway();
      line.closeLeases();
      await turned();
      expect(holders()).toEqual([]);
      clock.turn();
      await turned();
      expect(store.of('release')).toHaveLength(1);
      expect(next.error).toMatchObject({ reason: 'closed' });
      expect(idle).toBeGreaterThan(0);
    });

    it('gives it back when it has ended meanwhile, and asks the store again', async () => {
      clock.still = true;
      const { lease } = await holding();
      const next = come();
      void lease.release();
      clock.jump(TTL);
      clock.turn();
      expect(next.lease).toBeUndefined();
      await turned();
      expect(next.lease?.hold.id).not.toBe(lease.hold.id);
      expect(next.lease).toBeDefined();
    });
  });

  describe('whose caller gives up', () => {
    it('while the grant is on its way gives that back', async () => {
      hold('acquire');
      const leaves = new AbortController();
      const caller = come({ signal: leaves.signal });
      store.last.read();
      leaves.abort();
      expect(caller.error).toMatchObject({ code: 'LOCK_BUSY', reason: 'aborted' });
      await store.of('acquire')[0]!.answer();
      expect(caller.lease).toBeUndefined();
      expect(holders()).toEqual([]);
    });

    it('while a pushed grant is on its way gives that to the caller behind, who took the place', async () => {
      const other = rival.id();
      await rival.granted(other);
      const leaves = new AbortController();
      const [first, second] = [come({ signal: leaves.signal }), come()];
      await turned();
      await rival.release(other);
      leaves.abort();
      expect(ids().size).toBe(1);
      line.notice(store.notice('granted'));
      expect(first.lease).toBeUndefined();
      expect(second.lease).toBeDefined();
      expect(holders()).toEqual([...ids()]);
    });

    it('leaves nothing in the queue of the store when it was the last', async () => {
      await rival.granted(rival.id());
      const leaves = new AbortController();
      come({ signal: leaves.signal });
      await turned();
      expect(server.read('name').state.queue).toHaveLength(1);
      leaves.abort();
      await turned();
      expect(server.read('name').state.queue).toEqual([]);
      expect(idle).toBeGreaterThan(0);
    });
  });

  describe('that is told a thing twice', () => {
    it('grants a doubled grant once', async () => {
      const other = rival.id();
      await rival.granted(other);
      const [first, second] = [come(), come()];
      await turned();
      await rival.release(other);
      const granted = store.notice('granted');
      for (let times = 0; times < 3; times += 1) expect(line.notice(granted)).toBe(true);
      expect(first.lease).toBeDefined();
      expect(second.lease).toBeUndefined();
      void first.lease!.release();
      expect(second.lease?.fence).toBe(first.lease!.fence + 1);
    });

    it('does not know a grant for what is over', async () => {
      const other = rival.id();
      await rival.granted(other);
      const caller = come();
      await turned();
      await rival.release(other);
      const granted = store.notice('granted');
      line.notice(granted);
      void caller.lease!.release();
      await turned();
      expect(line.notice(granted)).toBe(false);
      expect(holders()).toEqual([]);
    });
  });

  describe('whose attempt fails', () => {
    it('tries with a new id when one is spent, and its caller does not notice', async () => {
      hold('acquire');
      const caller = come();
      await store.last.answer({ outcome: 'gone' });
      expect(caller.error).toBeUndefined();
      expect(ids().size).toBe(2);
      await store.of('acquire')[1]!.answer();
      expect(caller.lease).toBeDefined();
    });

    it('tells the caller who came first, and asks for the next', async () => {
      hold('acquire');
      const [first, second] = [come(), come()];
      await store.last.refuse();
      expect(first.error).toMatchObject({ code: 'LOCK_STORE', refused: true });
      expect(second.error).toBeUndefined();
      await store.last.answer();
      expect(second.lease).toBeDefined();
    });

    it('tells the caller who asks once who has the lock', async () => {
      await rival.granted(rival.id(), { identity: 'other:7 night' });
      const { error } = await comeOnce();
      expect(error).toMatchObject({
        code: 'LOCK_BUSY',
        reason: 'held',
        holder: { host: 'other', pid: 7, label: 'night' },
        retryAfter: 5_500,
      });
    });

    it('tells the caller who asks once without the store when its own process has the lock', async () => {
      await holding();
      const { error } = await comeOnce();
      expect(error).toMatchObject({ code: 'LOCK_BUSY', reason: 'held', holder: { host: 'host', pid: 1 } });
      expect(store.of('acquire')).toHaveLength(1);
    });

    it('says that the store does not answer, not that the lock is busy', async () => {
      hold('acquire');
      const { error } = await comeFor(100);
      expect(error).toMatchObject({ code: 'LOCK_STORE' });
      expect(error?.message).toContain('did not answer within 100 ms');
    });

    it('says so to the caller who asks once, and not to one who waits', async () => {
      hold('acquire');
      const patient = come({}, { units: 1 });
      const once = come({ wait: 0 }, { units: 1, once: true });
      await turned();
      await store.of('acquire')[1]!.lose();
      expect(once.error).toMatchObject({ code: 'LOCK_STORE' });
      expect(patient.error).toBeUndefined();
      await store.of('acquire')[0]!.answer();
      expect(patient.lease).toBeDefined();
    });

    it('says who has the lock when the wait is over', async () => {
      await rival.granted(rival.id(), { identity: 'other:7' });
      const { error } = await comeFor(100);
      expect(error).toMatchObject({ code: 'LOCK_BUSY', reason: 'timeout', waited: 100 });
      expect((error as LockBusyError).holder).toEqual({ host: 'other', pid: 7 });
    });

    it('refuses a caller for whom the line is too long', async () => {
      await holding();
      const [second, third] = [come({ maxWaiters: 1 }), come({ maxWaiters: 1 })];
      expect(second.error).toBeUndefined();
      expect(third.error).toMatchObject({ code: 'LOCK_BUSY', reason: 'full' });
    });

    const comeOnce = async (): Promise<Told> => {
      const told = come({ wait: 0 }, { once: true });
      await turned();
      return told;
    };
    const comeFor = async (wait: number): Promise<Told> => {
      const told = come({ wait });
      await turned();
      clock.pass(wait);
      return told;
    };
  });

  describe('that loses its hold', () => {
    it('because no renewal is answered gives it back, and asks again for the next caller', async () => {
      const { lease } = await holding();
      const next = come();
      hold('renew');
      while (lost.length === 0 && clock.now() < 10_000) {
        expect(next.lease).toBeUndefined();
        clock.pass(5);
        for (const renewal of store.of('renew')) await renewal.lose();
      }
      expect(lost).toEqual(['host:1: expired']);
      expect(clock.now() - lease.since).toBeLessThan(TTL);
      await turned();
      expect(next.lease?.hold).not.toBe(lease.hold);
      expect(next.lease?.fence).toBeGreaterThan(lease.fence);
      expect(await lease.release()).toBe('expired');
      expect(holders()).toEqual([next.lease?.hold.id]);
    });

    it('to an operator keeps it taken until the work has ended', async () => {
      const { lease } = await holding();
      const next = come();
      await rival.revoke();
      line.notice(store.notice('revoked'));
      await turned();
      expect(lost).toEqual(['host:1: revoked']);
      expect(store.of('release')).toEqual([]);
      expect(next.lease).toBeUndefined();
      expect(await lease.release()).toBe('expired');
      line.notice(store.notice('granted'));
      expect(next.lease).toBeDefined();
    });

    it('to somebody else says so, and waits behind that one', async () => {
      const { lease } = await holding();
      const next = come();
      await rival.revoke(true);
      const other = rival.id();
      await rival.granted(other);
      await lease.hold.renewNow();
      expect(lost).toEqual(['host:1: revoked']);
      await turned();
      expect(next.lease).toBeUndefined();
      await rival.release(other);
      line.notice(store.notice('granted'));
      expect(next.lease?.fence).toBeGreaterThan(lease.fence);
    });

    it('says so at a release that comes too late, before any timer', async () => {
      const { lease } = await holding();
      clock.jump(TTL);
      const released = lease.release();
      expect(lost).toEqual(['host:1: expired']);
      expect(await released).toBe('expired');
    });
  });

  describe('whose release has no answer', () => {
    it('asks for the next caller at once, with a new id, and releases until that is answered', async () => {
      hold('release');
      const { lease } = await holding();
      void lease.release();
      const next = come();
      await turned();
      expect(ids().size).toBe(2);
      expect(next.lease).toBeUndefined();
      await store.of('release')[0]!.lose();
      clock.pass(50);
      expect(store.of('release').map(({ operation }) => operation.id)).toEqual(
        [0, 0].map(() => lease.hold.id),
      );
      await store.of('release')[1]!.answer();
      line.notice(store.notice('granted'));
      expect(next.lease).toBeDefined();
    });

    it('has the lock though both were read and neither was answered', async () => {
      hold('release');
      const { lease } = await holding();
      void lease.release();
      await store.last.read().lose();
      const next = come();
      await turned();
      expect(next.lease).toBeDefined();
      clock.pass(50);
      await store.last.answer(); // the repeat does not touch the next hold
      expect(holders()).toEqual([next.lease?.hold.id]);
    });
  });

  describe('whose connection is back', () => {
    it('asks whether others wait, if callers stand in line', async () => {
      await holding();
      line.wake();
      expect(store.of('renew')).toEqual([]);
      come();
      line.wake();
      expect(store.of('renew')).toHaveLength(1);
    });

    it('asks again for those in the queue, with a new seal', async () => {
      await rival.granted(rival.id());
      come();
      await turned();
      line.wake();
      const asked = store.of('acquire').map(({ operation }) => operation);
      expect(asked).toHaveLength(2);
      expect(ids().size).toBe(1);
      expect(asked[0]?.seal).not.toBe(asked[1]?.seal);
    });
  });

  describe('of readers', () => {
    it('asks for sixteen at a time, and for the others as those are served', async () => {
      const other = rival.id();
      await rival.granted(other);
      const readers = Array.from({ length: 20 }, () => come({}, { units: 1 }));
      await turned();
      expect(ids().size).toBe(16);
      await rival.release(other);
      for (const notice of store.pushed.filter(({ kind }) => kind === 'granted')) line.notice(notice);
      await turned();
      expect(readers.filter(({ lease }) => lease)).toHaveLength(20);
      expect(holders()).toHaveLength(20);
    });

    it('lets the writer behind them wait for the last of them', async () => {
      const readers = [come({}, { units: 1 }), come({}, { units: 1 })];
      await turned();
      const writer = come();
      await turned();
      void readers[0]!.lease!.release();
      await turned();
      expect(writer.lease).toBeUndefined();
      void readers[1]!.lease!.release();
      await turned();
      line.notice(store.notice('granted'));
      expect(writer.lease).toBeDefined();
    });
  });
});
