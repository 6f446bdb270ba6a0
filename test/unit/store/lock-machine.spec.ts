import {
  applyOperation,
  emptyState,
  expiryOf,
  MOST_FORCED,
  SIGN_OF_LIFE,
  WHOLE,
} from '../../../lib/store/lock-machine.js';
import type {
  AcquireOperation,
  LockNotice,
  LockOperation,
  ReleaseOperation,
  RenewOperation,
  TakeOverOperation,
} from '../../../lib/store/lock-operation.js';

const START = 1_700_000_000_000_000;
const SECOND = 1_000_000;
const [TTL, GUARD, BLOCK] = [10 * SECOND, SECOND / 2, 1_000];

/** The machine with a clock that the test moves, and the notices that it pushed. */
class Machine {
  readonly state = emptyState();
  readonly notices: LockNotice[] = [];
  readonly deaf = new Set<string>();
  now = START;

  acquire(id: string, more: Partial<AcquireOperation> = {}) {
    const asked = { units: WHOLE, capacity: WHOLE, ttl: TTL, guard: GUARD, block: BLOCK };
    const waits = { wait: 60 * SECOND, subscribed: true, seal: `seal-of-${id}`, identity: `of ${id}` };
    return this.do({ kind: 'acquire', id, ...asked, ...waits, ...more });
  }
  read(id: string, more: Partial<AcquireOperation> = {}) {
    return this.acquire(id, { units: 1, ...more });
  }
  renew(id: string, more: Partial<RenewOperation> = {}) {
    return this.do({ kind: 'renew', id, ttl: TTL, guard: GUARD, block: BLOCK, used: 0, ...more });
  }
  release(id: string, more: Partial<ReleaseOperation> = {}) {
    return this.do({ kind: 'release', id, used: 0, keep: 0, done: 0, ...more });
  }
  downgrade(id: string, units = 1, used = 0) {
    return this.do({ kind: 'downgrade', id, units, used });
  }
  revoke(force = false, reason = 'stuck') {
    return this.do({ kind: 'revoke', reason, force });
  }
  takeOver(from: string, id: string, more: Partial<TakeOverOperation> = {}) {
    const times = { ttl: TTL, guard: GUARD, block: BLOCK };
    return this.do({
      kind: 'takeOver',
      from,
      id,
      used: 0,
      units: WHOLE,
      ...times,
      identity: `of ${id}`,
      ...more,
    });
  }
  note(id: string, text: string, turn = 1) {
    return this.do({ kind: 'note', id, text, turn });
  }
  pass(time: number) {
    this.now += time;
    this.notices.length = 0;
    return this;
  }
  get holding() {
    return this.state.holders.map(({ id }) => id);
  }
  get waiting() {
    return this.state.queue.map(({ id }) => id);
  }
  private do<O extends LockOperation>(operation: O) {
    return applyOperation(this.state, operation, this.now, (notice) => {
      if (this.deaf.has(notice.id)) return false;
      this.notices.push(notice);
      return true;
    });
  }
}

let lock: Machine;
beforeEach(() => (lock = new Machine()));

