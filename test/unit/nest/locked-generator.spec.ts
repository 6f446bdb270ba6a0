import { Inject, Injectable } from '@nestjs/common';
import { createLockService, Locked, LockService } from '../../../lib/index.js';
import { withLocks } from '../../../lib/testing/index.js';
import { errorOf } from '../../support/door.js';

const log: string[] = [];
let locks: LockService;

@Injectable()
class Export {
  @Inject(LockService) readonly locks!: LockService;

  @Locked((id: string) => `export:${id}`, { wait: 0 })
  async *rows(id: string, fail = false): AsyncGenerator<string, string, string | undefined> {
    try {
      log.push('begun');
      const answer = yield `${id}1`;
      log.push(`heard ${answer}, ${locks.current()?.names.join()}`);
      yield `${id}2`;
      if (fail) throw new Error('disk full');
      return 'all';
    } finally {
      await Promise.resolve();
      log.push(`cleaned up under ${locks.current()?.names.join()}`);
    }
  }

  @Locked('export:a', { wait: 0 })
  @Locked('export:b', { wait: 0 })
  async *both(): AsyncGenerator<string> {
    yield* this.rowsInside('a');
  }

  @Locked((id: string) => `export:${id}`, { reentrant: true })
  async *rowsInside(id: string): AsyncGenerator<string> {
    yield `${id}1`;
    yield `${id}2`;
  }

  @Locked('export:a', { wait: 0, onBusy: () => 'busy' })
  async *fallback(): AsyncGenerator<number, string> {
    yield 1;
    return 'all';
  }
}

let service: Export;
beforeEach(() => {
  log.length = 0;
  locks = createLockService();
  service = withLocks(new Export(), locks);
});
afterEach(() => locks.close());

const isFree = async (name: string): Promise<boolean> => {
  const lease = await locks.tryAcquire(name, { wait: 20 });
  await lease?.release();
  return lease !== undefined;
};

describe('@Locked on an async generator', () => {
  it('holds the lock from the first step to the end, also between steps', async () => {
    const rows = service.rows('a');
    expect(await isFree('export:a')).toBe(true);
    expect(await rows.next()).toEqual({ done: false, value: 'a1' });
    expect(await isFree('export:a')).toBe(false);
    expect(await isFree('export:b')).toBe(true);
    expect(await rows.next('yes')).toEqual({ done: false, value: 'a2' });
    expect(await rows.next()).toEqual({ done: true, value: 'all' });
    expect(await isFree('export:a')).toBe(true);
    expect(await rows.next()).toEqual({ done: true, value: undefined });
    expect(await rows.return('late')).toEqual({ done: true, value: 'late' });
    expect(log).toEqual(['begun', 'heard yes, export:a', 'cleaned up under export:a']);
  });

  it('releases when the consumer leaves, after the generator has cleaned up', async () => {
    for await (const row of service.rows('a')) {
      expect(row).toBe('a1');
      break;
    }
    expect(log).toEqual(['begun', 'cleaned up under export:a']);
    expect(await isFree('export:a')).toBe(true);
  });

  it('releases when the generator throws, and passes its error on', async () => {
    const rows = service.rows('a', true);
    await rows.next();
    await rows.next();
    expect(await errorOf(rows.next())).toMatchObject({ message: 'disk full' });
    expect(await isFree('export:a')).toBe(true);
    expect(await rows.next()).toEqual({ done: true, value: undefined });
  });

  it('releases when an error is thrown into it', async () => {
    const rows = service.rows('a');
    await rows.next();
    const error = new Error('enough');
    expect(await errorOf(rows.throw(error))).toBe(error);
    expect(log).toEqual(['begun', 'cleaned up under export:a']);
    expect(await isFree('export:a')).toBe(true);
  });

  it('locks nothing and runs nothing when it is left before its first step', async () => {
    const lease = await locks.acquire('export:a'); // which would refuse every other
    const returned = service.rows('a');
    expect(await returned.return('never mind')).toEqual({ done: true, value: 'never mind' });
    expect(await returned.next()).toEqual({ done: true, value: undefined });
    const thrown = service.rows('a');
    const error = new Error('never mind');
    expect(await errorOf(thrown.throw(error))).toBe(error);
    expect(await thrown.next()).toEqual({ done: true, value: undefined });
    expect(log).toEqual([]);
    await lease.release();
  });

  it('keeps the order of steps that are asked for at once', async () => {
    const rows = service.rows('a');
    const steps = await Promise.all([rows.next(), rows.next(), rows.next(), rows.next()]);
    expect(steps.map(({ value }) => value)).toEqual(['a1', 'a2', 'all', undefined]);
    expect(await isFree('export:a')).toBe(true);
  });

  it('rejects its first step when the lock is busy, and never runs', async () => {
    const first = service.rows('a');
    await first.next();
    expect(await errorOf(service.rows('a').next())).toMatchObject({ code: 'LOCK_BUSY', reason: 'held' });
    expect(await service.fallback().next()).toEqual({ done: true, value: 'busy' });
    expect(log).toEqual(['begun']);
    await first.return('');
  });

  it('has ended when its lock was refused, and is disposed of without another error', async () => {
    const lease = await locks.acquire('export:a');
    const rows = service.rows('a');
    const steps = await Promise.allSettled([rows.next(), rows.next(), rows.return('late')]);
    expect(steps).toEqual([
      { status: 'rejected', reason: expect.objectContaining({ code: 'LOCK_BUSY' }) },
      { status: 'fulfilled', value: { done: true, value: undefined } },
      { status: 'fulfilled', value: { done: true, value: 'late' } },
    ]);
    const error = new Error('enough');
    expect(await errorOf(rows.throw(error))).toBe(error);
    const used = async () => {
      await using disposed = service.rows('a');
      await disposed.next();
    };
    expect(await errorOf(used())).toMatchObject({ code: 'LOCK_BUSY' });
    await lease.release();
    expect(await rows.next()).toEqual({ done: true, value: undefined });
    expect(log).toEqual([]);
  });

  it('rejects its first step on an instance that Nest did not make', async () => {
    const rows = new Export().rows('a');
    expect(await errorOf(rows.next())).toMatchObject({ code: 'LOCK_USAGE' });
    expect(await rows.next()).toEqual({ done: true, value: undefined });
    expect(log).toEqual([]);
  });

  it('enters names again, with reentrant: true, that the generator around it holds', async () => {
    const rows: string[] = [];
    for await (const row of service.both()) {
      rows.push(row);
      expect([await isFree('export:a'), await isFree('export:b')]).toEqual([false, false]);
    }
    expect(rows).toEqual(['a1', 'a2']);
    expect([await isFree('export:a'), await isFree('export:b')]).toEqual([true, true]);
  });

  it('is an async generator to whoever looks at it', () => {
    const rows = service.rows('a');
    expect(Object.prototype.toString.call(rows)).toBe('[object AsyncGenerator]');
    expect(rows[Symbol.asyncIterator]()).toBe(rows);
  });
});
