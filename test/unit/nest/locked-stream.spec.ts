import {
  concat,
  defer,
  EMPTY,
  firstValueFrom,
  lastValueFrom,
  NEVER,
  type Observable,
  of,
  range,
  Subject,
  tap,
  throwError,
  toArray,
} from 'rxjs';
import { createLockService, Locked, LockedStream, type LockService } from '../../../lib/index.js';
import { withLocks } from '../../../lib/testing/index.js';
import { errorOf } from '../../support/door.js';
import { failureOf, until } from '../../support/eventually.js';

let locks: LockService;
let sources: Sources;
let subject: Subject<number>;
const called: string[] = [];

class Sources {
  readonly stopping = new AbortController();

  @LockedStream((id: string) => `feed:${id}`)
  feed(id: string): Observable<number> {
    called.push(`${id} under ${locks.current()?.names.join()}`);
    return subject;
  }

  @LockedStream((id: string) => `feed:${id}`, { wait: 0 })
  numbers(_id: string): Observable<unknown> {
    return concat(
      of(1, 2),
      defer(() => of(locks.current()?.names.join())),
    );
  }

  @LockedStream('feed:a')
  left(leave: () => void): Observable<number> {
    leave();
    return subject;
  }

  @LockedStream('feed:a')
  synchronous(): Observable<number> {
    return range(0, 1_000).pipe(tap((n) => called.push(`step ${n}`)));
  }

  @LockedStream('feed:a', { onBusy: 'skip' })
  skipped(): Observable<number> {
    return of(1);
  }

  @LockedStream('feed:a', { wait: 0, onBusy: ({ reason }) => reason })
  answered(): Observable<string> {
    return of('ran');
  }

  @LockedStream('feed:a', { signal: (signal: AbortSignal) => signal })
  unless(_signal: AbortSignal): Observable<number> {
    return of(1);
  }

  @LockedStream('feed:a')
  broken(error: Error, now = false): Observable<never> {
    if (now) throw error;
    return throwError(() => error);
  }

  @LockedStream((id: string) => `feed:${id}`, { maxHold: 100 })
  brief(_id: string): Observable<number> {
    return subject;
  }

  @LockedStream(['feed:a', 'feed:b'], { maxHold: 100 })
  both(): Observable<never> {
    return NEVER;
  }

  @LockedStream('feed:a')
  noStream(): Observable<number> {
    return 5 as never;
  }
}

beforeEach(() => {
  called.length = 0;
  subject = new Subject();
  locks = createLockService({ log: { warn: () => undefined } });
  sources = withLocks(new Sources(), locks);
});
afterEach(() => locks.close());

const isFree = async (name: string): Promise<boolean> => {
  const lease = await locks.tryAcquire(name);
  await lease?.release();
  return lease !== undefined;
};