describe('acquire', () => {
  it('grants a free lock for ttl and guard, with a block of fences that begins at the server’s microseconds', () => {
    const answer = lock.acquire('a');
    expect(answer).toEqual({
      outcome: 'granted',
      first: START,
      last: START + BLOCK - 1,
      contended: false,
      done: false,
      now: START,
    });
    expect(lock.state.holders).toMatchObject([{ id: 'a', deadline: START + TTL + GUARD, units: WHOLE }]);
  });

  it('gives a shared hold one fence', () => {
    expect(lock.read('a')).toMatchObject({ first: START, last: START });
    expect(lock.read('b')).toMatchObject({ first: START + 1, last: START + 1 });
  });

  it('answers a repeat with the same fence, and its deadline counts from the repeat', () => {
    const { first } = lock.acquire('a') as { first: number };
    lock.pass(SECOND);
    expect(lock.acquire('a')).toMatchObject({ outcome: 'granted', first });
    expect(lock.state.holders).toMatchObject([{ id: 'a', deadline: lock.now + TTL + GUARD }]);
  });

  it('takes nothing back with a shorter repeat or renewal, not even at a later operation of somebody else', () => {
    lock.acquire('a');
    lock.renew('a', { ttl: SECOND / 10, guard: 0 });
    lock.acquire('a', { ttl: SECOND / 10, guard: 0 });
    lock.pass(SECOND).acquire('b');
    expect(lock.state.holders).toMatchObject([{ id: 'a', deadline: START + TTL + GUARD }]);
  });

  it('answers busy without waiting, with the holder and the end of its hold, and does not queue', () => {
    lock.acquire('a');
    const due = START + TTL + GUARD;
    expect(lock.acquire('b', { wait: 0 })).toEqual({
      outcome: 'busy',
      due,
      holder: 'of a',
      roused: false,
      now: START,
    });
    expect(lock.waiting).toEqual([]);
    expect(lock.notices).toEqual([]);
  });

  it('tells a holder that may linger that its name is wanted, by whoever asks once, unless it knows that others wait', () => {
    lock.acquire('a+');
    expect(lock.acquire('b', { wait: 0 })).toMatchObject({ outcome: 'busy', roused: true });
    expect(lock.read('c', { wait: 0 })).toMatchObject({ outcome: 'busy', roused: true });
    expect(lock.read('d', { capacity: 4 })).toMatchObject({ outcome: 'mismatch', roused: true });
    expect(lock.notices).toEqual(Array(3).fill({ kind: 'wanted', id: 'a+' }));
    expect(lock.state.holders).toMatchObject([{ contended: false }]);
    expect(lock.waiting).toEqual([]);
    lock.acquire('e');
    expect(lock.acquire('f', { wait: 0 })).toMatchObject({ outcome: 'busy', roused: false });
  });

  it.each([
    ['that was revoked', () => lock.revoke()],
    ['that is kept after its release', () => lock.release('a+', { keep: SECOND })],
    ['that shares it', () => lock.downgrade('a+')],
  ])('does not tell a holder %s', (_, change) => {
    lock.acquire('a+');
    change();
    expect(lock.acquire('b', { wait: 0 })).toMatchObject({ outcome: 'busy', roused: false });
    expect(lock.notices.filter(({ kind }) => kind === 'wanted')).toEqual([]);
  });

  it('does not let a passer-by overtake the queue, even one that would fit', () => {
    lock.read('a');
    lock.acquire('b');
    expect(lock.read('c', { wait: 0 })).toMatchObject({ outcome: 'busy' });
    expect(lock.read('d')).toMatchObject({ outcome: 'queued', place: 1 });
  });

  it('queues once per attempt and keeps its place, and tells the nearest deadline', () => {
    lock.read('a', { ttl: 3 * SECOND });
    lock.read('b');
    lock.acquire('c');
    lock.acquire('d');
    lock.pass(SECOND);
    expect(lock.acquire('c')).toMatchObject({ outcome: 'queued', place: 0, due: START + 3 * SECOND + GUARD });
    expect(lock.acquire('d')).toMatchObject({ outcome: 'queued', place: 1, holder: 'of a' });
    expect(lock.waiting).toEqual(['c', 'd']);
  });

  it('refuses another capacity while the name is in use, and takes it over when it is idle', () => {
    lock.read('a', { capacity: 3 });
    expect(lock.read('b', { capacity: 4 })).toEqual({
      outcome: 'mismatch',
      capacity: 3,
      roused: false,
      now: START,
    });
    lock.release('a');
    expect(lock.read('b', { capacity: 4 })).toMatchObject({ outcome: 'granted' });
    expect(lock.state.capacity).toBe(4);
  });

  it('tells an exclusive holder once that somebody queued behind it', () => {
    lock.acquire('a');
    lock.acquire('b', { subscribed: false });
    lock.acquire('c', { subscribed: false });
    expect(lock.notices).toEqual([{ kind: 'contended', id: 'a' }]);
    expect(lock.acquire('a')).toMatchObject({ contended: true });
    lock.acquire('d', { subscribed: false });
    expect(lock.notices).toHaveLength(1);
  });

  it('echoes the sign of life of a subscribed waiter, and marks one that nobody hears', () => {
    lock.acquire('a');
    lock.acquire('b');
    lock.pass(SECOND);
    expect(lock.acquire('b')).toMatchObject({ heard: true });
    expect(lock.notices).toEqual([{ kind: 'echo', id: 'b' }]);
    lock.deaf.add('b');
    expect(lock.acquire('b')).toMatchObject({ heard: false });
    expect(lock.state.queue).toMatchObject([{ id: 'b', subscribed: false }]);
  });

  it('does not come back after its release', () => {
    lock.acquire('a');
    lock.release('a');
    expect(lock.acquire('a')).toEqual({ outcome: 'gone', now: START });
    expect(lock.holding).toEqual([]);
  });

  it('is granted by the answer, for its full ttl, when the lock became free by itself', () => {
    lock.acquire('a');
    lock.acquire('b');
    lock.pass(TTL + GUARD);
    expect(lock.acquire('b')).toMatchObject({ outcome: 'granted', first: lock.now });
    expect(lock.state.holders).toMatchObject([{ id: 'b', deadline: lock.now + TTL + GUARD }]);
    expect(lock.notices).toEqual([]);
  });
});

