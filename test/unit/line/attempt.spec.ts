import { type LockStoreError } from '../../../lib/base/errors.js';
import { Attempt, type AttemptOwner } from '../../../lib/line/attempt.js';
import type { Hold } from '../../../lib/line/hold.js';
import { Lines } from '../../../lib/line/lines.js';
import type { Terms } from '../../../lib/line/request.js';
import type { LockNotice } from '../../../lib/store/lock-operation.js';
import { WHOLE } from '../../../lib/store/lock-machine.js';
import { MemoryServer } from '../../../lib/store/memory/memory-server.js';
import { MemoryStore } from '../../../lib/store/memory/memory-store.js';
import { leaseDeadline, micros } from '../../../lib/store/server-clock.js';
import { newSession } from '../../../lib/store/session-id.js';
import { Peer } from '../../../lib/testing/contract/peer.js';
import { HandClock } from '../../support/hand-clock.js';
import { HandStore } from '../../support/hand-store.js';

const TTL = 3_000;
const CLAIM = 2_000;
const TERMS: Terms = { units: WHOLE, capacity: WHOLE, ttl: TTL, guard: 300, once: false, identity: 'host:1' };

/** Remembers what an attempt tells its line. */
class OwnerRecorder implements AttemptOwner {
  readonly told: string[] = [];
  readonly holds: Hold[] = [];
  wait = 60_000;
  places = 0;
  waitLeft(): number {
    return this.wait;
  }
  granted(_: Attempt, hold: Hold): void {
    this.told.push('granted');
    this.holds.push(hold);
  }
  busy(_: Attempt, identity: string, retryAfter: number): void {
    this.told.push(`busy, ${identity} for ${retryAfter} ms`);
  }
  otherKind(_: Attempt, capacity: number): void {
    this.told.push(`in use with the capacity ${capacity}`);
  }
  queued(): void {
    this.places += 1;
  }
  failed(_: Attempt, error: LockStoreError): void {
    this.told.push(`failed: ${error.message}`);
  }
  spent(): void {
    this.told.push('spent');
  }
  readonly lost = (_: Hold, reason: string): void => void this.told.push(`lost: ${reason}`);
  readonly atRisk = (): void => void this.told.push('at risk');
  readonly wanted = (): void => undefined;
}