describe('@LockedStream', () => {
  it('locks nothing before somebody subscribes, and holds the lock until the source completes', async () => {
    const feed = sources.feed('a');
    expect([called, await isFree('feed:a')]).toEqual([[], true]);
    const seen = lastValueFrom(feed.pipe(toArray()));
    await until('it subscribes', () => subject.observed);
    expect([called, await isFree('feed:a')]).toEqual([['a under feed:a'], false]);
    subject.next(1);
    subject.next(2);
    subject.complete();
    expect(await seen).toEqual([1, 2]);
    expect(await isFree('feed:a')).toBe(true);
  });

  it('locks for each subscription, one after another', async () => {
    const numbers = sources.feed('a');
    const both = [lastValueFrom(numbers), lastValueFrom(numbers)];
    await until('the first subscribes', () => subject.observed);
    expect(called).toHaveLength(1);
    const first = subject;
    subject = new Subject();
    first.next(1);
    first.complete();
    await until('the second subscribes', () => subject.observed);
    subject.next(2);
    subject.complete();
    expect(await Promise.all(both)).toEqual([1, 2]);
  });

  it('gives the source the lease of its context', async () => {
    expect(await lastValueFrom(sources.numbers('x').pipe(toArray()))).toEqual([1, 2, 'feed:x']);
  });

  it('releases when the source fails, or the method throws, and passes the error on', async () => {
    const error = new Error('broken');
    expect(await errorOf(lastValueFrom(sources.broken(error)))).toBe(error);
    expect(await errorOf(lastValueFrom(sources.broken(error, true)))).toBe(error);
    expect(await isFree('feed:a')).toBe(true);
  });

  it('ends the source and then releases when the consumer unsubscribes', async () => {
    const subscription = sources.feed('a').subscribe();
    await until('it subscribes', () => subject.observed);
    subscription.unsubscribe();
    expect(subject.observed).toBe(false);
    await until('the lock is free', () => isFree('feed:a'));
  });

  it('ends a source that emits while it is subscribed, when the consumer unsubscribes', async () => {
    expect(await firstValueFrom(sources.synchronous())).toBe(0);
    expect(called).toEqual(['step 0']);
    await until('the lock is free', () => isFree('feed:a'));
  });

  it('ends the source of a consumer that unsubscribes while the method is called', async () => {
    const subscription = sources.left(() => subscription.unsubscribe()).subscribe();
    await until('it has left', () => subscription.closed);
    await until('the lock is free', () => isFree('feed:a'));
    expect(subject.observed).toBe(false);
  });

  it('leaves the line when the consumer unsubscribes while it waits', async () => {
    const lease = await locks.acquire('feed:a');
    const subscription = sources.feed('a').subscribe();
    subscription.unsubscribe();
    await lease.release();
    expect(await isFree('feed:a')).toBe(true);
    expect(called).toEqual([]);
  });

  it('tells the subscriber that the lock is busy, skips, or emits what onBusy returns', async () => {
    const lease = await locks.acquire('feed:a');
    expect(await errorOf(lastValueFrom(sources.numbers('a')))).toMatchObject({ code: 'LOCK_BUSY' });
    expect(await lastValueFrom(sources.skipped().pipe(toArray()))).toEqual([]);
    expect(await lastValueFrom(sources.answered().pipe(toArray()))).toEqual(['held']);
    const leaving = new AbortController();
    const waiting = failureOf(lastValueFrom(sources.unless(leaving.signal)));
    leaving.abort();
    expect(await waiting).toMatchObject({ code: 'LOCK_BUSY', reason: 'aborted' });
    await lease.release();
    expect(await lastValueFrom(sources.answered().pipe(toArray()))).toEqual(['ran']);
    expect(await lastValueFrom(sources.unless(leaving.signal).pipe(toArray())).catch(() => 'aborted')).toBe(
      'aborted',
    );
  });

  it('ends with the LockLostError when its lease is lost, also if the source is quiet', async () => {
    for (const source of [sources.brief('a'), sources.both()]) {
      expect(await failureOf(lastValueFrom(source))).toMatchObject({
        code: 'LOCK_LOST',
        reason: 'max-hold',
      });
      expect(subject.observed).toBe(false);
    }
    expect(await isFree('feed:a')).toBe(true);
  });

  it('ends with the shutdown', async () => {
    const brief = createLockService({ shutdownGrace: 0, log: { warn: () => undefined } });
    const quiet = failureOf(lastValueFrom(withLocks(new Sources(), brief).feed('a')));
    await until('it subscribes', () => subject.observed);
    await brief.close();
    expect(await quiet).toMatchObject({ code: 'LOCK_LOST', reason: 'closed' });
  });

  it('tells the subscriber of misuse', async () => {
    expect(await errorOf(lastValueFrom(sources.noStream()))).toMatchObject({
      code: 'LOCK_USAGE',
      message: expect.stringMatching(/@LockedStream on Sources\.noStream .*no Observable.*@Locked/),
    });
    expect(await errorOf(lastValueFrom(new Sources().feed('a')))).toMatchObject({
      code: 'LOCK_USAGE',
      message: expect.stringMatching(/@LockedStream on Sources\.feed has no LockService/),
    });
    expect(await isFree('feed:a')).toBe(true);
  });

  it.each([
    ['an async method', { value: async () => EMPTY }],
    [
      'an async generator',
      {
        value: async function* () {
          yield 1;
        },
      },
    ],
  ])('refuses %s when the class is defined', async (_, descriptor) => {
    const decorator = LockedStream('name') as MethodDecorator;
    expect((await errorOf(() => decorator({}, 'work', descriptor as PropertyDescriptor))).message).toMatch(
      /@LockedStream on Object\.work stands on an async method.*@Locked/,
    );
  });
});

describe('a @Locked async generator whose lease is lost', () => {
  const steps: string[] = [];
  const lost = async () => {
    const held = () => locks.inspect('rows').then(({ inUse }) => inUse > 0);
    await until('the lease is lost', async () => !(await held()));
  };
  class Rows {
    @Locked('rows', { maxHold: 100 })
    async *all(): AsyncGenerator<number> {
      try {
        for (let n = 0; ; n += 1) {
          steps.push(`step ${n}`);
          if (n === 2) await lost();
          yield n;
        }
      } finally {
        steps.push('cleaned up');
      }
    }
  }
  beforeEach(() => (steps.length = 0));

  it('takes no further step, cleans up, and rejects', async () => {
    const rows = withLocks(new Rows(), locks).all();
    expect(await rows.next()).toEqual({ done: false, value: 0 });
    await lost();
    expect(await errorOf(rows.next())).toMatchObject({ code: 'LOCK_LOST', reason: 'max-hold' });
    expect(steps).toEqual(['step 0', 'cleaned up']);
    expect(await rows.next()).toEqual({ done: true, value: undefined });
    expect(await isFree('rows')).toBe(true);
  });

  it('hands out nothing of a step during which the lease was lost', async () => {
    const seen: number[] = [];
    const reading = async () => {
      for await (const row of withLocks(new Rows(), locks).all()) seen.push(row);
    };
    expect(await errorOf(reading())).toMatchObject({ code: 'LOCK_LOST', reason: 'max-hold' });
    expect([seen, steps]).toEqual([
      [0, 1],
      ['step 0', 'step 1', 'step 2', 'cleaned up'],
    ]);
  });

  it('tells the loss to a consumer that leaves', async () => {
    const rows = withLocks(new Rows(), locks).all();
    await rows.next();
    await lost();
    expect(await errorOf(rows.return(undefined))).toMatchObject({ code: 'LOCK_LOST' });
    expect(steps).toEqual(['step 0', 'cleaned up']);
  });
});