describe('a place in the queue', () => {
  it('is for what its process asked for last', () => {
    const lock = new Machine();
    lock.acquire('a');
    lock.acquire('b', { subscribed: false, ttl: SECOND, guard: 100, block: 10 });
    lock.acquire('b', {
      subscribed: false,
      ttl: 20 * SECOND,
      guard: 500,
      block: 2_000,
      identity: 'of another',
    });
    lock.pass(TTL + GUARD);
    const answer = lock.acquire('b', { subscribed: false, ttl: 20 * SECOND, guard: 500, block: 2_000 });
    expect(answer).toMatchObject({ outcome: 'granted' });
    const [holder] = lock.state.holders;
    expect(holder).toMatchObject({ id: 'b', deadline: lock.now + 20 * SECOND + 500 });
    expect(holder!.last - holder!.first + 1).toBe(2_000);
  });
});

describe('late', () => {
  it('changes nothing, not even what has expired', () => {
    lock.acquire('a');
    lock.acquire('b');
    lock.pass(TTL + GUARD);
    const before = JSON.stringify(lock.state);
    const notAfter = lock.now - 1;
    expect(lock.acquire('c', { notAfter })).toEqual({ outcome: 'late', now: lock.now });
    expect(lock.renew('a', { notAfter })).toEqual({ outcome: 'late', now: lock.now });
    expect(JSON.stringify(lock.state)).toBe(before);
    expect(lock.notices).toEqual([]);
  });

  it('does not apply to a command that is read at its last microsecond', () => {
    expect(lock.acquire('a', { notAfter: lock.now })).toMatchObject({ outcome: 'granted' });
    expect(lock.renew('a', { notAfter: lock.now })).toMatchObject({ outcome: 'renewed' });
  });
});

describe('hand-off', () => {
  it('makes the head of the queue the owner at release, for the claim window, and says so', () => {
    lock.acquire('a');
    lock.acquire('b');
    lock.acquire('c');
    lock.pass(SECOND).release('a', { used: START + 4 });
    const [until, span] = [lock.now + 2 * SECOND, 2 * SECOND];
    const [first, last] = [lock.now, lock.now + BLOCK - 1];
    expect(lock.notices).toEqual([
      { kind: 'granted', id: 'b', first, last, until, span, contended: true, done: false, seal: 'seal-of-b' },
    ]);
    expect(lock.state.holders).toMatchObject([{ id: 'b', deadline: until + GUARD }]);
    expect(lock.waiting).toEqual(['c']);
  });

  it('repeats the seal that its waiter told last', () => {
    lock.acquire('a');
    lock.acquire('b');
    lock.acquire('b', { seal: 'another' });
    lock.pass(SECOND).release('a');
    expect(lock.notices).toMatchObject([{ kind: 'granted', id: 'b', seal: 'another' }]);
  });

  it('gives a claim to the next when it is not confirmed', () => {
    lock.acquire('a');
    lock.acquire('b');
    lock.acquire('c');
    lock.release('a');
    lock.pass(2 * SECOND + GUARD).acquire('c');
    expect(lock.holding).toEqual(['c']);
  });

  it('gives a claim no more fences than it lasts microseconds, and the renewal gives the rest', () => {
    lock.acquire('a');
    lock.acquire('b', { block: TTL });
    lock.release('a');
    expect(lock.notices.slice(-1)).toMatchObject([{ first: START, last: START + 2 * SECOND - 1 }]);
    expect(lock.renew('b', { block: TTL, used: START })).toMatchObject({ last: START + TTL });
  });

  it('passes over a waiter that said it listens when nobody does, and gives its fences back', () => {
    lock.acquire('a');
    lock.acquire('b');
    lock.acquire('c');
    lock.deaf.add('b');
    lock.release('a');
    expect(lock.holding).toEqual(['c']);
    expect(lock.waiting).toEqual([]);
    expect(lock.notices.slice(-1)).toMatchObject([{ kind: 'granted', id: 'c', first: START }]);
  });

  it('grants a waiter that does not listen without a word, and it finds out by asking', () => {
    lock.acquire('a');
    lock.acquire('b', { subscribed: false });
    lock.pass(SECOND).release('a');
    expect(lock.notices).toEqual([]);
    expect(lock.state.holders).toMatchObject([{ id: 'b', deadline: lock.now + 2 * SECOND + GUARD }]);
    expect(lock.acquire('b', { subscribed: false })).toMatchObject({ outcome: 'granted' });
    expect(lock.state.holders).toMatchObject([{ id: 'b', deadline: lock.now + TTL + GUARD }]);
  });

  it('grants as many heads as fit, in the order of their arrival', () => {
    lock.acquire('w');
    for (const id of ['r1', 'r2', 'x', 'r3']) lock.acquire(id, { units: id === 'x' ? WHOLE : 1 });
    lock.pass(1).release('w');
    expect(lock.holding).toEqual(['r1', 'r2']);
    expect(lock.waiting).toEqual(['x', 'r3']);
    expect(lock.notices).toMatchObject([
      { id: 'r1', first: lock.now, last: lock.now },
      { id: 'r2', first: lock.now + 1 },
    ]);
  });

  it('lets a weighted head wait until it fits, and nobody past it', () => {
    for (const id of ['a', 'b', 'c']) lock.acquire(id, { capacity: 3, units: 1 });
    lock.acquire('two', { capacity: 3, units: 2 });
    lock.acquire('one', { capacity: 3, units: 1 });
    lock.release('a');
    expect(lock.holding).toEqual(['b', 'c']);
    lock.release('b');
    expect(lock.holding).toEqual(['c', 'two']);
    expect(lock.waiting).toEqual(['one']);
  });
});

