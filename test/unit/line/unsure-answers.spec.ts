import { SystemClock } from '../../../lib/base/clock.js';
import { LockStoreError } from '../../../lib/base/errors.js';
import { LockService } from '../../../lib/locks/lock-service.js';
import { LockSettings } from '../../../lib/locks/lock-settings.js';
import { MemoryServer } from '../../../lib/store/memory/memory-server.js';
import { newSession } from '../../../lib/store/session-id.js';
import { abortOf, failureOf, pass, until } from '../../support/eventually.js';
import { FaultyStore } from '../../support/faulty-store.js';

describe('answers that leave something open', () => {
  const clock = new SystemClock();
  let server: MemoryServer;
  let store: FaultyStore;
  let locks: LockService;

  beforeEach(() => {
    server = new MemoryServer(clock);
    store = new FaultyStore(server, newSession(), clock);
    locks = new LockService(store, new LockSettings({ shutdownGrace: 0 }), clock, { warn: () => undefined });
  });
  afterEach(() => {
    store.fault = () => undefined;
    return locks.close();
  });

  const sent = (kind: string) => store.sent.filter((operation) => operation.kind === kind);

  it('a renewal that is read too late is no loss: it is sent again', async () => {
    const lease = await locks.acquire('name', { ttl: 300 });
    let late = 0;
    store.fault = ({ kind }) => {
      if (kind !== 'renew' || late === 2) return undefined;
      late += 1;
      const now = clock.now();
      return Promise.resolve({ outcome: 'late', now: server.time(), sentAt: now, receivedAt: now });
    };
    await until('two renewals were late and the third was not', () => sent('renew').length === 3);
    await pass(5);
    expect(lease.held).toBe(true);
    expect(lease.remaining).toBeGreaterThan(200);
  });

  it('an id whose acquire was not answered is released again when no copy of it can be read any more', async () => {
    store.fault = ({ kind }) =>
      kind === 'acquire' ? Promise.reject(new LockStoreError('no answer', 'name')) : undefined;
    await expect(locks.tryAcquire('name', { ttl: 300 })).rejects.toMatchObject({ code: 'LOCK_STORE' });
    const [acquire] = sent('acquire');
    await until('it is released twice', () => sent('release').length === 2);
    const { notAfter } = acquire as { notAfter: number };
    expect(server.time()).toBeGreaterThan(notAfter);
    await pass(20);
    expect(sent('release')).toHaveLength(2);
  });

  it('a release that finds the value of somebody else is not repeated: nothing of ours is there', async () => {
    const lease = await locks.acquire('name', { ttl: 5_000 });
    store.fault = ({ kind }) =>
      kind === 'release'
        ? Promise.reject(new LockStoreError('foreign', 'name', { refused: true, foreign: true }))
        : undefined;
    expect(await lease.release()).toBe('expired');
    await pass(120);
    expect(sent('release')).toHaveLength(1);
  });

  it('a release over the value of somebody else is repeated while an acquire may still be read', async () => {
    const foreign = new LockStoreError('foreign', 'name', { refused: true, foreign: true });
    store.fault = ({ kind }) =>
      kind === 'acquire' ? Promise.reject(new LockStoreError('no answer', 'name')) : Promise.reject(foreign);
    await expect(locks.tryAcquire('name', { ttl: 300 })).rejects.toMatchObject({ code: 'LOCK_STORE' });
    store.fault = () => undefined;
    await until('it is released', () => sent('release').length >= 2);
  });

  it('a release that is refused is repeated, ever more slowly, until the server takes it', async () => {
    const lease = await locks.acquire('name', { ttl: 10_000 });
    store.fault = ({ kind }) =>
      kind === 'release'
        ? Promise.reject(new LockStoreError('NOPERM', 'name', { refused: true }))
        : undefined;
    const released = lease.release();
    await pass(800);
    const before = sent('release').length; // after 0, 50, 150, 350 and 750 ms
    expect(before).toBeGreaterThan(2);
    expect(before).toBeLessThan(6);
    store.fault = () => undefined;
    expect(await released).toBe('released');
    expect((await locks.inspect('name')).holders).toEqual([]);
  });

  it('a renewal that finds the value of somebody else is a loss at once', async () => {
    const lease = await locks.acquire('name', { ttl: 5_000 });
    store.fault = ({ kind }) =>
      kind === 'renew'
        ? Promise.reject(new LockStoreError('foreign', 'name', { refused: true, foreign: true }))
        : undefined;
    await expect(lease.renew()).rejects.toMatchObject({ code: 'LOCK_LOST', reason: 'taken' });
    expect(lease.held).toBe(false);
  });

  it('a downgrade that finds the value of somebody else is a loss at once', async () => {
    const writer = await locks.readWrite('name').write.acquire();
    store.fault = ({ kind }) =>
      kind === 'downgrade'
        ? Promise.reject(new LockStoreError('foreign', 'name', { refused: true, foreign: true }))
        : undefined;
    await expect(writer.downgrade()).rejects.toMatchObject({ code: 'LOCK_LOST', reason: 'taken' });
    await pass(120);
    expect(sent('downgrade')).toHaveLength(1);
  });

  it('a grant whose answer comes after the caller has gone is given back', async () => {
    let answer: () => void = () => undefined;
    const arrives = new Promise<void>((resolve) => (answer = resolve));
    store.fault = (operation) => {
      if (operation.kind !== 'acquire') return undefined;
      store.fault = () => undefined;
      return arrives.then(() => store.execute('name', operation, 1_000));
    };
    const controller = new AbortController();
    const waits = locks.acquire('name', { signal: controller.signal });
    await until('it is under way', () => sent('acquire').length === 1);
    controller.abort();
    await expect(waits).rejects.toMatchObject({ reason: 'aborted' });
    answer();
    await until('it is given back', async () => {
      const { holders } = await locks.inspect('name');
      return holders.length === 0 && sent('acquire').length === 2;
    });
  });

  it('a writer that downgrades is no writer from the moment in which it says so', async () => {
    const writer = await locks.readWrite('name').write.acquire();
    store.fault = ({ kind }) =>
      kind === 'downgrade' ? pass(50).then(() => ({ outcome: 'downgraded' })) : undefined;
    const downgrade = writer.downgrade();
    expect(writer.held).toBe(false);
    await pass(1); // an answer is 49 ms away
    expect(await locks.readWrite('name').write.tryAcquire()).toBeUndefined();
    await (await downgrade).release();
  });

  it('a downgrade that finds no lease at the store is a loss at once, also at its repetition', async () => {
    const at = () => ({ now: server.time(), sentAt: clock.now(), receivedAt: clock.now() });
    for (const unanswered of [0, 1]) {
      const before = sent('downgrade').length;
      const writer = await locks.readWrite('name').write.acquire();
      store.fault = ({ kind }) => {
        if (kind !== 'downgrade') return undefined;
        return sent('downgrade').length - before <= unanswered
          ? Promise.reject(new LockStoreError('no answer', 'name'))
          : Promise.resolve({ outcome: 'lost', ...at() });
      };
      const downgraded = writer.downgrade();
      if (unanswered === 0) expect(await failureOf(downgraded)).toMatchObject({ reason: 'taken' });
      else {
        const reader = await downgraded; // unknown is no loss
        expect(reader.held).toBe(true);
        expect(await abortOf(reader.signal)).toMatchObject({ code: 'LOCK_LOST', reason: 'taken' });
        expect(() => reader.assertHeld()).toThrow('no longer knows it');
      }
      expect(sent('renew')).toEqual([]); // nobody had to wait for a renewal
      store.fault = () => undefined;
      await locks.revoke('name', { reason: 'the store of this test knows it still', force: true });
    }
  });
});
