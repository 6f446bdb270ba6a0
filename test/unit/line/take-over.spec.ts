import type { LineLease } from '../../../lib/line/line-lease.js';
import { Lines } from '../../../lib/line/lines.js';
import type { Request } from '../../../lib/line/request.js';
import { WHOLE } from '../../../lib/store/lock-machine.js';
import { MemoryServer } from '../../../lib/store/memory/memory-server.js';
import { MemoryStore } from '../../../lib/store/memory/memory-store.js';
import { newSession } from '../../../lib/store/session-id.js';
import { Peer } from '../../../lib/testing/contract/peer.js';
import { failureOf } from '../../support/eventually.js';
import { HandClock } from '../../support/hand-clock.js';
import { HandStore, turned } from '../../support/hand-store.js';

const [TTL, GUARD] = [3_000, 300];

describe('a take-over', () => {
  let clock: HandClock, server: MemoryServer, store: HandStore, lines: Lines, rival: Peer, lost: string[];
  beforeEach(() => {
    clock = new HandClock();
    server = new MemoryServer(clock);
    store = new HandStore(server, clock);
    store.held = ({ kind }) => kind === 'takeOver';
    rival = new Peer(new MemoryStore(server, newSession(), clock), 'name');
    lost = [];
    lines = new Lines(
      store.store,
      clock,
      () => 0,
      (_, reason) => lost.push(reason),
    );
  });

  const request = (more: Partial<Request> = {}): Request => {
    const terms = { units: WHOLE, capacity: WHOLE, ttl: TTL, guard: GUARD, once: false, identity: 'host:1' };
    const patience = { wait: 60_000, renews: true, maxHold: Infinity, maxWaiters: Infinity };
    return { name: 'name', terms, signal: undefined, ...patience, ...more };
  };
  const acquired = (more?: Partial<Request>): Promise<LineLease> =>
    lines.acquire(request(more), { leaseOn: (lease) => lease });
  const taking = () => store.of('takeOver');
  const holders = (): string[] => server.read('name').state.holders.map(({ id }) => id);
  const free = async (): Promise<boolean> => {
    const id = rival.id();
    const { outcome } = await rival.acquire(id, { wait: 0 });
    await rival.release(id);
    return outcome === 'granted';
  };

  describe('by which a lease is handed over', () => {
    it('is asked for again under the same id when its answer is lost, and has one effect', async () => {
      const lease = await acquired();
      const giving = lease.handOver();
      await turned();
      await taking()[0]!.read().lose();
      expect(lease.over).toBeUndefined(); // nobody else can have it before the text is given
      clock.pass(25);
      await turned();
      expect(taking()).toHaveLength(2);
      expect(taking()[1]!.operation).toMatchObject({ id: taking()[0]!.operation.id, from: lease.hold.id });
      await taking()[1]!.answer();
      const given = await giving;
      expect(holders()).toEqual([given.id]);
      expect([lease.over, lost]).toEqual(['released', []]);
      expect(await free()).toBe(false);
    });

    it('sends no renewal beside it, and waits for one in flight', async () => {
      store.held = ({ kind }) => kind === 'takeOver' || kind === 'renew';
      const lease = await acquired();
      lease.hold.confirm();
      const giving = lease.handOver();
      await turned();
      expect(taking()).toHaveLength(0);
      await store.of('renew')[0]!.answer();
      await turned();
      expect(taking()).toHaveLength(1);
      taking()[0]!.read();
      clock.pass(TTL / 2);
      expect(store.of('renew')).toHaveLength(1);
      await taking()[0]!.answer();
      await giving;
      clock.pass(TTL / 2);
      expect(store.of('renew')).toHaveLength(1);
    });

    it('that is never answered ends the lease at its deadline, and only then frees the lock', async () => {
      const lease = await acquired();
      const giving = failureOf(lease.handOver());
      await turned();
      taking()[0]!.read();
      for (let at = 0; lease.over === undefined && at < 100; at += 1) {
        expect(store.of('release')).toEqual([]);
        await taking().at(-1)!.lose();
        clock.pass(TTL / 40);
        await turned();
      }
      await taking().at(-1)!.lose();
      clock.pass(TTL / 2);
      await turned();
      await taking().at(-1)!.lose();
      expect(await giving).toMatchObject({ code: 'LOCK_LOST', reason: 'expired' });
      expect(lost).toEqual(['expired']);
      expect(holders()).toEqual([]);
    });

    it('that is given up before the deadline ends the lease first', async () => {
      const lease = await acquired();
      const order: string[] = [];
      lease.onLoss(() => order.push(`lost, and held by ${holders().length}`));
      const giving = failureOf(lease.handOver());
      await turned();
      const [first] = taking();
      first!.read();
      while (lease.over === undefined) {
        clock.pass(100);
        await taking().at(-1)!.lose();
        clock.pass(400);
        await turned();
      }
      expect(await giving).toMatchObject({ code: 'LOCK_LOST', reason: 'expired' });
      expect(order).toEqual(['lost, and held by 1']);
    });

    it('that is not answered ends with the hold, as when the process closes', async () => {
      const lease = await acquired();
      const giving = failureOf(lease.handOver());
      await turned();
      await taking()[0]!.lose();
      lease.lose('closed');
      void lease.hold.release();
      expect(await giving).toMatchObject({ code: 'LOCK_LOST', reason: 'closed' });
      const { length } = taking();
      clock.pass(5_000);
      await turned();
      expect(taking()).toHaveLength(length);
    });

    it('for less time than the lease has left is believed for that time only', async () => {
      const lease = await acquired();
      const { remaining } = lease;
      const giving = failureOf(lease.handOver({ ttl: 200, guard: 300 }));
      await turned();
      taking()[0]!.read();
      expect(lease.remaining).toBeLessThan(200);
      clock.pass(199);
      expect(lease.over).toBe('expired');
      expect(remaining).toBeGreaterThan(2_000);
      await taking()[0]!.answer();
      expect(await giving).toMatchObject({ code: 'LOCK_LOST', reason: 'expired' });
      expect(await free()).toBe(true); // the id that nobody was given was released
    });

    it('that the store refuses leaves the lease as it was', async () => {
      const lease = await acquired();
      const { remaining } = lease;
      const giving = failureOf(lease.handOver({ ttl: 100, guard: 300 }));
      await turned();
      await taking()[0]!.refuse();
      expect(await giving).toMatchObject({ code: 'LOCK_STORE' });
      expect([lease.over, lease.remaining, lease.handingOver]).toEqual([undefined, remaining, false]);
      clock.pass(TTL / 3 + 50);
      await turned();
      expect(store.of('renew').length).toBeGreaterThan(0);
      expect(await lease.release()).toBe('released');
      expect(await free()).toBe(true);
    });

    it('lets a release wait for it, which gives the lock back when it fails', async () => {
      const lease = await acquired();
      const giving = failureOf(lease.handOver());
      const releasing = lease.release();
      await turned();
      expect(store.of('release')).toEqual([]);
      await taking()[0]!.refuse();
      await giving;
      expect(await releasing).toBe('released');
      expect(await free()).toBe(true);
    });

    it('sends no release afterwards, whoever asks for one', async () => {
      const lease = await acquired();
      const giving = lease.handOver();
      await turned();
      await taking()[0]!.answer();
      await giving;
      expect([await lease.release(), await lease.release(50)]).toEqual(['released', 'released']);
      await lines.close(0);
      expect(store.of('release')).toEqual([]);
      expect(holders()).toHaveLength(1);
    });

    it('releases the old id once more while a copy of its acquire may still be read', async () => {
      store.held = ({ kind }) => kind === 'takeOver' || kind === 'acquire';
      const acquiring = acquired();
      await turned();
      await store.of('acquire')[0]!.lose();
      clock.pass(25);
      await turned();
      await store.of('acquire')[1]!.answer();
      const lease = await acquiring;
      const giving = lease.handOver();
      await turned();
      await taking()[0]!.answer();
      const { id } = await giving;
      await rival.release(id); // whoever resumed it has given it back
      store.of('acquire')[0]!.read(); // and now the copy comes: nobody wants it
      clock.pass(2_000);
      await turned();
      expect(store.of('release').map(({ operation }) => operation.id)).toEqual([
        lease.hold.id,
        lease.hold.id,
      ]);
      expect(await free()).toBe(true);
    });

    it('is a loss when the store no longer knows the hold', async () => {
      const lease = await acquired();
      await rival.revoke(true, 'by test');
      const giving = failureOf(lease.handOver());
      await turned();
      await taking()[0]!.answer();
      expect(await giving).toMatchObject({ code: 'LOCK_LOST', reason: 'revoked', revokeReason: 'by test' });
      expect(lost).toEqual(['revoked']);
    });

    it('is over with maxHold, whatever its answer is', async () => {
      const lease = await acquired({ maxHold: 500 });
      const giving = failureOf(lease.handOver());
      await turned();
      taking()[0]!.read();
      clock.pass(510);
      await taking()[0]!.answer();
      expect(await giving).toMatchObject({ code: 'LOCK_LOST', reason: 'max-hold' });
      expect(await free()).toBe(true);
    });
  });

  describe('by which a lease is resumed', () => {
    let from: string;
    beforeEach(async () => {
      from = rival.id();
      await rival.acquire(from);
    });

    it('is asked for again under the same id when its answer is lost, and has one effect', async () => {
      const resuming = lines.resume(request(), from);
      await turned();
      await taking()[0]!.read().lose();
      clock.pass(25);
      await turned();
      await taking()[1]!.answer();
      const lease = (await resuming) as LineLease;
      expect(lease.over).toBeUndefined();
      expect(holders()).toEqual([lease.hold.id]);
      taking()[0]!.read(); // a copy that comes later
      expect(await lease.release()).toBe('released');
      taking()[0]!.read();
      expect(await free()).toBe(true);
    });

    it('counts from before the command was sent, and is renewed', async () => {
      const resuming = lines.resume(request(), from);
      await turned();
      taking()[0]!.read();
      clock.pass(1_000);
      await taking()[0]!.answer();
      const lease = (await resuming) as LineLease;
      expect(lease.remaining).toBeLessThan(TTL - 1_000);
      clock.pass(100);
      await turned();
      expect(store.of('renew').length).toBeGreaterThan(0);
    });

    it('whose answer comes after its lease is no lease, and is given back', async () => {
      const resuming = failureOf(lines.resume(request(), from));
      await turned();
      taking()[0]!.read();
      clock.pass(TTL);
      await taking()[0]!.answer();
      expect(await resuming).toMatchObject({ code: 'LOCK_STORE' });
      expect(holders()).toEqual([]);
    });

    it('that is aborted is given back, also when the server reads it later', async () => {
      const controller = new AbortController();
      const resuming = failureOf(lines.resume(request({ signal: controller.signal }), from));
      await turned();
      controller.abort(new Error('enough'));
      expect(await resuming).toMatchObject({ code: 'LOCK_BUSY', reason: 'aborted' });
      taking()[0]!.read();
      await taking()[0]!.lose();
      clock.pass(2_000);
      await turned();
      expect(await free()).toBe(true);
    });

    it('that is never answered fails after its wait, and what came of it is given back', async () => {
      const resuming = failureOf(lines.resume(request({ wait: 100 }), from));
      await turned();
      taking()[0]!.read();
      clock.pass(90);
      await taking()[0]!.lose();
      expect(await resuming).toMatchObject({
        code: 'LOCK_STORE',
        message: expect.stringContaining('gave up') as string,
      });
      expect(holders()).toEqual([]);
    });

    it('with wait 0 asks once', async () => {
      const resuming = failureOf(lines.resume(request({ wait: 0 }), from));
      await turned();
      await taking()[0]!.lose();
      expect(await resuming).toMatchObject({ code: 'LOCK_STORE' });
      expect(taking()).toHaveLength(1);
    });

    it('is given back when its process shuts down', async () => {
      const resuming = failureOf(lines.resume(request(), from));
      await turned();
      taking()[0]!.read();
      expect(lines.awaited).toBe(true);
      const closing = lines.close(0);
      expect(await resuming).toMatchObject({ code: 'LOCK_BUSY', reason: 'closed' });
      clock.pass(1_000); // the release is answered, but a copy of the command may still be read
      await closing;
      expect(holders()).toEqual([]);
    });

    it('hears a notice that overtakes its answer', async () => {
      const resuming = lines.resume(request(), from);
      await turned();
      taking()[0]!.read();
      const { id } = taking()[0]!.operation;
      await rival.acquire(rival.id());
      const lines_ = lines as unknown as { hear(name: string, notice: unknown): void };
      expect(store.notice('contended')).toMatchObject({ id });
      lines_.hear('name', store.notice('contended'));
      await taking()[0]!.answer();
      expect(((await resuming) as LineLease).hold.contended).toBe(true);
      expect(lines.ignoredNotices).toBe(0);
    });

    it('says what the store says when somebody has it already', async () => {
      await rival.takeOver(from, rival.id());
      const resuming = lines.resume(request(), from);
      await turned();
      await taking()[0]!.answer();
      expect(await resuming).toMatchObject({ outcome: 'lost' });
      expect(lines.inUse).toBe(false);
    });
  });
});