describe('waiters that are gone', () => {
  it('drops a head that gave no sign of life for 15 s', () => {
    lock.acquire('a', { ttl: 60 * SECOND });
    lock.acquire('b');
    lock.pass(10 * SECOND).acquire('c');
    lock.pass(SIGN_OF_LIFE - 10 * SECOND).release('a');
    expect(lock.holding).toEqual(['c']);
  });

  it('drops a head whose wait is over', () => {
    lock.acquire('a');
    lock.acquire('b', { wait: SECOND });
    lock.acquire('c');
    lock.pass(SECOND).release('a');
    expect(lock.holding).toEqual(['c']);
  });

  it('keeps a head that gave a sign of life, and lengthens its wait', () => {
    lock.acquire('a', { ttl: 60 * SECOND });
    lock.acquire('b', { wait: 12 * SECOND });
    lock.pass(10 * SECOND).acquire('b', { wait: 12 * SECOND });
    lock.pass(11 * SECOND).release('a');
    expect(lock.holding).toEqual(['b']);
  });

  it('counts the sign of life of the one who asks before it drops anybody', () => {
    lock.acquire('a', { ttl: 60 * SECOND });
    lock.acquire('b', { wait: 60 * SECOND });
    lock.pass(SIGN_OF_LIFE + SECOND);
    expect(lock.acquire('b')).toMatchObject({ outcome: 'queued', place: 0 });
    expect(lock.state.queue).toMatchObject([{ since: START }]); // its old place, not a new one
  });
});

describe('renew', () => {
  it('moves the deadline and ends the block at the last used fence plus the size, never lower', () => {
    lock.acquire('a');
    lock.pass(SECOND);
    expect(lock.renew('a', { used: START + 7 })).toMatchObject({
      outcome: 'renewed',
      last: START + 7 + BLOCK,
    });
    expect(lock.renew('a', { used: START + 7, block: 1 })).toMatchObject({ last: START + 7 + BLOCK });
    expect(lock.state).toMatchObject({
      fence: START + 7 + BLOCK,
      holders: [{ deadline: lock.now + TTL + GUARD }],
    });
  });

  it('never creates a hold', () => {
    expect(lock.renew('a')).toEqual({ outcome: 'lost', now: START });
    lock.acquire('a');
    lock.pass(TTL + GUARD);
    expect(lock.renew('a')).toMatchObject({ outcome: 'lost' });
    expect(lock.holding).toEqual([]);
  });

  it('says whether others wait', () => {
    lock.acquire('a');
    expect(lock.renew('a')).toMatchObject({ contended: false });
    lock.acquire('b');
    expect(lock.renew('a')).toMatchObject({ contended: true });
    lock.release('b');
    expect(lock.renew('a')).toMatchObject({ contended: false });
    lock.pass(1).acquire('c');
    expect(lock.notices).toEqual([
      { kind: 'contended', id: 'a' },
      { kind: 'echo', id: 'c' },
    ]);
  });
});

