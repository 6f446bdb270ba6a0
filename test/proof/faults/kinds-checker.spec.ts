import { check } from './checker.js';
import type { HistoryEvent, Kind } from './harness/history.js';

const WHOLE = 2 ** 30;
const violations = (...events: HistoryEvent[]) => check(events).violations;

/** A hold that was asked for a moment before it began, and ended by release. */
function hold(
  id: string,
  kind: Kind,
  [from, to]: [number, number],
  more: { fence?: number; asked?: number; units?: number; follows?: string } = {},
): HistoryEvent[] {
  const { fence, asked = from - 1, units = kind === 'write' ? WHOLE : 1, follows } = more;
  const [process, name, until] = [`p-${id}`, 'a', to + 100];
  return [
    { type: 'acquire', id, process, name, at: asked, kind, units, ...(follows ? { follows } : {}) },
    { type: 'granted', id, at: from, until, held: true, ...(fence ? { fence } : {}) },
    { type: 'release', id, at: to },
  ];
}

describe('the checker of read-write locks', () => {
  const rule: HistoryEvent = { type: 'rule', name: 'a', capacity: WHOLE };

  it('lets readers in together, and a writer alone', () => {
    const readers = [...hold('x', 'read', [10, 20]), ...hold('y', 'read', [12, 22])];
    expect(violations(rule, ...readers, ...hold('w', 'write', [22, 30]))).toEqual([]);
    expect(violations(rule, ...readers, ...hold('w', 'write', [21, 30]))).toEqual([
      'a: y and w hold it at once',
    ]);
    expect(violations(rule, ...hold('w', 'write', [21, 30]), ...hold('x', 'read', [29, 31]))).toEqual([
      'a: w and x hold it at once',
    ]);
  });

  it('sees a writer that gets in while another goes on as a reader, before its answer, too', () => {
    const writer = hold('x', 'write', [10, 20], { fence: 5 });
    const reader = hold('y', 'read', [25, 40], { asked: 20, follows: 'x', fence: 5 });
    expect(violations(rule, ...writer, ...reader, ...hold('z', 'read', [22, 30], { fence: 6 }))).toEqual([]);
    for (const from of [21, 30])
      expect(violations(rule, ...writer, ...reader, ...hold('w', 'write', [from, 45], { fence: 9 }))).toEqual(
        [expect.stringMatching('hold it at once')],
      );
  });

  it('wants a reader that was a writer to keep its fence, and others to have larger ones', () => {
    const writer = hold('x', 'write', [10, 20], { fence: 5 });
    const reader = (fence: number) => hold('y', 'read', [25, 40], { asked: 20, follows: 'x', fence });
    expect(violations(rule, ...writer, ...reader(6))).toEqual([
      'a: y has the fence 6, not 5 as before its downgrade',
    ]);
    for (const kind of ['read', 'write'] as const)
      expect(violations(rule, ...writer, ...reader(5), ...hold('z', kind, [41, 50], { fence: 5 }))).toEqual([
        'a: the fence 5 of z is not above 5',
      ]);
  });

  it('wants fences to grow between a writer and a reader, whoever asked first', () => {
    const [early, late] = [{ fence: 4, asked: 1 }, { fence: 5 }];
    for (const [first, second] of [
      ['read', 'write'],
      ['write', 'read'],
    ] as const)
      expect(
        violations(rule, ...hold('x', first, [10, 20], late), ...hold('y', second, [20, 30], early)),
      ).toEqual(['a: the fence 4 of y is not above 5']);
    // Two readers may have been granted in either order.
    const reader = hold('x', 'read', [10, 20], late);
    expect(violations(rule, ...reader, ...hold('y', 'read', [20, 30], early))).toEqual([]);
  });
});

describe('the checker of semaphores', () => {
  const rule: HistoryEvent = { type: 'rule', name: 'a', capacity: 3 };
  const permits = (id: string, times: [number, number], units: number, fence?: number) =>
    hold(id, 'permits', times, { units, ...(fence ? { fence, asked: 1 } : {}) });

  it('counts the units of all who hold', () => {
    const two = [...permits('x', [10, 20], 2), ...permits('y', [12, 22], 1)];
    expect(violations(rule, ...two, ...permits('z', [20, 30], 2))).toEqual([]);
    expect(violations(rule, ...two, ...permits('z', [19, 30], 1))).toEqual([
      'a: x and y and z hold it at once',
    ]);
  });

  it('wants fences to grow where the units of two do not fit together', () => {
    expect(violations(rule, ...permits('x', [10, 20], 2, 7), ...permits('y', [20, 30], 2, 6))).toHaveLength(
      1,
    );
    expect(violations(rule, ...permits('x', [10, 20], 2, 7), ...permits('y', [20, 30], 1, 6))).toEqual([]);
  });

  it('measures the margin to the next one who needs what was held', () => {
    const lost = hold('x', 'permits', [10, 20], { units: 2 }).filter(({ type }) => type !== 'release');
    const ended: HistoryEvent = { type: 'lost', id: 'x', at: 20, reason: 'expired' };
    const next = [...permits('y', [21, 30], 1), ...permits('z', [25, 30], 2)];
    expect(check([rule, ...lost, ended, ...next]).leastMargin).toBe(5);
  });
});

