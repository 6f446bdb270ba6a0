import { check } from './checker.js';
import type { HistoryEvent } from './harness/history.js';

/** A hold of one process as it stands in a history; the parts that do not matter left out. */
function hold(
  id: string,
  from: number,
  to: number,
  more: {
    fence?: number;
    asked?: number;
    end?: 'release' | 'lost' | 'deadline';
    name?: string;
    units?: number;
  } = {},
): HistoryEvent[] {
  const { fence, asked = from - 1, end = 'release', name = 'a', units = 1 } = more;
  return [
    { type: 'acquire', id, process: `p-${id}`, name, at: asked, units },
    {
      type: 'granted',
      id,
      at: from,
      until: end === 'deadline' ? to : to + 100,
      held: true,
      ...(fence ? { fence } : {}),
    },
    ...(end === 'release' ? [{ type: 'release', id, at: to } as const] : []),
    ...(end === 'lost' ? [{ type: 'lost', id, at: to, reason: 'expired' } as const] : []),
  ];
}

/** Work inside a hold, or another entry; without an end it was killed. */
function entry(id: string, of: string, at: number, left?: number, held = true): HistoryEvent[] {
  return [
    { type: 'enter', id, of, at, held: true },
    ...(left === undefined ? [] : [{ type: 'left', id, at: left, held } as const]),
  ];
}

const violations = (...events: HistoryEvent[]) => check(events).violations;