describe('release', () => {
  it('answers a repeat the same, and a stranger gone', () => {
    lock.acquire('a');
    expect(lock.release('b')).toMatchObject({ outcome: 'gone' });
    expect(lock.release('a')).toMatchObject({ outcome: 'released' });
    expect(lock.release('a')).toMatchObject({ outcome: 'released' });
    expect(lock.holding).toEqual([]);
  });

  it('leaves the queue, and lets those behind through', () => {
    lock.read('a');
    lock.acquire('b');
    lock.read('c');
    expect(lock.release('b')).toMatchObject({ outcome: 'dequeued' });
    expect(lock.holding).toEqual(['a', 'c']);
    expect(lock.release('b')).toMatchObject({ outcome: 'gone' });
  });

  it('gives the unused rest of the block back, so that fences stay close to the clock', () => {
    lock.acquire('a');
    lock.release('a', { used: START + 3 });
    expect(lock.acquire('b')).toMatchObject({ first: START + 4 });
  });

  it('does not touch the fence when somebody was granted since', () => {
    lock.read('a');
    lock.read('b');
    lock.release('a');
    expect(lock.state.fence).toBe(START + 1);
  });

  it('says gone when the lease expired, and frees nobody else’s', () => {
    lock.acquire('a');
    lock.acquire('b');
    lock.pass(TTL + GUARD);
    expect(lock.release('a')).toMatchObject({ outcome: 'gone' });
    expect(lock.holding).toEqual(['b']);
  });

  it('keeps the units for a minimum hold, but no longer than the lease, and nothing revives it', () => {
    lock.acquire('a');
    lock.acquire('b');
    expect(lock.release('a', { keep: SECOND })).toMatchObject({ outcome: 'released' });
    expect(lock.waiting).toEqual(['b']);
    expect(lock.renew('a')).toMatchObject({ outcome: 'lost' });
    expect(lock.acquire('a')).toMatchObject({ outcome: 'gone' });
    expect(lock.downgrade('a')).toMatchObject({ outcome: 'lost' });
    expect(lock.release('a', { keep: 60 * SECOND })).toMatchObject({ outcome: 'released' });
    lock.pass(SECOND).renew('nobody');
    expect(lock.holding).toEqual(['b']);
    lock.release('b', { keep: 60 * SECOND });
    expect(lock.state.holders).toMatchObject([{ deadline: START + SECOND + 2 * SECOND + GUARD }]);
  });

  it('marks the name as done for a while, and every grant says so', () => {
    lock.acquire('a');
    lock.acquire('b');
    lock.release('a', { done: SECOND });
    expect(lock.notices.slice(-1)).toMatchObject([{ id: 'b', done: true }]);
    lock.release('b');
    expect(lock.acquire('c')).toMatchObject({ done: true });
    lock.release('c');
    lock.pass(SECOND);
    expect(lock.acquire('d')).toMatchObject({ done: false });
  });

  it('marks nothing for a lease that had expired', () => {
    lock.acquire('a');
    lock.pass(TTL + GUARD).release('a', { done: SECOND });
    expect(lock.acquire('b')).toMatchObject({ done: false });
  });
});

describe('downgrade', () => {
  it('lowers the units, gives fences back and lets readers in', () => {
    lock.acquire('w');
    lock.read('r');
    lock.acquire('x');
    expect(lock.downgrade('w', 1, START + 2)).toMatchObject({ outcome: 'downgraded' });
    expect(lock.holding).toEqual(['w', 'r']);
    expect(lock.notices.slice(-1)).toMatchObject([{ id: 'r', first: START + 3 }]);
  });

  it('never raises them', () => {
    lock.read('r');
    expect(lock.downgrade('r', WHOLE)).toMatchObject({ outcome: 'downgraded' });
    expect(lock.state.holders).toMatchObject([{ units: 1 }]);
    expect(lock.downgrade('stranger')).toMatchObject({ outcome: 'lost' });
  });
});

