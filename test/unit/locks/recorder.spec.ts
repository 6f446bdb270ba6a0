import { channel } from 'node:diagnostics_channel';
import { createLockService } from '../../../lib/locks/create-lock-service.js';
import type { LockHistoryEvent } from '../../../lib/locks/lock-history.js';
import type { LockLogEntry } from '../../../lib/locks/lock-log.js';
import type { LockService } from '../../../lib/locks/lock-service.js';
import { WHOLE } from '../../../lib/store/lock-machine.js';
import { check } from '../../proof/faults/checker.js';
import { failureOf, pass, until } from '../../support/eventually.js';

describe('the recorder', () => {
  const opened: LockService[] = [];
  const entries: LockLogEntry[] = [];
  const texts: string[] = [];
  const fields = { warn: () => undefined, write: (entry: LockLogEntry) => void entries.push(entry) };
  const words = { warn: (text: string) => void texts.push(text) };
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((locks) => locks.close()));
    entries.length = texts.length = 0;
  });
  const open = (recorder: boolean | object = true, log: object = fields): LockService => {
    const options = { redis: 'memory', shutdownGrace: 0, recorder, log } as never;
    const locks = createLockService(options);
    opened.push(locks);
    return locks;
  };
  const of = (locks: LockService, type: LockHistoryEvent['type']): LockHistoryEvent[] =>
    locks.recording().filter((event) => event.type === type);
  const linesOf = (text = ''): LockHistoryEvent[] =>
    text
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as LockHistoryEvent);

  it('is off unless it is asked for, and listens to nothing then', async () => {
    const locks = open(false);
    await locks.using('x', () => undefined);
    expect(locks.recording()).toEqual([]);
    expect(channel('nestjs-distributed-lock:granted').hasSubscribers).toBe(false);
    const recorded = open();
    expect(channel('nestjs-distributed-lock:granted').hasSubscribers).toBe(true);
    await recorded.close();
    expect(channel('nestjs-distributed-lock:granted').hasSubscribers).toBe(false);
  });

  it('has a call, its grant and its release under one id, and what a busy call was told', async () => {
    const locks = open();
    const lease = await locks.acquire('x');
    await locks.tryAcquire('x');
    await failureOf(locks.acquire('x', { wait: 20 }));
    await lease.release();
    const [rule, ...rest] = locks.recording();
    expect(rule).toEqual({ type: 'rule', name: 'x', capacity: WHOLE });
    const { fence } = lease;
    const [first] = rest as { id: string }[];
    const { id } = first!;
    expect(rest.filter((event) => 'id' in event && event.id === id)).toEqual([
      expect.objectContaining({ type: 'acquire', name: 'x', kind: 'mutex', units: WHOLE }),
      expect.objectContaining({ type: 'granted', fence, held: true }),
      expect.objectContaining({ type: 'release' }),
    ]);
    expect(of(locks, 'refused').map((event) => 'code' in event && event.code)).toEqual([
      'LOCK_BUSY:held',
      'LOCK_BUSY:timeout',
    ]);
  });

  it('is read by the checker of the proofs, which finds nothing in what has happened', async () => {
    const locks = open();
    const some = Array.from({ length: 10 }, (_, n) => n);
    await Promise.all([
      ...some.map(() => locks.using('x', () => pass(1))),
      ...some.map((n) => {
        const { read, write } = locks.readWrite('book');
        return n % 3 === 0 ? write.using(() => pass(1)) : read.using(() => pass(2));
      }),
      ...some.map((n) => locks.semaphore('pool', 3).using(() => pass(1), { units: 1 + (n % 2) })),
      failureOf(locks.using('x', () => undefined, { wait: 1 })),
    ]);
    const writer = await locks.readWrite('page').write.acquire({ ttl: 200 });
    const reader = await writer.downgrade();
    await until('it is renewed', () => of(locks, 'sample').length > 0);
    await locks.readWrite('page').read.using(() => undefined);
    await reader.release();
    const verdict = check(
      linesOf(
        locks
          .recording()
          .map((event) => JSON.stringify(event))
          .join('\n'),
      ),
    );
    expect(verdict.violations).toEqual([]);
    expect(verdict.grants).toBe(32);
    expect(verdict.refusals).toBe(1);
    expect(verdict.kinds).toMatchObject({ permits: 10 });
  });

  it('shows two at once to the checker, if that had happened', async () => {
    const locks = open();
    const lease = await locks.acquire('x');
    const events = locks.recording();
    const twin = events.map((event) => ('id' in event ? { ...event, id: `other ${event.id}` } : event));
    const { violations } = check([...events, ...twin]);
    expect(violations.join()).toMatch(/x: .* hold it at once/);
    await lease.release();
  });

  it('keeps the last 256 acquisitions', async () => {
    const locks = open();
    for (let n = 0; n < 300; n += 1) await locks.using(`x:${n}`, () => undefined);
    const names = of(locks, 'acquire').map((event) => 'name' in event && event.name);
    expect(names).toEqual(Array.from({ length: 256 }, (_, n) => `x:${n + 44}`));
    expect(of(locks, 'release')).toHaveLength(256);
  });

  it('has what belongs to its registration only', async () => {
    const [locks, other] = [open(), open()];
    const lease = await other.acquire('x');
    await locks.using('x', () => undefined);
    expect(of(locks, 'granted')).toHaveLength(1);
    expect(of(locks, 'acquire')).toHaveLength(1);
    expect(check(locks.recording()).violations).toEqual([]);
    await lease.release();
  });

  it('keeps its last 256 acquisitions, however much another registration does', async () => {
    const [locks, other] = [open(), open(false)];
    const lease = await locks.acquire('x');
    const foreign = await other.acquire('y');
    for (let n = 0; n < 300; n += 1) await other.tryAcquire('y');
    const waiting = other.acquire('y');
    expect(of(locks, 'refused')).toEqual([]);
    await lease.release();
    await foreign.release();
    await (await waiting).release();
    expect(locks.recording().map(({ type }) => type)).toEqual(['rule', 'acquire', 'granted', 'release']);
  });

  it('knows the kind of a call that is refused', async () => {
    const locks = open();
    const { read } = locks.readWrite('book');
    const leases = [await locks.semaphore('pool', 3).acquire({ units: 2 }), await locks.acquire('book')];
    await locks.semaphore('pool', 3).tryAcquire({ units: 2 });
    await read.tryAcquire();
    const refused = of(locks, 'acquire').slice(-2);
    expect(refused).toMatchObject([
      { name: 'pool', kind: 'permits', units: 2 },
      { name: 'book', kind: 'read', units: 1 },
    ]);
    expect(locks.recording()[0]).toEqual({ type: 'rule', name: 'pool', capacity: 3 });
    await Promise.all(leases.map((lease) => lease.release()));
  });

  it('is logged with each loss, as far as it is about its name: as a field, or behind the text', async () => {
    for (const [log, said] of [
      [fields, () => entries.find(({ event }) => event === 'lost')?.recording],
      [words, () => texts.find((text) => text.includes('was gone'))],
    ] as const) {
      const locks = open(true, log);
      await locks.using('elsewhere', () => undefined);
      const lease = await locks.acquire('x');
      locks.lose('x', 'taken');
      await until('it is logged', () => said() !== undefined);
      const types = linesOf(said()).map(({ type }) => type);
      expect(types).toEqual(['rule', 'acquire', 'granted', 'lost']);
      await lease.release();
    }
  });

  it('is logged at a signal, if that is asked for', async () => {
    const locks = open({ signal: 'SIGUSR2' });
    await locks.using('x', () => undefined);
    process.emit('SIGUSR2');
    const [entry] = entries.filter(({ event }) => event === 'recording');
    expect(entry).toMatchObject({ level: 'log', count: 4 });
    expect(linesOf(entry!.recording)).toHaveLength(4);
    await locks.close();
    process.emit('SIGUSR2');
    expect(entries.filter(({ event }) => event === 'recording')).toHaveLength(1);
  });

  it.each([
    ['yes', /option recorder takes true, false, or an object.*it was 'yes'/],
    [{ signal: 'SIGKILL' }, /recorder.signal takes 'SIGUSR2' or 'SIGHUP'.*'SIGKILL'/],
    [{ size: 3 }, /size/],
  ])('refuses %p', (recorder, message) => {
    expect(() => open(recorder as never)).toThrow(message);
  });
});
