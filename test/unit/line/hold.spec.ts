import { Hold } from '../../../lib/line/hold.js';
import { Lines } from '../../../lib/line/lines.js';
import type { RenewOperation } from '../../../lib/store/lock-operation.js';
import { MemoryServer } from '../../../lib/store/memory/memory-server.js';
import { leaseDeadline } from '../../../lib/store/server-clock.js';
import { failureOf } from '../../support/eventually.js';
import { HandClock } from '../../support/hand-clock.js';
import { type Command, HandStore } from '../../support/hand-store.js';

const TTL = 3_000;
const lasting = (ttl: number) => ({ ttl, guard: 300 });
const RENEWED = { outcome: 'renewed', last: 9, contended: false };
const REVOKED = { kind: 'revoked', id: 'id', reason: 'by test' } as const;
const CONTENDED = { kind: 'contended', id: 'id' } as const;

describe('a hold', () => {
  let clock: HandClock, server: MemoryServer, store: HandStore, lost: string[], risks: number[];
  let released: (() => void) | undefined;
  beforeEach(() => {
    clock = new HandClock();
    server = new MemoryServer(clock);
    store = new HandStore(server, clock);
    lost = [];
    risks = [];
    released = undefined;
  });
  function hold({ claimed = false, renews = true, doubt = 0, longest = Infinity, lasts = TTL } = {}): Hold {
    const { setup } = new Lines(store.store, clock, () => 0);
    const terms = { units: 1, capacity: 1, ttl: TTL, guard: 300, once: false, identity: 'host:1' };
    const grant = { first: 1, last: 5, contended: false, done: false };
    const attempt = { id: 'id', name: 'name', doubt };
    const made = new Hold(setup, attempt, terms, grant, clock.now() + lasts, claimed, {
      lost: (_, why) => lost.push(why),
      atRisk: () => {
        risks.push(clock.now());
        released?.();
      },
      wanted: () => undefined,
    });
    made.serve(lasting(TTL), renews, longest, longest < Infinity ? 'max-hold' : 'expired', false);
    return made;
  }
  const renewals = (): Command<RenewOperation>[] => store.of('renew');
  const ttls = (): number[] => renewals().map(({ operation }) => operation.ttl / 1_000);

  describe('that is renewed', () => {
    it('has one renewal in flight, and everybody who renews in the meantime shares its outcome', async () => {
      const one = hold();
      const outcomes = [one.renewNow(), one.renewNow()];
      expect(renewals()).toHaveLength(1);
      await renewals()[0]!.answer(RENEWED);
      await expect(Promise.all(outcomes)).resolves.toEqual(['renewed', 'renewed']);
      expect(renewals()).toHaveLength(1);
    });

    it.each(['answered', 'not answered'])(
      'asks once more when there were reasons to ask while a renewal was in flight, which was %s',
      async (how) => {
        const one = hold();
        for (let reason = 0; reason < 3; reason += 1) one.confirm();
        expect(renewals()).toHaveLength(1);
        await (how === 'answered' ? renewals()[0]!.answer(RENEWED) : renewals()[0]!.lose());
        expect(renewals()).toHaveLength(2);
        await renewals()[1]!.answer(RENEWED);
        expect(renewals()).toHaveLength(2);
      },
    );

    it('renews with a new ttl only after what is in flight with the old one', async () => {
      const one = hold();
      one.confirm();
      const longer = one.renewNow(lasting(2 * TTL));
      await renewals()[0]!.answer(RENEWED);
      expect(ttls()).toEqual([TTL, 2 * TTL]);
      await renewals()[1]!.answer(RENEWED);
      await expect(longer).resolves.toBe('renewed');
    });

    it('is asked for until it has its whole ttl, though it does not renew itself', async () => {
      const one = hold({ claimed: true, renews: false, lasts: TTL / 3 });
      one.confirm();
      await renewals()[0]!.lose();
      clock.pass(TTL / 20);
      expect(renewals()).toHaveLength(2);
      await renewals()[1]!.answer(RENEWED);
      expect(one.liveAt(clock.now() + TTL / 2)).toBe(true);
      clock.pass(TTL * 0.6);
      expect(renewals()).toHaveLength(2);
    });

    it('is prolonged by the next question, whatever that is for, while it does not have its whole ttl', async () => {
      const one = hold({ claimed: true, renews: false, lasts: TTL / 3 });
      one.confirm();
      await renewals()[0]!.lose();
      one.confirm(false); // a connection is back
      expect(ttls()).toEqual([TTL, TTL]);
      await renewals()[1]!.answer(RENEWED);
      one.confirm(false);
      expect(ttls()[2]).toBeLessThan(TTL);
    });

    it('sends nothing for a renewal whose turn comes after the release', async () => {
      const one = hold();
      one.confirm();
      const renewed = one.renewNow(lasting(2 * TTL));
      void one.release();
      await renewals()[0]!.answer(RENEWED);
      expect(await renewed).toBe('renewed');
      expect([renewals().length, one.renewalSlot]).toEqual([1, 0]);
    });

    it('is not handed to a caller with a shorter ttl while a longer renewal is on its way', () => {
      const one = hold({ claimed: true, lasts: TTL / 3 });
      one.serve(lasting(100 * TTL), true, Infinity, 'expired', false);
      one.confirm();
      expect(one.outlasts(TTL, clock.now())).toBe(true);
      expect(one.outlasts(100 * TTL, clock.now())).toBe(false);
    });

    it('is prolonged by who renews while it is only asked whether it is held', async () => {
      const one = hold();
      clock.pass(TTL / 10);
      one.confirm(false);
      const renewed = one.renewNow();
      await renewals()[0]!.answer(RENEWED);
      expect(ttls()[0]).toBeLessThan(TTL);
      expect(ttls()[1]).toBe(TTL);
      await renewals()[1]!.answer(RENEWED);
      await expect(renewed).resolves.toBe('renewed');
    });

    it('has no timer of its own while it is not confirmed, and renews by itself from then on', async () => {
      const one = hold({ claimed: true });
      clock.pass(TTL);
      expect(renewals()).toEqual([]);
      one.deadline = clock.now() + TTL;
      one.confirm();
      await renewals()[0]!.answer(RENEWED);
      clock.pass(TTL / 2);
      expect(renewals()).toHaveLength(2);
    });

    it('renews when a third of its ttl is over, and again when a third of that is over', async () => {
      hold();
      for (const times of [1, 2, 3]) {
        clock.pass(TTL / 3 - 50);
        expect(renewals()).toHaveLength(times - 1);
        clock.pass(55);
        expect(renewals()).toHaveLength(times);
        await renewals().at(-1)!.answer(RENEWED);
      }
    });

    it('counts from before the renewal was sent, and is never shorter by one', async () => {
      const one = hold();
      clock.pass(900);
      const { deadline } = one;
      void one.renewNow(lasting(TTL / 3));
      await renewals()[0]!.answer(RENEWED);
      expect(one.deadline).toBe(deadline);
      void one.renewNow(lasting(TTL));
      const { sentAt } = renewals()[1]!;
      clock.pass(500);
      await renewals()[1]!.answer(RENEWED);
      expect(one.deadline).toBe(leaseDeadline(sentAt, TTL));
    });

    it('has the fences that the answer says, and never fewer', async () => {
      const one = hold();
      for (const last of [7, 6]) {
        one.confirm();
        await renewals()
          .at(-1)!
          .answer({ ...RENEWED, last });
      }
      expect([1, 2, 3, 4, 5, 6, 7].map(() => one.nextFence())).toEqual([1, 2, 3, 4, 5, 6, 7]);
      expect(one.suffices(clock.now())).toBe(false);
    });

    it('ends when its lease may last no longer, whatever is renewed', async () => {
      hold({ longest: clock.now() + 2 * TTL });
      store.held = () => false; // the server does not know it: every answer is one of the test
      for (let ms = 0; ms < 2 * TTL - 10; ms += 10) {
        store.held = () => true;
        clock.pass(10);
        for (const renewal of renewals()) await renewal.answer(RENEWED);
      }
      expect(lost).toEqual([]);
      clock.pass(15);
      expect(lost).toEqual(['max-hold']);
    });

    it('for a lease that is not renewed by itself ends in time without asking', () => {
      hold({ renews: false });
      clock.pass(TTL + 5);
      expect(renewals()).toEqual([]);
      expect(lost).toEqual(['expired']);
    });
  });

  describe('whose renewal has no answer', () => {
    it('is neither lost nor longer by that, and asks again', async () => {
      const one = hold();
      const { deadline } = one;
      one.confirm();
      await renewals()[0]!.lose();
      expect(one.deadline).toBe(deadline);
      expect(lost).toEqual([]);
      clock.pass(TTL / 30 + 5);
      expect(renewals()).toHaveLength(2);
      await renewals()[1]!.answer({ outcome: 'lost' });
      expect(lost).toEqual(['taken']);
    });

    it.each<[string, (renewal: Command) => Promise<void>]>([
      ['lost', (renewal) => renewal.lose()],
      ['refused', (renewal) => renewal.refuse()],
      ['read too late', (renewal) => renewal.answer({ outcome: 'late' })],
    ])(
      'because it is %s every time asks again until it ends, and is lost then, not before',
      async (_, end) => {
        const one = hold();
        const { deadline } = one;
        while (clock.now() < deadline) {
          expect(lost).toEqual([]);
          clock.pass(5);
          for (const renewal of renewals()) await end(renewal);
        }
        clock.pass(5);
        expect(lost).toEqual(['expired']);
        expect(renewals().length).toBeGreaterThan(4);
        const asked = renewals().length;
        clock.pass(TTL);
        expect(renewals()).toHaveLength(asked);
      },
    );

    it('says so to whoever renews, and is renewed by the next answer', async () => {
      const one = hold();
      const outcome = expect(one.renewNow()).rejects.toMatchObject({ code: 'LOCK_STORE' });
      await renewals()[0]!.lose();
      await outcome;
      clock.pass(90);
      const next = one.renewNow();
      await renewals()[1]!.answer(RENEWED);
      await expect(next).resolves.toBe('renewed');
      expect(one.deadline).toBe(leaseDeadline(clock.now(), TTL));
    });

    it('in time stays lost when the answer comes after its end', async () => {
      const one = hold();
      const outcome = one.renewNow();
      clock.jump(TTL);
      await renewals()[0]!.answer(RENEWED);
      await expect(outcome).resolves.toBe('lost');
      expect(lost).toEqual(['expired']);
      expect(one.liveAt(clock.now())).toBe(false);
    });

    it('is lost at once where a value of somebody else is', async () => {
      hold().confirm();
      await renewals()[0]!.refuse({ foreign: true });
      expect(lost).toEqual(['taken']);
    });
  });

  describe('that is at risk', () => {
    /** Passes in small steps, and ends each renewal on the way. */
    async function passing(ms: number, end?: (renewal: Command) => Promise<void>): Promise<void> {
      for (const until = clock.now() + ms; clock.now() < until;) {
        clock.pass(Math.min(5, until - clock.now()));
        if (end) for (const renewal of renewals()) await end(renewal);
      }
    }

    it.each<[string, ((renewal: Command) => Promise<void>) | undefined]>([
      ['hangs', undefined],
      ['fails each time', (renewal) => renewal.lose()],
    ])('says so once when half of its ttl is over and its renewal %s', async (_, end) => {
      const one = hold();
      const half = clock.now() + TTL / 2;
      await passing(TTL / 2 - 10, end);
      expect(risks).toEqual([]);
      expect(one.atRiskAt(clock.now())).toBe(false);
      await passing(60, end);
      expect(risks).toHaveLength(1);
      // Its deadline is made by hand: a little later than that of a lease of this ttl.
      expect(risks[0]).toBeGreaterThanOrEqual(half);
      expect(risks[0]).toBeLessThanOrEqual(half + 50);
      expect(one.atRiskAt(clock.now())).toBe(true);
      await passing(TTL / 3, end);
      expect(risks).toHaveLength(1);
      expect(lost).toEqual([]);
    });

    it('is so until a renewal is answered, and says so again the next time', async () => {
      const one = hold();
      await passing(TTL * 0.6);
      expect(risks).toHaveLength(1);
      await renewals()[0]!.answer(RENEWED);
      expect(one.atRiskAt(clock.now())).toBe(false);
      const half = renewals()[0]!.sentAt + TTL / 2;
      await passing(half - clock.now() - 10);
      expect(risks).toHaveLength(1);
      await passing(20);
      expect(risks).toHaveLength(2);
    });

    it('says nothing while its renewals are answered', async () => {
      hold();
      await passing(3 * TTL, (renewal) => renewal.answer(RENEWED));
      expect(risks).toEqual([]);
    });

    it('says so before it asks when the event loop was late', () => {
      const one = hold();
      clock.pass(TTL * 0.6);
      expect(risks).toHaveLength(1);
      expect(renewals()).toHaveLength(1);
      expect(one.atRiskAt(clock.now())).toBe(true);
    });

    it('says nothing when it is not renewed by itself', () => {
      const one = hold({ renews: false });
      clock.pass(TTL * 0.9);
      expect(one.atRiskAt(clock.now())).toBe(false);
      expect(risks).toEqual([]);
    });

    it('is not so by a ttl that has just become longer, unless that is not answered', async () => {
      const one = hold();
      clock.pass(100);
      one.serve(lasting(10 * TTL), true, Infinity, 'expired', true);
      await passing(TTL / 4);
      expect(risks).toEqual([]);
      await passing(TTL / 4 + 20);
      expect(risks).toHaveLength(1);
    });

    it('is not so as a claim that is being confirmed, until half of that is over', async () => {
      const one = hold({ claimed: true, lasts: TTL / 3 });
      expect(one.atRiskAt(clock.now())).toBe(false);
      one.confirm();
      await renewals()[0]!.lose(); // it is asked again, which changes nothing
      expect(one.atRiskAt(clock.now())).toBe(false);
      await passing(TTL / 6 - 10);
      expect(risks).toEqual([]);
      await passing(20);
      expect(risks).toHaveLength(1);
    });

    it('is not so by a ttl that has become shorter, as long as its renewal is not due', async () => {
      const one = hold();
      const shorter = one.renewNow(lasting(TTL / 6));
      await renewals()[0]!.answer(RENEWED);
      await shorter;
      await passing(TTL * 0.8);
      expect(risks).toEqual([]);
      await passing(TTL * 0.1);
      expect(renewals()).toHaveLength(2);
    });

    it('is not so by a renewal with a longer ttl that failed, which changes nothing', async () => {
      const one = hold();
      const longer = failureOf(one.renewNow(lasting(100 * TTL)));
      await renewals()[0]!.refuse();
      expect(await longer).toMatchObject({ code: 'LOCK_STORE' });
      expect(one.atRiskAt(clock.now())).toBe(false);
      await passing(TTL / 3 + 50);
      expect(ttls().at(-1)).toBe(TTL);
    });

    it('may be released by whoever hears it', () => {
      const one = hold();
      released = () => void one.release();
      clock.pass(TTL * 0.6);
      expect(renewals()).toEqual([]);
      expect(store.kinds).toEqual(['release']);
    });
  });

  describe('that hears a notice', () => {
    it('is not prolonged by the question after it, unless something else asks for that', async () => {
      const one = hold({ renews: false });
      clock.pass(1_000);
      one.notice(REVOKED);
      expect(ttls()).toEqual([TTL - 1_000]);
      one.notice(REVOKED);
      one.confirm();
      await renewals()[0]!.answer(RENEWED);
      expect(ttls()).toEqual([TTL - 1_000, TTL]);
    });

    it('of a revocation is lost only when the store says so, with the reason', async () => {
      const one = hold();
      one.notice(REVOKED);
      expect(lost).toEqual([]);
      await renewals()[0]!.answer({ outcome: 'revoked', reason: 'by the store' });
      expect([lost, one.revokeReason]).toEqual([['revoked'], 'by the store']);
    });

    it('of a revocation that the store has forgotten since has the reason of the notice', async () => {
      const one = hold();
      one.notice(REVOKED);
      await renewals()[0]!.answer({ outcome: 'lost' });
      expect([lost, one.revokeReason]).toEqual([['revoked'], 'by test']);
    });

    it('of a revocation forgets it when the store renews it: anybody may publish', async () => {
      const one = hold();
      one.notice(REVOKED);
      await renewals()[0]!.answer(RENEWED);
      one.confirm();
      await renewals()[1]!.answer({ outcome: 'lost' });
      expect([lost, one.revokeReason]).toEqual([['taken'], undefined]);
    });

    it('twice asks twice at most', async () => {
      const one = hold();
      for (let times = 0; times < 5; times += 1) one.notice(REVOKED);
      await renewals()[0]!.answer(RENEWED);
      await renewals()[1]!.answer(RENEWED);
      expect(renewals()).toHaveLength(2);
    });

    it('that others wait does not forget it over an answer that was read before', async () => {
      const one = hold();
      one.confirm();
      one.notice(CONTENDED);
      await renewals()[0]!.answer(RENEWED);
      expect(one.contended).toBe(true);
    });
  });

  describe('that serves another caller', () => {
    it('asks at once when that one wants it for longer', () => {
      hold().serve(lasting(2 * TTL), true, Infinity, 'expired', true);
      expect(ttls()).toEqual([2 * TTL]);
    });

    it('asks at once when what is proven is too little for a lease that is not renewed by itself', () => {
      const one = hold();
      clock.pass(500);
      one.serve(lasting(TTL), false, clock.now() + TTL - 100, 'expired', true);
      expect(ttls()).toEqual([TTL]);
    });

    it('asks nobody when what is proven is enough', () => {
      hold().serve(lasting(TTL), true, Infinity, 'expired', true);
      expect(renewals()).toEqual([]);
    });

    it.each([
      ['a fence and a second', 2_000, true],
      ['less than a second', 2_001, false],
    ])('suffices for that with %s left', (_, ms, suffices) => {
      const one = hold();
      clock.pass(ms);
      expect(one.suffices(clock.now())).toBe(suffices);
    });
  });

  describe('that is released', () => {
    it('does not ask again for a renewal that was in flight', async () => {
      const one = hold();
      one.confirm();
      one.confirm();
      void one.release();
      await renewals()[0]!.answer(RENEWED);
      expect(renewals()).toHaveLength(1);
      expect(lost).toEqual([]);
    });

    it('is not lost by what a renewal finds that was in flight', async () => {
      const one = hold();
      const outcome = one.renewNow();
      void one.release();
      await renewals()[0]!.answer({ outcome: 'lost' });
      await expect(outcome).resolves.toBe('renewed'); // no news for anybody
      expect(lost).toEqual([]);
    });

    it('gives the fences back that were not used', () => {
      const one = hold();
      one.nextFence();
      one.nextFence();
      void one.release();
      expect(store.last.operation).toMatchObject({ kind: 'release', id: 'id', used: 2 });
    });

    it('is given back until that is answered: a repeat that finds nothing means that the first one arrived', async () => {
      const released = hold().release();
      for (const times of [1, 2, 3]) {
        await store.last.lose();
        expect(store.of('release')).toHaveLength(times);
        clock.pass(50);
      }
      await store.last.answer({ outcome: 'gone' });
      await expect(released).resolves.toBe('released');
      clock.pass(10_000);
      expect(store.of('release')).toHaveLength(4);
    });

    it('and was not there has expired', async () => {
      const released = hold().release();
      await store.last.answer({ outcome: 'gone' });
      await expect(released).resolves.toBe('expired');
    });

    it('without an answer is forgotten when the server has ended it by itself', async () => {
      const released = hold().release();
      for (let ms = 0; ms < 6_000; ms += 50) {
        for (const release of store.of('release')) await release.lose();
        clock.pass(50);
      }
      await expect(released).resolves.toBe('expired');
      const sent = store.commands.length;
      clock.pass(10_000);
      expect(store.commands).toHaveLength(sent);
    });

    it('while a copy of its acquire may still be read is released again after that', async () => {
      const doubt = clock.now() + 500;
      void hold({ doubt: server.timeAt(doubt) }).release();
      await store.last.answer({ outcome: 'released' });
      clock.pass(500);
      expect(store.of('release')).toHaveLength(1);
      clock.pass(2);
      expect(store.of('release')).toHaveLength(2);
      await store.last.answer({ outcome: 'gone' });
      clock.pass(10_000);
      expect(store.of('release')).toHaveLength(2);
    });
  });

  describe('that is downgraded', () => {
    it('says so to the store until that answers', async () => {
      const downgraded = hold().downgrade(1);
      await store.last.lose();
      await downgraded; // unknown counts as given back
      clock.pass(50);
      expect(store.of('downgrade')).toHaveLength(2);
      await store.last.answer({ outcome: 'downgraded' });
      clock.pass(1_000);
      expect(store.of('downgrade')).toHaveLength(2);
      expect(lost).toEqual([]);
    });

    it('is lost when the store does not know it', async () => {
      void hold().downgrade(1);
      await store.last.answer({ outcome: 'lost' });
      expect(lost).toEqual(['taken']);
    });

    it('and released sends no downgrade any more', async () => {
      const one = hold();
      void one.downgrade(1);
      void one.release();
      await store.of('downgrade')[0]!.lose();
      clock.pass(1_000);
      expect(store.of('downgrade')).toHaveLength(1);
    });
  });
});