describe('revoke', () => {
  it('tells the holders, refuses their renewals, and keeps the promise until the deadline', () => {
    lock.acquire('a');
    lock.acquire('b');
    lock.pass(SECOND);
    expect(lock.revoke()).toMatchObject({ outcome: 'marked', count: 1, holder: 'of a' });
    expect(lock.notices).toEqual([{ kind: 'revoked', id: 'a', reason: 'stuck' }]);
    expect(lock.renew('a')).toMatchObject({ outcome: 'revoked', reason: 'stuck' });
    expect(lock.acquire('a')).toMatchObject({ outcome: 'gone' });
    expect(lock.state.holders).toMatchObject([{ id: 'a', deadline: START + TTL + GUARD }]);
    expect(lock.release('a')).toMatchObject({ outcome: 'released' });
    expect(lock.holding).toEqual(['b']);
  });

  it('by force frees the lock at once, with a fence above all that the old holder may use', () => {
    lock.acquire('a');
    lock.acquire('b');
    expect(lock.revoke(true)).toMatchObject({ outcome: 'freed', count: 1 });
    expect(lock.notices.slice(-2)).toMatchObject([
      { kind: 'revoked', id: 'a' },
      { kind: 'granted', id: 'b', first: START + BLOCK },
    ]);
  });

  it('by force is remembered until the lease would have ended, and whoever asks is told why', () => {
    lock.acquire('a');
    lock.pass(SECOND).revoke(true, 'first');
    lock.acquire('b');
    lock.pass(SECOND).revoke(true, 'second');
    for (const _again of [1, 2]) {
      expect(lock.renew('a')).toMatchObject({ outcome: 'revoked', reason: 'first' });
      expect(lock.downgrade('b')).toMatchObject({ outcome: 'revoked', reason: 'second' });
      expect(lock.acquire('a')).toMatchObject({ outcome: 'gone' });
    }
    expect(lock.renew('c')).toMatchObject({ outcome: 'lost' });
    expect(expiryOf(lock.state, lock.now, 0)).toBe(START + SECOND + TTL + GUARD);
    lock.now = START + TTL + GUARD;
    expect(lock.renew('a')).toMatchObject({ outcome: 'lost' });
    expect(lock.renew('b')).toMatchObject({ outcome: 'revoked', reason: 'second' });
    expect(lock.release('b')).toMatchObject({ outcome: 'gone' });
    expect(lock.state.forced).toEqual([]);
  });

  it('by force again finds nobody and loses no reason', () => {
    lock.acquire('a');
    lock.revoke(true, 'the first reason');
    for (const force of [true, false])
      expect(lock.revoke(force, 'another')).toMatchObject({ count: 0, holder: '' });
    expect(lock.notices).toHaveLength(1);
    expect(lock.renew('a')).toMatchObject({ outcome: 'revoked', reason: 'the first reason' });
  });

  it('again has the later reason count, as has one by force after one without', () => {
    lock.acquire('a');
    lock.revoke(false, 'first');
    expect(lock.revoke(false, 'second')).toMatchObject({ count: 1 });
    expect(lock.renew('a')).toMatchObject({ outcome: 'revoked', reason: 'second' });
    expect(lock.revoke(true, 'third')).toMatchObject({ count: 1 });
    expect(lock.renew('a')).toMatchObject({ outcome: 'revoked', reason: 'third' });
  });

  it('by force frees the units that are kept for a minimum hold, as any others; without force it does not', () => {
    lock.acquire('a');
    lock.release('a', { keep: SECOND });
    lock.acquire('b');
    expect(lock.revoke()).toMatchObject({ outcome: 'marked', count: 0 });
    expect(lock.revoke(true, 'needed')).toMatchObject({ outcome: 'freed', count: 1, holder: 'of a' });
    expect(lock.notices.slice(-2)).toMatchObject([
      { kind: 'revoked', id: 'a', reason: 'needed' },
      { kind: 'granted', id: 'b' },
    ]);
    expect(lock.acquire('a')).toMatchObject({ outcome: 'gone' });
    expect(lock.release('a', { keep: SECOND })).toMatchObject({ outcome: 'released' });
    expect(lock.holding).toEqual(['b']);
  });

  it('ends at the release, which keeps nothing for a minimum hold', () => {
    lock.acquire('a');
    lock.revoke();
    expect(lock.release('a', { keep: SECOND })).toMatchObject({ outcome: 'released' });
    expect(lock.holding).toEqual([]);
  });

  it('by force of a crowd remembers the latest of them', () => {
    const ids = Array.from({ length: MOST_FORCED + 1 }, (_, index) => `reader${index}`);
    for (const id of ids) lock.read(id);
    expect(lock.revoke(true)).toMatchObject({ count: MOST_FORCED + 1, holder: 'of reader0' });
    expect(lock.state.forced.map(({ id }) => id)).toEqual(ids.slice(1));
  });

  it('by force remembers rather who works than what is only kept for a minimum hold', () => {
    lock.read('works');
    for (let index = 0; index < MOST_FORCED; index += 1) {
      lock.read(`kept${index}`);
      lock.release(`kept${index}`, { keep: SECOND });
    }
    expect(lock.revoke(true)).toMatchObject({ count: MOST_FORCED + 1 });
    expect(lock.state.forced.map(({ id }) => id)).toContain('works');
    expect(lock.state.forced).toHaveLength(MOST_FORCED);
  });

  it('of a free lock says that there was nobody', () => {
    expect(lock.revoke()).toEqual({ outcome: 'marked', count: 0, holder: '', now: START });
    expect(lock.revoke(true)).toEqual({ outcome: 'freed', count: 0, holder: '', now: START });
  });
});

