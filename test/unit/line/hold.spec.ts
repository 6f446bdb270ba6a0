import { LockStoreError } from '../../../lib/base/errors.js';
import { Hold } from '../../../lib/line/hold.js';
import { Lines } from '../../../lib/line/lines.js';
import type { LockOperation } from '../../../lib/store/lock-operation.js';
import type { LockStore } from '../../../lib/store/lock-store.js';
import { HandClock } from '../../support/hand-clock.js';

const TTL = 3_000;

/** A store whose answers the test gives, one after the other. */
class AskedStore {
  readonly asked: {
    ttl: number;
    answer: (outcome: object) => Promise<void>;
    fail: () => Promise<void>;
  }[] = [];
  readonly session = 'session';
  readonly subscribed = true;
  constructor(private readonly clock: HandClock) {}
  listen(): void {}
  sample(): object {
    return { sentAt: this.clock.now(), receivedAt: this.clock.now(), time: 0 };
  }
  execute(name: string, operation: LockOperation): Promise<unknown> {
    if (operation.kind !== 'renew') return new Promise(() => undefined);
    const sentAt = this.clock.now();
    return new Promise((resolve, reject) => {
      this.asked.push({
        ttl: operation.ttl / 1_000,
        answer: (outcome) => {
          resolve({ now: 0, sentAt, receivedAt: this.clock.now(), ...outcome });
          return turned();
        },
        fail: () => {
          reject(new LockStoreError('No answer.', name));
          return turned();
        },
      });
    });
  }
}

const RENEWED = { outcome: 'renewed', last: 9, waiting: false };
/** After all that follows an answer. */
const turned = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a hold', () => {
  let clock: HandClock, store: AskedStore, lost: string[];
  beforeEach(() => {
    clock = new HandClock();
    store = new AskedStore(clock);
    lost = [];
  });
  function hold({ claimed = false, renews = true } = {}): Hold {
    const { setup } = new Lines(store as unknown as LockStore, clock, () => 0);
    const terms = { units: 1, capacity: 1, ttl: TTL, guard: 0, once: false, who: 'host:1' };
    const grant = { first: 1, last: 5, waiting: false, done: false };
    const attempt = { id: 'id', name: 'name', terms, doubt: 0 };
    const made = new Hold(setup, attempt, grant, clock.now() + TTL, claimed, (_, why) => lost.push(why));
    made.serve(TTL, renews, Infinity, 'expired', false);
    return made;
  }

  it('has one renewal in flight, whose outcome all share who renew meanwhile', async () => {
    const one = hold();
    const outcomes = [one.renewNow(), one.renewNow()];
    expect(store.asked).toHaveLength(1);
    await store.asked[0]!.answer(RENEWED);
    await expect(Promise.all(outcomes)).resolves.toEqual(['renewed', 'renewed']);
    expect(store.asked).toHaveLength(1);
  });

  it.each(['answered', 'not answered'])(
    'asks once more when there were reasons to ask while a renewal was in flight, which was %s',
    async (how) => {
      const one = hold();
      for (let reason = 0; reason < 3; reason += 1) one.confirm();
      expect(store.asked).toHaveLength(1);
      await (how === 'answered' ? store.asked[0]!.answer(RENEWED) : store.asked[0]!.fail());
      expect(store.asked).toHaveLength(2);
      await store.asked[1]!.answer(RENEWED);
      expect(store.asked).toHaveLength(2);
    },
  );

  it('does not ask again when it is released meanwhile', async () => {
    const one = hold();
    one.confirm();
    one.confirm();
    void one.release();
    await store.asked[0]!.answer(RENEWED);
    expect(store.asked).toHaveLength(1);
    expect(lost).toEqual([]);
  });

  it('is not prolonged by the question after a notice, unless something else asks for that', async () => {
    const one = hold({ renews: false });
    clock.pass(1_000);
    const revoked = { kind: 'revoked', id: 'id', reason: 'test' } as const;
    one.notice(revoked);
    expect(store.asked.map(({ ttl }) => ttl)).toEqual([TTL - 1_000]);
    one.notice(revoked);
    one.confirm();
    await store.asked[0]!.answer(RENEWED);
    expect(store.asked.map(({ ttl }) => ttl)).toEqual([TTL - 1_000, TTL]);
  });

  it('renews with a new ttl only after what is in flight with the old one', async () => {
    const one = hold();
    one.confirm();
    const longer = one.renewNow(2 * TTL);
    await store.asked[0]!.answer(RENEWED);
    expect(store.asked.map(({ ttl }) => ttl)).toEqual([TTL, 2 * TTL]);
    await store.asked[1]!.answer(RENEWED);
    await expect(longer).resolves.toBe('renewed');
  });

  it('has no timer of its own while it is not confirmed, and renews by itself from then on', async () => {
    const one = hold({ claimed: true });
    expect(clock.timers.size).toBe(0);
    one.confirm();
    await store.asked[0]!.answer(RENEWED);
    clock.pass(TTL / 2);
    expect(store.asked).toHaveLength(2);
  });

  it('is neither lost nor longer by an unknown outcome, and asks again', async () => {
    const one = hold();
    const { deadline } = one;
    one.confirm();
    await store.asked[0]!.fail();
    expect(one.deadline).toBe(deadline);
    expect(lost).toEqual([]);
    clock.pass(TTL / 30 + 5);
    expect(store.asked).toHaveLength(2);
    await store.asked[1]!.answer({ outcome: 'lost' });
    expect(lost).toEqual(['taken']);
  });
});
