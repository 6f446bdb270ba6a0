import { SystemClock } from '../../../lib/base/clock.js';
import { Lines } from '../../../lib/line/lines.js';
import { WHOLE } from '../../../lib/store/lock-machine.js';
import type { Answered } from '../../../lib/store/lock-store.js';
import type { RenewOperation } from '../../../lib/store/lock-operation.js';
import { MemoryServer } from '../../../lib/store/memory/memory-server.js';
import { newSession } from '../../../lib/store/session-id.js';
import { until } from '../../support/eventually.js';
import { FaultyStore } from '../../support/faulty-store.js';

describe('the news that a hold is contended', () => {
  const clock = new SystemClock();
  let stores: [FaultyStore, FaultyStore];
  let lines: [Lines, Lines];

  beforeEach(() => {
    const server = new MemoryServer(clock);
    const open = () => new FaultyStore(server, newSession(), clock);
    stores = [open(), open()];
    lines = [new Lines(stores[0], clock), new Lines(stores[1], clock)];
  });
  afterEach(async () => {
    await Promise.all(lines.map((line) => line.close(0)));
    await Promise.all(stores.map((store) => store.close()));
  });

  function acquire(line: Lines) {
    const terms = { units: WHOLE, capacity: WHOLE, ttl: 10_000, guard: 500, once: false, identity: 'test:1' };
    const patience = { wait: 5_000, maxHold: Infinity, maxWaiters: Infinity, signal: undefined };
    return line.acquire({ name: 'name', terms, renews: true, ...patience }, { leaseOn: (lease) => lease });
  }

  const renewals = (store: FaultyStore) => store.sent.filter(({ kind }) => kind === 'renew').length;

  it('is not forgotten over the answer to a renewal that the server read before', async () => {
    const [[store], [one, two]] = [stores, lines];
    const held = await acquire(one);
    store.subscribe();
    await until('the first process hears', () => store.subscribed);
    let arrive: () => void = () => undefined;
    const arrives = new Promise<void>((resolve) => (arrive = resolve));
    let answer: Answered<RenewOperation> | undefined;
    store.fault = (operation) => {
      if (operation.kind !== 'renew') return undefined;
      store.fault = () => undefined;
      const read = store.execute('name', operation, 1_000);
      return arrives.then(async () => (answer = await read));
    };
    const renewed = held.hold.renewNow();
    const waiting = acquire(two);
    await until('the news is here', () => held.hold.contended);
    arrive();
    expect(await renewed).toBe('renewed');
    expect(answer).toMatchObject({ outcome: 'renewed', contended: false });
    expect(held.hold.contended).toBe(true);
    await held.release();
    await (await waiting).release();
  });

  it('is not lost when it overtakes the answer that grants', async () => {
    const [[store], [one, two]] = [stores, lines];
    store.subscribe();
    await until('the first process hears', () => store.subscribed);
    let arrive: () => void = () => undefined;
    const arrives = new Promise<void>((resolve) => (arrive = resolve));
    store.fault = (operation) => {
      if (operation.kind !== 'acquire') return undefined;
      store.fault = () => undefined;
      const granted = store.execute('name', operation, 1_000);
      return arrives.then(() => granted);
    };
    const holding = acquire(one);
    await until(
      'the store has granted',
      async () => (await store.read('name', 1_000)).state.holders.length === 1,
    );
    const waiting = acquire(two);
    await until(
      'the other is in the queue',
      async () => (await store.read('name', 1_000)).state.queue.length === 1,
    );
    arrive();
    const held = await holding;
    expect(held.hold.contended).toBe(true);
    await held.release();
    await (await waiting).release();
  });

  it('is asked for when a connection is back, also while a hand-off waits for the event loop', async () => {
    const [[store], [one]] = [stores, lines];
    const held = await acquire(one);
    const next = acquire(one);
    await until(
      'the questions of the beginning are answered',
      () => store.subscribed && renewals(store) === 1,
    );
    await held.hold.renewNow();
    const before = renewals(store);
    void held.release(); // nobody holds it now, until the event loop has turned
    store.wake();
    expect(renewals(store)).toBe(before + 1);
    const lease = await next;
    expect(lease.hold).toBe(held.hold);
    expect(renewals(store)).toBe(before + 1);
    await lease.release();
  });
});
