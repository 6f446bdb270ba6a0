import { hostname } from 'node:os';
import { channel, tracingChannel } from 'node:diagnostics_channel';
import type { LockBusyError } from '../../../lib/base/errors.js';
import { Lines } from '../../../lib/line/lines.js';
import { createLockService } from '../../../lib/locks/create-lock-service.js';
import type { LockService } from '../../../lib/locks/lock-service.js';
import { WHOLE } from '../../../lib/store/lock-machine.js';
import { MemoryServer } from '../../../lib/store/memory/memory-server.js';
import { failureOf, until } from '../../support/eventually.js';
import { HandClock } from '../../support/hand-clock.js';
import { HandStore, turned } from '../../support/hand-store.js';
import { HeardEvents } from '../../support/heard-events.js';

const HERE = { host: hostname(), pid: process.pid };
const TTL = 3_000;

describe('what locks tell over diagnostics channels', () => {
  let locks: LockService;
  let heard: HeardEvents;
  beforeEach(() => {
    locks = createLockService({ redis: 'memory', shutdownGrace: 0 });
    heard = new HeardEvents();
  });
  afterEach(async () => {
    heard[Symbol.dispose]();
    await locks.close();
  });

  it('is the grant and the release of a lease, with its name, label, units, fence and times', async () => {
    const lease = await locks.acquire('order:7', { label: 'payment' });
    await lease.release();
    expect(heard.orderOf('order:7')).toEqual([
      ...['acquire:start', 'acquire:end', 'granted', 'acquire:asyncStart', 'acquire:asyncEnd'],
      'released',
    ]);
    const about = { name: 'order:7', label: 'payment', units: WHOLE };
    const [granted] = heard.of('granted', 'order:7');
    const acquire = heard.of('acquire:start', 'order:7')[0];
    const { fence } = lease;
    expect(granted).toEqual({
      ...about,
      fence,
      leaseId: expect.any(String),
      waited: expect.any(Number),
      handedOff: false,
      capacity: WHOLE,
      remaining: expect.any(Number),
      acquire: expect.anything(),
    });
    expect(granted!['acquire']).toBe(acquire);
    expect(acquire).toMatchObject({ ...about, wait: 11_500, result: lease });
    const { leaseId } = granted!;
    expect(heard.of('released', 'order:7')).toEqual([{ ...about, fence, leaseId, held: expect.any(Number) }]);
  });

  it('is no label where a call gave none', async () => {
    await locks.using('plain', () => undefined);
    for (const on of ['granted', 'released', 'acquire:start'])
      expect(heard.of(on, 'plain')[0]).not.toHaveProperty('label');
  });

  it('is a hand-off inside the process, as another lease of its own', async () => {
    const first = await locks.acquire('hot');
    const second = locks.acquire('hot');
    await first.release();
    await (await second).release();
    const granted = heard.of('granted', 'hot');
    expect(granted.map(({ handedOff }) => handedOff)).toEqual([false, true]);
    expect(new Set(granted.map(({ leaseId }) => leaseId)).size).toBe(2);
    expect(granted[1]!['waited']).toBeGreaterThan(0);
    expect(heard.of('released', 'hot').map(({ leaseId }) => leaseId)).toEqual(
      granted.map(({ leaseId }) => leaseId),
    );
  });

  it('is each refusal, with its reason, how long the call waited, and who holds the lock', async () => {
    await using _lease = await locks.acquire('stock', { label: 'audit' });
    const error = await failureOf<LockBusyError>(locks.acquire('stock', { wait: 20 }));
    expect(await locks.tryAcquire('stock')).toBeUndefined();
    await failureOf(locks.acquire('stock', { signal: AbortSignal.abort() }));
    const told = heard.of('busy', 'stock');
    expect(told.map(({ reason }) => reason)).toEqual(['timeout', 'held', 'aborted']);
    expect(told[0]).toMatchObject({
      waited: error.waited,
      holder: { ...HERE, label: 'audit' },
      units: WHOLE,
    });
    expect(told[0]!['acquire']).toBe(heard.of('acquire:start', 'stock')[1]);
    expect(heard.of('acquire:error', 'stock')[0]).toMatchObject({ wait: 20, error });
  });

  it('is the permits of a semaphore and the unit of a reader', async () => {
    await locks.semaphore('pool', 3).using(() => undefined, { units: 2 });
    await locks.readWrite('book').read.using(() => undefined);
    expect(heard.of('granted', 'pool')[0]).toMatchObject({ units: 2 });
    expect(heard.of('released', 'book')[0]).toMatchObject({ units: 1 });
  });

  it('is one lease that goes on as a reader: it is released once', async () => {
    const lease = await locks.readWrite('page').write.acquire();
    await (await lease.downgrade()).release();
    const [granted] = heard.of('granted', 'page');
    expect(heard.of('released', 'page')).toEqual([
      expect.objectContaining({ leaseId: granted!['leaseId'], units: 1 }),
    ]);
  });

  it('is a loss, once and instead of a release', async () => {
    const lease = await locks.acquire('short', { ttl: 100, renew: false, label: 'slow' });
    await until('it is lost', () => heard.of('lost', 'short').length > 0);
    expect(await lease.release()).toBe('expired');
    const [granted] = heard.of('granted', 'short');
    const { leaseId } = granted!;
    expect(heard.of('lost', 'short')).toEqual([
      expect.objectContaining({ leaseId, fence: lease.fence, label: 'slow', reason: 'expired' }),
    ]);
    expect(heard.of('lost', 'short')[0]!['held']).toBeGreaterThan(80);
    expect(heard.of('released', 'short')).toEqual([]);
  });

  it('is a revocation where it was made, and the loss where the lease was held', async () => {
    await using _lease = await locks.acquire('wrong', { label: 'batch', ttl: 300 });
    expect(await locks.revoke('nobody', { reason: 'tidy up' })).toBe(false);
    await locks.revoke('wrong', { reason: 'by hand', force: true });
    await until('it is lost', () => heard.of('lost', 'wrong').length > 0);
    expect(heard.of('revoked', 'wrong')).toEqual([
      { name: 'wrong', reason: 'by hand', force: true, holders: 1, holder: { ...HERE, label: 'batch' } },
    ]);
    expect(heard.of('lost', 'wrong')).toEqual([
      expect.objectContaining({ reason: 'revoked', revokeReason: 'by hand' }),
    ]);
    expect(heard.of('revoked', 'nobody')).toEqual([]);
  });

  it('is the loss of what a shutdown takes away', async () => {
    await locks.acquire('late');
    await locks.close();
    expect(heard.of('lost', 'late')).toEqual([expect.objectContaining({ reason: 'closed' })]);
  });
});