describe('an attempt', () => {
  let clock: HandClock, server: MemoryServer, store: HandStore, owner: OwnerRecorder, rival: Peer;
  beforeEach(() => {
    clock = new HandClock();
    server = new MemoryServer(clock);
    store = new HandStore(server, clock);
    owner = new OwnerRecorder();
    rival = new Peer(new MemoryStore(server, newSession(), clock), 'name');
  });
  const make = (terms: Partial<Terms> = {}): Attempt => {
    const { setup } = new Lines(store.store, clock, () => 0);
    return new Attempt(setup, 'name', { ...TERMS, ...terms }, owner);
  };
  const holders = (): string[] => server.read('name').state.holders.map(({ id }) => id);
  const queue = (): string[] => server.read('name').state.queue.map(({ id }) => id);
  /** Answers every command that is under way, also those that follow. */
  const settle = async (): Promise<void> => {
    store.held = () => false;
    for (const command of store.commands) await command.answer();
  };

  /** An attempt in the queue behind the rival; `end` has the rival release. */
  const queuedBehindRival = async (): Promise<{ attempt: Attempt; end: () => Promise<void> }> => {
    const id = rival.id();
    await rival.granted(id);
    const attempt = make();
    attempt.ask();
    await store.last.answer();
    expect(queue()).toEqual([attempt.id]);
    return { attempt, end: async () => void (await rival.release(id)) };
  };

  describe('whose answer is late or lost', () => {
    it('counts its lease from before the command was sent', async () => {
      make().ask();
      const { sentAt } = store.last;
      store.last.read();
      clock.pass(400);
      await store.last.answer();
      expect(owner.told).toEqual(['granted']);
      expect(owner.holds[0]?.deadline).toBe(leaseDeadline(sentAt, TTL));
    });

    it('has it for the ttl that it was sent with, though somebody else has its place by then, and makes it longer', async () => {
      const { attempt, end } = await queuedBehindRival();
      attempt.ask();
      const asked = store.last;
      const longer = { ...TERMS, ttl: 10 * TTL };
      expect(attempt.suits(longer)).toBe(true);
      attempt.servesFor(longer);
      await end();
      await asked.answer();
      const [hold] = owner.holds;
      expect(hold?.deadline).toBe(leaseDeadline(asked.sentAt, TTL));
      hold!.serve(longer, true, Infinity, 'expired', false);
      expect(store.of('renew').map(({ operation }) => operation.ttl)).toEqual([micros(10 * TTL)]);
    });

    it('does not go to a caller with another ttl before its first answer', () => {
      const attempt = make();
      attempt.ask();
      expect([attempt.suits({ ...TERMS, ttl: 2 * TTL }), attempt.suits(TERMS)]).toEqual([false, true]);
    });

    it('gives a grant back whose lease is over when the answer comes, and says that its id is spent', async () => {
      make().ask();
      store.last.read();
      clock.pass(TTL);
      await store.last.answer();
      expect(owner.told).toEqual(['spent']);
      expect(store.kinds).toEqual(['acquire', 'release']);
      await store.last.answer();
      expect(holders()).toEqual([]);
    });

    it('asks again with the same id, and has the grant of the first copy', async () => {
      const attempt = make();
      attempt.ask();
      await store.last.read().lose();
      expect(owner.told).toEqual([]);
      clock.pass(20);
      const [first, second] = store.of('acquire');
      expect(second?.operation.id).toBe(first?.operation.id);
      await second?.answer();
      expect(owner.told).toEqual(['granted']);
      expect(owner.holds[0]?.deadline).toBe(leaseDeadline(second!.sentAt, TTL));
      expect(holders()).toEqual([attempt.id]);
      expect(server.read('name').state.holders[0]?.first).toBe(owner.holds[0]?.nextFence());
    });

    it('asks again after 20 ms, twice that, and so on, but every 500 ms at least', async () => {
      make().ask();
      for (const gap of [20, 40, 80, 160, 320, 500, 500]) {
        const before = store.commands.length;
        await store.last.lose();
        clock.pass(gap - 1);
        expect(store.commands).toHaveLength(before);
        clock.pass(1);
        expect(store.commands).toHaveLength(before + 1);
      }
    });

    it('gives a hold that it has after a lost answer back twice: a copy of the acquire may still be read', async () => {
      make().ask();
      await store.last.lose();
      clock.pass(20);
      await store.last.answer();
      void owner.holds[0]?.release();
      await store.last.answer();
      store.of('acquire')[0]?.read();
      clock.pass(1_100);
      expect(store.kinds).toEqual(['acquire', 'acquire', 'release', 'release']);
      await store.last.answer();
      expect(holders()).toEqual([]);
      clock.pass(10_000);
      expect(store.kinds).toHaveLength(4);
    });

    it('that asks once fails, and takes back what a late copy of its command is granted', async () => {
      owner.wait = 0;
      make({ once: true }).ask();
      const acquire = store.last;
      await acquire.lose();
      expect(owner.told).toEqual(['failed: No answer.']);
      await store.last.answer(); // of the first release, which finds nothing
      acquire.read();
      expect(holders()).toHaveLength(1);
      clock.pass(1_100);
      expect(store.kinds).toEqual(['acquire', 'release', 'release']);
      await store.last.answer();
      expect(holders()).toEqual([]);
    });

    it('that asks once is sent again twice when the server reads it too late, and then fails', async () => {
      owner.wait = 0;
      make({ once: true }).ask();
      for (const gap of [20, 40]) {
        await store.last.answer({ outcome: 'late' });
        expect(owner.told).toEqual([]);
        clock.pass(gap);
      }
      await store.last.answer({ outcome: 'late' });
      expect(owner.told).toEqual(["failed: The command to acquire 'name' reached the server too late."]);
      expect(store.of('acquire')).toHaveLength(3);
    });
  });

  describe('that is refused', () => {
    it('is over at once, with nothing to give back', async () => {
      make().ask();
      await store.last.refuse();
      expect(owner.told).toEqual(['failed: Refused.']);
      clock.pass(10_000);
      expect(store.kinds).toEqual(['acquire']);
    });

    it('after an answer was lost is given back: that copy may have been read', async () => {
      make().ask();
      await store.last.read().lose();
      clock.pass(20);
      await store.last.refuse();
      expect(owner.told).toEqual(['failed: Refused.']);
      await store.last.answer();
      expect(store.kinds).toEqual(['acquire', 'acquire', 'release']);
      expect(holders()).toEqual([]);
    });

    it('says who has the lock, and for how long, when it asks once', async () => {
      await rival.granted(rival.id());
      owner.wait = 0;
      make({ once: true }).ask();
      await store.last.answer();
      expect(owner.told).toEqual(['busy, host:1 for 5500 ms']);
      expect(store.kinds).toEqual(['acquire']);
    });

    it('says that the name is in use as a lock of another kind', async () => {
      await rival.granted(rival.id(), { units: 1, capacity: 5 });
      make().ask();
      await store.last.answer();
      expect(owner.told).toEqual(['in use with the capacity 5']);
      expect(store.kinds).toEqual(['acquire']);
    });

    it('because its id was released or revoked is spent', async () => {
      make().ask();
      await store.last.answer({ outcome: 'gone' });
      expect(owner.told).toEqual(['spent']);
    });
  });

  describe('that is given up', () => {
    it('while its grant is on the way gives that back, whichever the server reads first', async () => {
      for (const first of ['acquire', 'release'] as const) {
        const attempt = make();
        attempt.ask();
        const acquire = store.last;
        attempt.abandon();
        const release = store.last;
        expect(release.operation).toMatchObject({ kind: 'release', id: attempt.id });
        if (first === 'acquire') acquire.read();
        await release.answer();
        await acquire.answer();
        await store.last.answer();
        expect(holders()).toEqual([]);
      }
      expect(owner.told).toEqual([]);
    });

    it('while it waits leaves the queue, and asks no more', async () => {
      const { attempt } = await queuedBehindRival();
      attempt.abandon();
      expect(store.kinds).toEqual(['acquire', 'release']);
      await store.last.answer();
      expect(queue()).toEqual([]);
      clock.pass(60_000);
      expect(store.kinds).toEqual(['acquire', 'release']);
    });

    it('leaves the queue though the release is not answered: that is sent until it is', async () => {
      const { attempt } = await queuedBehindRival();
      attempt.abandon();
      for (let times = 1; times < 4; times += 1) {
        await store.last.lose();
        expect(store.of('release')).toHaveLength(times);
        clock.pass(50);
      }
      expect(store.of('release')).toHaveLength(4);
      await store.last.answer();
      expect(queue()).toEqual([]);
      clock.pass(10_000);
      expect(store.of('release')).toHaveLength(4);
    });

    it('before anything was sent sends nothing, now and when the server’s clock is known', async () => {
      store.sampled = false;
      const attempt = make();
      attempt.ask();
      attempt.abandon();
      await store.measured();
      expect(store.kinds).toEqual([]);
      expect(owner.told).toEqual([]);
    });

    it('hears no notice and no wake any more', async () => {
      const { attempt, end } = await queuedBehindRival();
      await end();
      attempt.abandon();
      attempt.notice(store.notice('granted'));
      attempt.wake();
      attempt.ask();
      expect(store.kinds).toEqual(['acquire', 'release']);
      expect(owner.told).toEqual([]);
      await store.last.answer();
      expect(holders()).toEqual([]);
    });
  });

  describe('that is pushed its grant', () => {
    it('holds for the claim window at most, and is confirmed for the full ttl', async () => {
      const { attempt, end } = await queuedBehindRival();
      await end();
      attempt.notice(store.notice('granted'));
      const [hold] = owner.holds;
      expect(hold!.deadline - clock.now()).toBeLessThan(CLAIM);
      expect(hold!.deadline - clock.now()).toBeGreaterThan(0.9 * CLAIM);
      expect(store.last.operation).toMatchObject({ kind: 'renew', ttl: TTL * 1_000 });
      await store.last.answer();
      expect(hold!.deadline).toBe(leaseDeadline(clock.now(), TTL));
    });

    it('begins its work before it confirms', async () => {
      const { attempt, end } = await queuedBehindRival();
      await end();
      clock.still = true;
      attempt.notice(store.notice('granted'));
      expect(owner.told).toEqual(['granted']);
      expect(store.of('renew')).toEqual([]);
      clock.turn();
      expect(store.of('renew')).toHaveLength(1);
    });

    it('twice is granted once', async () => {
      const { attempt, end } = await queuedBehindRival();
      await end();
      const granted = store.notice('granted');
      for (let times = 0; times < 3; times += 1) attempt.notice(granted);
      await settle();
      attempt.notice(granted);
      expect(owner.told).toEqual(['granted']);
      expect(store.of('renew')).toHaveLength(1);
    });

    it('is not sent back to the queue by an answer that was read before', async () => {
      const id = rival.id();
      await rival.granted(id);
      const attempt = make();
      attempt.ask();
      const acquire = store.last.read();
      await rival.release(id);
      attempt.notice(store.notice('granted'));
      await acquire.answer();
      await settle();
      clock.pass(950); // a waiter would ask again
      expect(owner.told).toEqual(['granted']);
      expect(store.of('acquire')).toHaveLength(1);
    });

    it('is confirmed by the answer to an acquire that was under way', async () => {
      const { attempt, end } = await queuedBehindRival();
      attempt.ask();
      const acquire = store.last;
      await end();
      attempt.notice(store.notice('granted'));
      clock.pass(5);
      await acquire.answer();
      expect(owner.told).toEqual(['granted']);
      expect(owner.holds[0]?.deadline).toBe(leaseDeadline(acquire.sentAt, TTL));
    });

    it.each<[string, (granted: LockNotice) => LockNotice]>([
      ['has another seal', (granted) => ({ ...granted, seal: 'forged' }) as LockNotice],
      ['comes from a server that is not known to be ours', (granted) => ((store.trusted = false), granted)],
      ['comes while the server’s clock is not known', (granted) => ((store.sampled = false), granted)],
      ['was under way for longer than it lasts', (granted) => (clock.jump(CLAIM), granted)],
    ])('by a notice that %s does not believe it, and asks', async (_, changed) => {
      const { attempt, end } = await queuedBehindRival();
      await end();
      attempt.notice(changed(store.notice('granted')));
      expect(owner.told).toEqual([]);
      await store.measured();
      expect(store.kinds).toEqual(['acquire', 'acquire']);
      await store.last.answer();
      expect(owner.told).toEqual(['granted']);
      expect(owner.holds[0]?.deadline).toBe(leaseDeadline(clock.now(), TTL));
    });

    it('with the seal of before a connection was lost does not believe it: others may have heard that', async () => {
      const { attempt, end } = await queuedBehindRival();
      attempt.wake();
      const [before, after] = store.of('acquire').map(({ operation }) => operation.seal);
      expect(after).not.toBe(before);
      await end(); // before the server has read the new seal
      attempt.notice(store.notice('granted'));
      expect(owner.told).toEqual([]);
      await store.last.answer();
      expect(owner.told).toEqual(['granted']);
    });
  });

  describe('that hears something before the answer that grants', () => {
    it('knows then that others wait', async () => {
      const attempt = make();
      attempt.ask();
      store.last.read();
      await rival.acquire(rival.id());
      attempt.notice(store.notice('contended'));
      await store.last.answer();
      expect(owner.holds[0]?.contended).toBe(true);
    });

    it('asks the store then whether it was revoked', async () => {
      const attempt = make();
      attempt.ask();
      store.last.read();
      await rival.revoke();
      attempt.notice(store.notice('revoked'));
      await store.last.answer();
      expect(store.kinds).toEqual(['acquire', 'renew']);
      await store.last.answer();
      expect(owner.told).toEqual(['granted', 'lost: revoked']);
    });
  });

  describe('that waits', () => {
    it('asks once more when there were reasons to ask while it was asking, and then waits', async () => {
      const { attempt } = await queuedBehindRival();
      attempt.ask();
      for (let reasons = 0; reasons < 3; reasons += 1) attempt.ask();
      expect(store.of('acquire')).toHaveLength(2);
      await store.last.answer();
      expect(store.of('acquire')).toHaveLength(3);
      await store.last.answer();
      expect(store.of('acquire')).toHaveLength(3);
    });

    it.each([
      ['the next in the queue, to show that it lives', 900, { place: 0, due: 10_000 }],
      ['one of the next four', 900, { place: 3, due: 10_000 }],
      ['far behind in the queue', 4_500, { place: 4, due: 10_000 }],
      ['heard by nobody', 90, { place: 4, due: 10_000, heard: false }],
      ['waiting for a hold that ends soon', 51, { place: 4, due: 50 }],
      ['waiting for a hold that ends now', 5, { place: 0, due: 0 }],
    ])('asks again when it is %s: after %d ms', async (_, ms, { due, ...more }) => {
      const attempt = make();
      attempt.ask();
      const when = server.time() + due * 1_000;
      await store.last.answer({ outcome: 'queued', holder: 'rival:1', heard: true, ...more, due: when });
      expect([attempt.holderIdentity, attempt.retryAfter]).toEqual(['rival:1', due]);
      clock.pass(ms - 1);
      expect(store.of('acquire')).toHaveLength(1);
      clock.pass(1);
      expect(store.of('acquire')).toHaveLength(2);
    });

    it('asks soon when it cannot hear a notice', async () => {
      store.subscribed = false;
      await rival.granted(rival.id());
      make().ask();
      await store.last.answer();
      clock.pass(90);
      expect(store.of('acquire')).toHaveLength(2);
    });
  });
});