describe('the checker of latches', () => {
  let ids = 0;
  const ask = (
    question: Omit<HistoryEvent & { type: `latch-${'set' | 'down' | 'wait'}` }, 'id' | 'name' | 'at'>,
    [at, answered]: [number, number | undefined],
    answer: { set?: boolean; left?: number; opened?: boolean },
  ): HistoryEvent[] => {
    const id = `q${(ids += 1)}`;
    const asked = { ...question, id, name: 'gate', at } as HistoryEvent;
    return answered === undefined ? [asked] : [asked, { type: 'latch-answer', id, at: answered, ...answer }];
  };
  const set = (at: number, more: { set?: boolean; ttl?: number; answered?: number } = {}) => {
    const { set: won = true, ttl = 1_000, answered = at + 1 } = more;
    return ask({ type: 'latch-set', count: 2, ttl } as never, [at, answered], { set: won });
  };
  const down = (by: string, at: number, left?: number) =>
    ask({ type: 'latch-down', by } as never, [at, left === undefined ? undefined : at + 1], {
      ...(left === undefined ? {} : { left }),
    });
  const passes = (at: number, answered: number) =>
    ask({ type: 'latch-wait' } as never, [at, answered], { opened: true });
  const closed = [expect.stringMatching('passed the latch while it was closed')];

  it('lets pass who is told after the last count was sent, answered or not', () => {
    expect(violations(...set(10), ...down('x', 20, 1), ...down('y', 30), ...passes(5, 31))).toEqual([]);
    expect(violations(...set(10), ...down('x', 20, 1), ...down('y', 30), ...passes(5, 29))).toEqual(closed);
  });

  it('counts each id once', () => {
    const twice = [...set(10), ...down('x', 20, 1), ...down('x', 22, 1)];
    expect(violations(...twice, ...passes(5, 31))).toEqual(closed);
    expect(violations(...set(10), ...down('x', 20, 1), ...down('x', 22, 0))).toEqual([
      'gate: x was told that 0 are left, but fewer have counted',
    ]);
  });

  it('counts nothing that was answered before the latch was set', () => {
    const before = [...down('x', 20, 1), ...set(30), ...down('y', 40, 1)];
    expect(violations(...before, ...passes(35, 50))).toContainEqual(closed[0]);
    expect(violations(...before, ...down('x', 42, 0), ...passes(35, 50))).not.toContainEqual(closed[0]);
  });

  it('lets nobody pass a latch that was never set, or found set, or is forgotten', () => {
    const counted = [...down('x', 20), ...down('y', 30)];
    expect(violations(...counted, ...passes(35, 50))).toEqual(closed);
    expect(violations(...set(10, { set: false }), ...counted, ...passes(35, 50))).toEqual(closed);
    const short = [...set(10, { ttl: 100 }), ...counted];
    expect(violations(...short, ...passes(150, 170))).toEqual([]); // the clocks may differ
    expect(violations(...short, ...passes(162, 170))).toEqual(closed);
  });

  it('lets nobody pass a latch that the server forgot, unless it may have been set after that', () => {
    const lost: HistoryEvent = { type: 'state-lost', from: 60, at: 62, until: 63 };
    const counted = [...down('x', 20), ...down('y', 30)];
    expect(violations(...set(10), ...counted, lost, ...passes(61, 70))).toEqual([]);
    expect(violations(...set(10), ...counted, lost, ...passes(63, 70))).toEqual(closed);
    expect(violations(...set(59, { answered: 61 }), ...counted, lost, ...passes(63, 70))).toEqual([]);
  });
});

describe('the summary', () => {
  it('counts grants by kind, downgrades and opened latches too', () => {
    const events = [
      ...hold('w', 'write', [10, 20]),
      ...hold('r', 'read', [21, 22], { asked: 20, follows: 'w' }),
      ...hold('m', 'mutex', [30, 31]),
      ...hold('p', 'permits', [40, 41]),
      { type: 'latch-answer', id: 'l', at: 1, opened: true } as const,
    ];
    const kinds = { write: 1, downgrade: 1, mutex: 1, permits: 1, latch: 1 };
    expect(check(events)).toMatchObject({ grants: 4, kinds });
  });
});