describe('without a listener', () => {
  it('nothing is told, and a trace that nobody follows is not in the message', async () => {
    const locks = createLockService({ redis: 'memory', shutdownGrace: 0 });
    const silent = [...'granted busy released lost at-risk renewed revoked store-error'.split(' ')];
    for (const on of silent) expect(channel(`nestjs-distributed-lock:${on}`).hasSubscribers).toBe(false);
    expect(tracingChannel('nestjs-distributed-lock:acquire').hasSubscribers).toBe(false);
    const heard = new HeardEvents({ plain: ['granted'], traced: false });
    await locks.using('untraced', () => undefined);
    heard[Symbol.dispose]();
    await locks.using('untraced', () => undefined);
    expect(heard.of('granted', 'untraced')).toHaveLength(1);
    expect(heard.of('granted', 'untraced')[0]).not.toHaveProperty('acquire');
    await locks.close();
  });
});

describe('what is told of the store', () => {
  let clock: HandClock, store: HandStore, lines: Lines, heard: HeardEvents;
  beforeEach(() => {
    clock = new HandClock();
    store = new HandStore(new MemoryServer(clock), clock);
    store.held = ({ kind }) => kind !== 'acquire';
    lines = new Lines(store.store, clock, () => 0);
    heard = new HeardEvents();
  });
  afterEach(() => heard[Symbol.dispose]());

  const acquire = (wait = 60_000) => {
    const terms = { units: 1, capacity: 1, ttl: TTL, guard: 300, once: wait === 0, identity: 'host:1 work' };
    const patience = { wait, renews: true, maxHold: Infinity, maxWaiters: Infinity, signal: undefined };
    return lines.acquire({ name: 'name', terms, ...patience }, { leaseOn: (lease) => lease });
  };

  it('is a renewal: how late its answer came since it was due, and how long it took', async () => {
    const lease = await acquire();
    const late = 50; // the event loop is late
    clock.pass(TTL / 3 + late);
    expect(store.of('renew')).toHaveLength(1);
    clock.pass(70);
    await store.of('renew')[0]!.answer();
    const [told] = heard.of('renewed', 'name');
    const { leaseId } = heard.of('granted', 'name')[0]!;
    expect(told).toMatchObject({ label: 'work', fence: lease.fence, leaseId });
    expect(told!['took']).toBe(70);
    // A third of the ttl is counted back from the holder's deadline, which is a little before the ttl is over.
    expect(told!['lag']).toBe(late + 70 + (TTL * 0.01 + 2 - 2));
  });

  it('is the lag of a renewal from the first time that it was due, retries included; 0 before it is due', async () => {
    const lease = await acquire();
    clock.pass(TTL / 3);
    await store.of('renew')[0]!.lose();
    clock.pass(400);
    await store.of('renew')[1]!.answer();
    expect(heard.of('store-error', 'name')).toEqual([
      { name: 'name', command: 'renew', refused: false, message: 'No answer.' },
    ]);
    expect(heard.of('renewed', 'name')[0]!['lag']).toBeGreaterThanOrEqual(400);
    void lease.renew({ ttl: 2 * TTL, guard: 500 });
    await turned();
    await store.of('renew')[2]!.answer();
    expect(heard.of('renewed', 'name')[1]!['lag']).toBe(0);
  });

  it('is a lease at risk, once until its renewal is answered', async () => {
    const lease = await acquire();
    for (let ms = 0; ms < TTL * 0.6; ms += 10) clock.pass(10);
    const { leaseId } = heard.of('granted', 'name')[0]!;
    expect(heard.of('at-risk', 'name')).toEqual([
      {
        ...{ name: 'name', label: 'work', units: 1, fence: lease.fence, leaseId },
        ...{ held: TTL / 2, remaining: TTL * 0.49 - 2 },
      },
    ]);
    await store.of('renew')[0]!.answer();
    expect(heard.orderOf('name').slice(-2)).toEqual(['at-risk', 'renewed']);
  });

  it.each(['refuse', 'lose'] as const)('is each command that fails: %s', async (how) => {
    store.held = () => true;
    const failing = failureOf(acquire(0));
    await store.of('acquire')[0]![how]();
    await failing;
    const refused = how === 'refuse';
    expect(heard.of('store-error', 'name')).toContainEqual({
      name: 'name',
      command: 'acquire',
      refused,
      message: refused ? 'Refused.' : 'No answer.',
    });
  });

  it('costs no command: a cycle sends the same with listeners as without', async () => {
    const cycle = async (): Promise<unknown> => {
      store.commands.length = 0;
      const lease = await acquire();
      void lease.release();
      return store.commands.map(({ operation }) => Object.keys(operation));
    };
    store.held = () => false;
    const listened = await cycle();
    heard[Symbol.dispose]();
    expect(await cycle()).toEqual(listened);
    expect(store.kinds).toEqual(['acquire', 'release']);
  });

  it('is a loss that only the release has noticed: no release is told, and it was held until its deadline', async () => {
    const lease = await acquire();
    clock.jump(2 * TTL); // as after a suspend: no timer has fired yet
    void lease.release();
    expect(heard.orderOf('name').slice(-1)).toEqual(['lost']);
    expect(heard.of('released', 'name')).toEqual([]);
    expect(heard.of('lost', 'name')).toEqual([
      expect.objectContaining({ reason: 'expired', held: TTL * 0.99 - 2 }),
    ]);
  });

  it('is a release that has to be sent again', async () => {
    const lease = await acquire();
    void lease.release();
    await store.of('release')[0]!.lose();
    expect(heard.of('store-error', 'name')).toEqual([
      expect.objectContaining({ command: 'release', refused: false }),
    ]);
    expect(heard.of('released', 'name')).toHaveLength(1);
  });
});