describe('the checker', () => {
  it('finds nothing wrong with holds one after the other', () => {
    const verdict = check([...hold('x', 10, 20, { fence: 1 }), ...hold('y', 20, 30, { fence: 2 })]);
    expect(verdict).toMatchObject({ violations: [], grants: 2, leastMargin: Infinity });
  });

  it.each(['release', 'lost', 'deadline'] as const)('sees two holders when the first ends by %s', (end) => {
    expect(violations(...hold('x', 10, 20, { end }), ...hold('y', 19, 30))).toEqual([
      'a: x and y hold it at once',
    ]);
    expect(violations(...hold('x', 10, 20, { end }), ...hold('y', 20, 30))).toEqual([]);
  });

  it('sees a second holder whose claim is over at once', () => {
    expect(violations(...hold('x', 10, 20), ...hold('y', 15, 15, { end: 'deadline' }))).toHaveLength(1);
  });

  it('does not count a grant that was over when the caller came to see it, unless it says held', () => {
    const grant: HistoryEvent = { type: 'granted', id: 'y', at: 15, until: 15, held: false, fence: 1 };
    const y: HistoryEvent[] = [{ type: 'acquire', id: 'y', process: 'p', name: 'a', at: 2 }, grant];
    const x = hold('x', 10, 20, { fence: 7 });
    expect(violations(...x, ...y)).toEqual([]);
    expect(violations(...x, y[0] as HistoryEvent, { ...grant, held: true })).toHaveLength(2);
  });

  it('lets an entry hold on to what was given back, and sees the next holder beside it', () => {
    const x = hold('x', 10, 20, { fence: 1 });
    const y = hold('y', 25, 30, { fence: 2 });
    expect(check([...x, ...entry('e', 'x', 15, 24), ...y])).toMatchObject({ violations: [], entries: 1 });
    expect(violations(...x, ...entry('e', 'x', 15, 26), ...y)).toEqual(['a: x and y hold it at once']);
    expect(violations(...x, ...entry('e', 'x', 12, 15), ...entry('f', 'e', 14, 26), ...y)).toEqual([
      'a: x and y hold it at once',
    ]);
    // An entry that knows of the loss is no hold any more.
    expect(violations(...x, ...entry('e', 'x', 15, 26, false), ...y)).toEqual([]);
    expect(violations(...x, ...entry('e', 'x', 22), ...y)).toEqual([]);
    expect(violations(...x, ...entry('e', 'x', 26), ...y)).toEqual(['a: x and y hold it at once']);
  });

  it('blames an entry that is held after the loss was told', () => {
    const x = hold('x', 10, 20, { end: 'lost' });
    expect(violations(...x, ...entry('e', 'x', 15, 19))).toEqual([]);
    expect(violations(...x, ...entry('e', 'x', 15, 21))).toEqual([
      'x is held by an entry after its loss was told',
    ]);
  });

  it('sees two entries of one hold at work at once, also what one of them began and left behind', () => {
    const x = hold('x', 10, 90);
    const first = entry('e', 'x', 15, 20);
    expect(violations(...x, ...first, ...entry('f', 'x', 20, 30))).toEqual([]);
    expect(violations(...x, ...first, ...entry('f', 'x', 19, 30))).toEqual(['e and f work at once under x']);
    const inner = entry('i', 'e', 16, 25);
    expect(violations(...x, ...first, ...inner, ...entry('f', 'x', 25, 30))).toEqual([]);
    expect(violations(...x, ...first, ...inner, ...entry('f', 'x', 24, 30))).toEqual([
      'e and f work at once under x',
    ]);
    expect(violations(...x, ...first, ...inner, ...entry('j', 'e', 24, 30))).toEqual([
      'i and j work at once under e',
    ]);
  });

  it('counts units against the capacity', () => {
    const rule: HistoryEvent = { type: 'rule', name: 'a', capacity: 3 };
    expect(violations(rule, ...hold('x', 1, 9, { units: 2 }), ...hold('y', 2, 9))).toEqual([]);
    expect(violations(rule, ...hold('x', 1, 9, { units: 2 }), ...hold('y', 2, 9, { units: 2 }))).toHaveLength(
      1,
    );
  });

  it('lets a held sample extend a hold, and blames one after the end', () => {
    const sample = (at: number, until = at + 5): HistoryEvent => ({
      type: 'sample',
      id: 'x',
      at,
      held: true,
      until,
    });
    const x = hold('x', 10, 20, { end: 'deadline' });
    expect(violations(...x, sample(18, 40), ...hold('y', 30, 50))).toHaveLength(1);
    expect(violations(...hold('x', 10, 20, { end: 'lost' }), sample(21))).toEqual([
      'x is held after its end was reported',
    ]);
    expect(violations(...hold('x', 10, 20), sample(21))).toEqual(['x is held after its end was reported']);
    expect(violations(...x, sample(18, 17))).toEqual(['x is held after its own deadline']);
  });

  it('wants fences to grow from holder to holder', () => {
    const x = hold('x', 10, 20, { fence: 7 });
    expect(violations(...x, ...hold('y', 21, 30, { fence: 7 }))).toEqual([
      'a: the fence 7 of y is not above 7',
    ]);
    expect(violations(...x, ...hold('y', 21, 30, { fence: 6, name: 'b' }))).toEqual([]);
  });

  it('wants the fences of shared holds to grow when they would not have fitted together', () => {
    const rule: HistoryEvent = { type: 'rule', name: 'a', capacity: 3 };
    const x = hold('x', 10, 20, { fence: 7, units: 2 });
    expect(violations(rule, ...x, ...hold('y', 21, 30, { fence: 6 }))).toEqual([]);
    expect(violations(rule, ...x, ...hold('y', 21, 30, { fence: 6, units: 2 }))).toEqual([
      'a: the fence 6 of y is not above 7',
    ]);
  });

  it('excuses who believes in a state that the server lost, and only as long as announced', () => {
    const lost: HistoryEvent = { type: 'state-lost', at: 12, until: 20 };
    const x = hold('x', 10, 18, { fence: 1 });
    expect(violations(lost, ...x, ...hold('y', 14, 30, { fence: 2 }))).toEqual([]);
    expect(
      violations(lost, ...x, ...hold('y', 14, 30, { fence: 2 }), ...hold('z', 25, 40, { fence: 3 })),
    ).toEqual(['a: y and z hold it at once']);
  });

  it('counts how often a waiter is overtaken by later comers of other processes', () => {
    const rule: HistoryEvent = { type: 'rule', name: 'a', overtakes: 1, settle: 2 };
    const x = hold('x', 50, 60, { asked: 10 });
    const later = (id: string, from: number, asked: number) => hold(id, from, from + 5, { asked });
    expect(violations(rule, ...later('y', 20, 13), ...later('z', 30, 11), ...x)).toEqual([]);
    expect(violations(rule, ...later('y', 20, 13), ...later('z', 30, 14), ...x)).toEqual([
      'x was overtaken 2 times',
    ]);
  });

  it('bounds the gap between an end and the next grant, lag and ping included', () => {
    const rule: HistoryEvent = { type: 'rule', name: 'a', gap: 10 };
    const delays: HistoryEvent[] = [
      { type: 'lag', process: 'p', ms: 3 },
      { type: 'ping', ms: 2 },
    ];
    const gap = (ms: number) => [...hold('x', 10, 20), ...hold('y', 20 + ms, 99, { asked: 15 })];
    expect(violations(rule, ...delays, ...gap(15))).toEqual([]);
    expect(violations(rule, ...delays, ...gap(16))).toEqual([
      'a: nobody was granted within 10 ms after the end of x',
    ]);
    expect(violations(rule, ...hold('x', 10, 20), ...hold('y', 60, 99, { asked: 50 }))).toEqual([]);
  });

  it('measures no margin where the holder gave it back after its end', () => {
    const late: HistoryEvent = { type: 'release', id: 'x', at: 22 };
    const x = hold('x', 10, 20, { end: 'deadline' });
    expect(check([...x, late, ...hold('y', 23, 30)]).leastMargin).toBe(Infinity);
    expect(check([...x, ...hold('y', 23, 30)]).leastMargin).toBe(3);
  });

  it('wants what is expected to be granted in time', () => {
    const expected: HistoryEvent = { type: 'expect', name: 'a', after: 30, within: 10, what: 'row' };
    expect(violations(expected, ...hold('x', 40, 50))).toEqual([]);
    expect(violations(expected, ...hold('x', 41, 50))).toHaveLength(1);
  });

  it('wants the counter to show every accepted write and no other', () => {
    const write = (id: string, accepted?: boolean): HistoryEvent[] => [
      { type: 'write', id, name: 'a', at: 1 },
      ...(accepted === undefined ? [] : [{ type: 'written', id, at: 2, accepted } as const]),
    ];
    const counter = (value: number): HistoryEvent => ({ type: 'counter', name: 'a', value });
    const writes = [...write('1', true), ...write('2', true), ...write('3', false), ...write('4')];
    expect(violations(...writes, counter(2))).toEqual([]);
    expect(violations(...writes, counter(3))).toEqual([]);
    expect(violations(...writes, counter(1))).toHaveLength(1);
    expect(violations(...writes, counter(4))).toHaveLength(1);
  });

  it('blames a process that failed and a claim of a row that is not true', () => {
    expect(
      violations(
        { type: 'crash', process: 'w1', at: 1, message: 'unhandled' },
        { type: 'claim', what: 'the key is free', ok: false },
      ),
    ).toEqual(['w1 failed: unhandled', 'the key is free']);
  });

  it('blames a span beyond its bound, lag and ping included', () => {
    const lag: HistoryEvent = { type: 'lag', process: 'p', ms: 3 };
    expect(violations(lag, { type: 'bound', what: 'it', ms: 13, bound: 10 })).toEqual([]);
    expect(violations(lag, { type: 'bound', what: 'it', ms: 14, bound: 10 })).toHaveLength(1);
  });

  it('measures margins, gaps and the longest wait of each fault', () => {
    const events: HistoryEvent[] = [
      { type: 'rule', name: 'a', gap: 500 },
      { type: 'fault', kind: 'freeze', at: 1_500 },
      ...hold('x', 10, 20, { end: 'deadline' }),
      ...hold('y', 27, 40, { asked: 12 }),
      ...hold('z', 2_000, 2_100, { asked: 1_490 }),
    ];
    expect(check(events)).toMatchObject({
      leastMargin: 7,
      longestGap: 7,
      longestWait: { none: 15, freeze: 510 },
      faults: { freeze: 1 },
    });
  });
});