describe('a take-over', () => {
  it('gives the hold to another id for the full ttl, with a larger fence, and the old id has ended', () => {
    lock.acquire('a');
    lock.pass(SECOND);
    expect(lock.takeOver('a', 'b', { used: START + 7 })).toEqual({
      outcome: 'granted',
      first: lock.now,
      last: lock.now + BLOCK - 1,
      contended: false,
      done: false,
      now: lock.now,
    });
    expect(lock.state.holders).toMatchObject([
      { id: 'b', identity: 'of b', deadline: lock.now + TTL + GUARD, since: lock.now, units: WHOLE },
    ]);
    expect([lock.renew('a'), lock.acquire('a'), lock.release('a')]).toMatchObject([
      { outcome: 'lost' },
      { outcome: 'gone' },
      { outcome: 'released' },
    ]);
    expect(lock.holding).toEqual(['b']);
  });

  it('reserves fences behind all that the holder before has used, and no further ahead than a grant', () => {
    lock.acquire('a', { block: TTL });
    const used = START + TTL - 1;
    expect(lock.takeOver('a', 'b', { used, block: TTL })).toMatchObject({
      first: used + 1,
      last: used + TTL,
    });
    expect(lock.takeOver('b', 'c', { used: 0, block: TTL })).toMatchObject({ first: used + 1 });
  });

  it('answers a repeat with the same hold, and its deadline counts from the repeat', () => {
    lock.acquire('a');
    const answer = lock.takeOver('a', 'b');
    lock.pass(SECOND);
    expect(lock.takeOver('a', 'b')).toEqual({ ...answer, now: lock.now });
    expect(lock.state.holders).toMatchObject([{ id: 'b', deadline: lock.now + TTL + GUARD }]);
  });

  it('is refused to a second id, while the first one holds and when it has given the lock back', () => {
    lock.acquire('a');
    lock.takeOver('a', 'b');
    expect(lock.takeOver('a', 'c')).toEqual({ outcome: 'lost', now: lock.now });
    lock.release('b');
    expect([lock.takeOver('a', 'c'), lock.takeOver('a', 'b')]).toMatchObject([
      { outcome: 'lost' },
      { outcome: 'lost' },
    ]);
    expect(lock.holding).toEqual([]);
  });

  it('is refused when the hold has ended, was given back for later, or was revoked', () => {
    expect(lock.takeOver('a', 'b')).toEqual({ outcome: 'lost', now: START });
    lock.acquire('a');
    expect(lock.pass(TTL + GUARD).takeOver('a', 'b')).toEqual({ outcome: 'lost', now: lock.now });
    lock.acquire('c');
    lock.release('c', { keep: SECOND });
    expect(lock.takeOver('c', 'b')).toEqual({ outcome: 'lost', now: lock.now });
    lock.pass(SECOND).acquire('d');
    lock.revoke(false, 'deploy');
    expect(lock.takeOver('d', 'b')).toEqual({ outcome: 'revoked', reason: 'deploy', now: lock.now });
    expect(lock.holding).toEqual(['d']);
    lock.revoke(true, 'now');
    expect(lock.takeOver('d', 'b')).toEqual({ outcome: 'revoked', reason: 'now', now: lock.now });
  });

  it('tells who has taken the hold over that it was revoked since', () => {
    lock.acquire('a');
    lock.takeOver('a', 'b');
    lock.revoke(false, 'stop');
    expect(lock.takeOver('a', 'b')).toMatchObject({ outcome: 'revoked', reason: 'stop' });
    lock.revoke(true, 'now');
    expect(lock.takeOver('a', 'b')).toMatchObject({ outcome: 'revoked', reason: 'now' });
  });

  it('changes nothing when the server reads it too late', () => {
    lock.acquire('a');
    expect(lock.takeOver('a', 'b', { notAfter: START - 1 })).toEqual({ outcome: 'late', now: START });
    expect(lock.holding).toEqual(['a']);
  });

  it('leaves the queue as it is, and the new holder is told who waits', () => {
    lock.acquire('a');
    lock.acquire('w');
    lock.notices.length = 0;
    expect(lock.takeOver('a', 'b')).toMatchObject({ contended: true });
    expect([lock.waiting, lock.notices]).toEqual([['w'], []]);
    lock.release('b');
    expect(lock.holding).toEqual(['w']);
    lock.release('w');
    lock.acquire('c');
    lock.takeOver('c', 'd');
    lock.acquire('x');
    expect(lock.notices).toContainEqual({ kind: 'contended', id: 'd' });
  });

  it('takes over no more than there is, and may take less, which lets in who waits for that', () => {
    lock.read('a');
    lock.read('beside');
    expect(lock.takeOver('a', 'b')).toMatchObject({ outcome: 'granted' });
    expect(lock.state.holders).toMatchObject([{ id: 'beside' }, { id: 'b', units: 1 }]);
    lock.release('beside');
    lock.release('b');
    lock.acquire('c');
    lock.read('w');
    lock.takeOver('c', 'd', { units: 1 });
    expect(lock.holding).toEqual(['d', 'w']);
  });

  it('may end sooner than the hold did before', () => {
    lock.acquire('a');
    lock.takeOver('a', 'b', { ttl: SECOND, guard: 0 });
    expect(lock.state.holders).toMatchObject([{ id: 'b', deadline: START + SECOND, span: SECOND }]);
  });
});

