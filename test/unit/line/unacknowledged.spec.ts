import { SystemClock } from '../../../lib/base/clock.js';
import { LockStoreError } from '../../../lib/base/errors.js';
import { LockService } from '../../../lib/locks/lock-service.js';
import { LockSettings } from '../../../lib/locks/lock-settings.js';
import type { AcquireOperation } from '../../../lib/store/lock-operation.js';
import { MemoryServer } from '../../../lib/store/memory/memory-server.js';
import { MemoryStore } from '../../../lib/store/memory/memory-store.js';
import { newSession } from '../../../lib/store/session-id.js';
import { failureOf, pass, until } from '../../support/eventually.js';
import { FaultyStore } from '../../support/faulty-store.js';

const QUIET = { warn: () => undefined };

describe('a grant that too few replicas have', () => {
  const clock = new SystemClock();
  let server: MemoryServer;
  let store: FaultyStore;
  let locks: LockService;
  let others: LockService;
  /** How many replicas there are; two are asked for. */
  let replicas: number;

  beforeEach(() => {
    const settings = new LockSettings({ shutdownGrace: 0 });
    server = new MemoryServer(clock);
    store = new FaultyStore(server, newSession(), clock);
    locks = LockService.over(store, settings, clock, QUIET);
    others = LockService.over(new MemoryStore(server, newSession(), clock), settings, clock, QUIET);
    replicas = 1;
    store.fault = (operation) =>
      operation.kind === 'acquire' ? Promise.resolve(acquire(operation)) : undefined;
  });
  afterEach(() => Promise.all([locks.close(), others.close()]));

  /** What a store says that waits for two replicas. */
  function acquire(operation: AcquireOperation) {
    const times = { sentAt: clock.now(), receivedAt: clock.now() };
    const answer = server.apply('name', operation);
    if (answer.outcome !== 'granted') return { ...answer, ...times };
    if (replicas >= 2) return { ...answer, ...times, replicas };
    const error = new LockStoreError(`${replicas} of 2 replicas`, 'name', { replicas });
    return { ...times, outcome: 'unacknowledged', now: answer.now, error };
  }
  const sent = (kind: string) => store.sent.filter((operation) => operation.kind === kind);
  const ids = (kind: string) => sent(kind).map((operation) => (operation as { id: string }).id);

  it('is given back by its id, and whoever asks once fails with the counts', async () => {
    const error = await failureOf<LockStoreError>(locks.tryAcquire('name'));
    expect(error).toMatchObject({ code: 'LOCK_STORE', refused: false, replicas: 1 });
    expect(error.message).toMatch(/1 of 2 replicas/);
    await until('it is given back', () => sent('release').length > 0);
    expect(sent('release')).toEqual([expect.objectContaining({ id: ids('acquire')[0], used: 0 })]);
    expect((await others.inspect('name')).holders).toEqual([]);
    await expect(others.tryAcquire('name')).resolves.toMatchObject({ held: true });
  });

  it('is asked for again under a new id while its caller waits', async () => {
    const acquired = locks.acquire('name', { wait: '5s' });
    await until('it was asked for twice', () => sent('acquire').length === 2);
    replicas = 2;
    const lease = await acquired;
    expect(lease).toMatchObject({ held: true, replicas: 2 });
    const [holder] = (await others.inspect('name')).holders;
    expect(holder!.fences[0]).toBe(lease.fence);
    expect(new Set(ids('acquire')).size).toBe(ids('acquire').length);
    expect(ids('release')).toEqual(ids('acquire').slice(0, -1)); // each of those that were given back, once
  });

  it('does not stand in the way of others meanwhile', async () => {
    const acquired = locks.acquire('name', { wait: '5s' });
    await until('it was given back', () => sent('release').length === 1);
    const other = (await others.tryAcquire('name'))!;
    await until('it was asked for again', () => sent('acquire').length > 1);
    replicas = 2;
    await pass(30);
    expect(other.held).toBe(true);
    expect(await other.release()).toBe('released');
    await expect(acquired).resolves.toMatchObject({ held: true });
  });

  it('fails the call at the end of its wait with the counts, though others hold the lock by then', async () => {
    const acquired = failureOf<LockStoreError>(locks.acquire('name', { wait: 150 }));
    await until('it was given back', () => sent('release').length === 1);
    await others.tryAcquire('name');
    const error = await acquired;
    expect(error).toMatchObject({ code: 'LOCK_STORE', replicas: 1 });
    expect(error.message).toMatch(/1 of 2 replicas.*gave up after 1[5-9]\d ms/);
  });

  it('is no trouble of a call that came later', async () => {
    const { signal, abort } = withAbort();
    const first = failureOf(locks.acquire('name', { wait: '5s', signal }));
    await until('it was given back', () => sent('release').length === 1);
    await others.tryAcquire('name');
    await until('it waits', () => sent('acquire').length > 1);
    expect(await failureOf(locks.acquire('name', { wait: 100 }))).toMatchObject({ code: 'LOCK_BUSY' });
    abort();
    await first;
  });

  it('is given back when its answer comes after the caller has gone', async () => {
    const { signal, abort } = withAbort();
    let answer = (): void => undefined;
    store.fault = (operation) => {
      if (operation.kind !== 'acquire') return undefined;
      return new Promise((resolve) => (answer = () => resolve(acquire(operation))));
    };
    const acquired = failureOf(locks.acquire('name', { signal }));
    await until('it is asked for', () => sent('acquire').length === 1);
    abort();
    expect(await acquired).toMatchObject({ reason: 'aborted' });
    const before = sent('release').length;
    answer();
    await until('it is given back once more', () => sent('release').length > before, 500);
    expect((await others.inspect('name')).holders).toEqual([]);
  });

  it('fails at once when the store refuses to wait for replicas, and is given back', async () => {
    store.fault = (operation) => {
      if (operation.kind !== 'acquire') return undefined;
      const error = new LockStoreError('NOPERM', 'name', { refused: true, replicas: 0 });
      return Promise.resolve({ ...acquire(operation), outcome: 'unacknowledged', error });
    };
    expect(await failureOf(locks.acquire('name', { wait: '5s' }))).toMatchObject({ refused: true });
    await until('it is given back', () => sent('release').length === 1);
    expect((await others.inspect('name')).holders).toEqual([]);
  });

  it('is counted on the lease: of a grant, of a hand-off inside the process, and of several names the least', async () => {
    replicas = 3;
    const first = await locks.acquire('name');
    const second = locks.acquire('name');
    await first.release();
    expect(await second).toMatchObject({ replicas: 3 });
    await (await second).using((entry) => expect(entry.replicas).toBe(3));
    await (await second).release();
    store.fault = () => undefined;
    expect(await locks.acquire('other')).toMatchObject({ replicas: 0 });
  });
});

function withAbort(): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}