describe('a note', () => {
  it('is told with each grant until it is replaced, however its writer has ended', () => {
    lock.acquire('a');
    expect(lock.note('a', 'one')).toEqual({ outcome: 'noted', now: START });
    lock.acquire('b');
    lock.notices.length = 0;
    lock.release('a');
    expect(lock.notices).toMatchObject([{ kind: 'granted', id: 'b', note: 'one' }]);
    expect(lock.acquire('b')).toMatchObject({ outcome: 'granted', note: 'one' });
    expect(lock.pass(TTL + GUARD).acquire('c')).toMatchObject({ outcome: 'granted', note: 'one' });
    lock.note('c', 'two');
    expect(lock.takeOver('c', 'd')).toMatchObject({ outcome: 'granted', note: 'two' });
    lock.revoke(true);
    expect(lock.acquire('e')).toMatchObject({ outcome: 'granted', note: 'two' });
  });

  it('is not replaced by a copy of an older one, nor by who does not hold', () => {
    lock.acquire('a');
    lock.note('a', 'one', 1);
    lock.note('a', 'two', 2);
    expect(lock.note('a', 'one', 1)).toMatchObject({ outcome: 'noted' });
    expect(lock.note('b', 'stranger')).toEqual({ outcome: 'lost', now: START });
    lock.release('a');
    expect(lock.note('a', 'three', 3)).toEqual({ outcome: 'lost', now: START });
    expect(lock.acquire('b')).toMatchObject({ note: 'two' });
    lock.revoke(false, 'stop');
    expect(lock.note('b', 'revoked')).toEqual({ outcome: 'revoked', reason: 'stop', now: START });
    lock.revoke(true, 'now');
    expect(lock.note('b', 'forced')).toEqual({ outcome: 'revoked', reason: 'now', now: START });
  });

  it('can be taken back, also from a copy that comes late, and nothing is left of it', () => {
    lock.acquire('a');
    lock.note('a', 'one', 1);
    lock.note('a', '', 2);
    expect(lock.acquire('a')).not.toHaveProperty('note');
    lock.note('a', 'one', 1);
    lock.release('a');
    expect(lock.state.note).toBeUndefined();
    expect(lock.acquire('b')).not.toHaveProperty('note');
  });
});

describe('a clock that steps back', () => {
  it('keeps a dead holder for its ttl and guard from the next operation, not for the whole step', () => {
    lock.acquire('a');
    lock.pass(-3_600 * SECOND).acquire('b');
    expect(lock.state.holders).toMatchObject([{ id: 'a', deadline: lock.now + TTL + GUARD }]);
    lock.pass(TTL + GUARD);
    expect(lock.acquire('b')).toMatchObject({ outcome: 'granted' });
  });

  it('keeps a dead waiter for 15 s from the next operation', () => {
    lock.acquire('a');
    lock.acquire('dead', { wait: 24 * 3_600 * SECOND });
    lock.acquire('b', { wait: 24 * 3_600 * SECOND });
    lock.pass(-3_600 * SECOND).renew('a');
    lock.pass(SIGN_OF_LIFE).release('a');
    expect(lock.acquire('b')).toMatchObject({ outcome: 'granted' });
  });

  it('does not make the fence smaller', () => {
    const { last } = lock.acquire('a') as { last: number };
    lock.release('a', { used: last });
    expect(lock.pass(-3_600 * SECOND).acquire('b')).toMatchObject({ first: last + 1 });
  });
});

describe('the record', () => {
  it('outlives the last deadline and sign of life by the fence memory', () => {
    const memory = 60 * SECOND;
    lock.acquire('a', { ttl: SECOND });
    expect(expiryOf(lock.state, lock.now, memory)).toBe(START + SECOND + GUARD + memory);
    lock.pass(1).acquire('b');
    expect(expiryOf(lock.state, lock.now, memory)).toBe(lock.now + SIGN_OF_LIFE + memory);
    lock.release('b');
    lock.release('a');
    expect(expiryOf(lock.state, lock.now, memory)).toBe(lock.now + memory);
    expect(expiryOf(lock.state, lock.now, 0)).toBe(lock.now);
  });

  it('is not forgotten before the clock has passed the fence', () => {
    lock.acquire('a', { block: TTL });
    lock.revoke(true);
    const { first } = lock.acquire('b') as { first: number };
    lock.release('b', { used: first });
    lock.release('a');
    expect(first).toBe(START + TTL);
    expect(expiryOf(lock.state, lock.now, 0)).toBe(first + 1);
  });

  it('outlives the mark of a finished run', () => {
    lock.acquire('a');
    lock.release('a', { done: 3_600 * SECOND });
    expect(expiryOf(lock.state, lock.now, 0)).toBe(START + 3_600 * SECOND);
  });
});
