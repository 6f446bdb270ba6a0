import { check } from './checker.js';
import type { HistoryEvent } from './harness/history.js';

const WHOLE = 2 ** 30;
const violations = (...events: HistoryEvent[]) => check(events).violations;

/** A hold that ended by a release or by being handed over; one that resumes another says so. */
function hold(
  id: string,
  [from, to]: [number, number],
  fence: number,
  more: { resumes?: string; previous?: string; units?: number } = {},
): HistoryEvent[] {
  const { resumes, previous, units } = more;
  const until = to + 100;
  return [
    {
      ...{ type: 'acquire', id, process: `p-${id}`, name: 'a', at: from - 1 },
      ...(resumes && { resumes }),
      ...(units && { units, kind: 'read' }),
    },
    { type: 'granted', id, at: from, until, held: true, fence, ...(previous && { previous }) },
    { type: 'release', id, at: to },
  ];
}

describe('the checker of leases that are handed over', () => {
  const giver = hold('g', [10, 20], 5);
  const resumed = hold('r', [30, 40], 6, { resumes: 'g' });

  it('lets one go on, with a larger fence, and counts those who came too late', () => {
    const late: HistoryEvent[] = [
      { type: 'acquire', id: 's', process: 'p-s', name: 'a', at: 32, resumes: 'g' },
      { type: 'refused', id: 's', at: 33, code: 'LOCK_LOST:taken', message: 'somebody has resumed it' },
    ];
    const { violations: bad, kinds, resumedTwice } = check([...giver, ...resumed, ...late]);
    expect({ bad, kinds, resumedTwice }).toEqual({
      ...{ bad: [], kinds: { mutex: 1, 'resumed mutex': 1 }, resumedTwice: 1 },
    });
  });

  it('sees two who resume the same, also one after the other', () => {
    const again = hold('s', [50, 60], 7, { resumes: 'g' });
    expect(violations(...giver, ...resumed, ...again)).toContain('a: r and s have both resumed g');
  });

  it('sees a fence that is not larger', () => {
    const bad = violations(...giver, ...hold('r', [30, 40], 5, { resumes: 'g' }));
    expect(bad).toContain('a: the fence 5 of r is not above 5 of g');
  });

  it('sees who gets in between, unless both may be inside', () => {
    const other = hold('o', [22, 28], 6);
    const after = hold('r', [30, 40], 7, { resumes: 'g' });
    expect(violations(...giver, ...other, ...after)).toEqual(['a: o got in between g and r, who resumed it']);
    const rule: HistoryEvent = { type: 'rule', name: 'a', capacity: WHOLE };
    const readers = [
      ...hold('g', [10, 20], 5, { units: 1 }),
      ...hold('o', [22, 28], 6, { units: 1 }),
      ...hold('r', [30, 40], 7, { units: 1, resumes: 'g' }),
    ];
    expect(violations(rule, ...readers)).toEqual([]);
  });

  it('wants the note of the giver to be found, once the store has it', () => {
    const noted: HistoryEvent = { type: 'noted', id: 'g', at: 15 };
    expect(violations(...giver, noted, ...hold('r', [30, 40], 6, { resumes: 'g', previous: 'g' }))).toEqual(
      [],
    );
    expect(violations(...giver, noted, ...resumed)).toEqual(["a: r found the note '', not that of g"]);
    expect(violations(...giver, noted, ...hold('r', [30, 40], 6, { resumes: 'g', previous: 'x' }))).toEqual([
      "a: r found the note 'x', not that of g",
    ]);
  });

  it('blames nobody when the server forgot what it knew meanwhile', () => {
    const lost: HistoryEvent = { type: 'state-lost', at: 25, until: 125 };
    const again = hold('s', [150, 160], 9, { resumes: 'g' });
    expect(violations(lost, ...giver, ...again)).toEqual([]);
    const noted: HistoryEvent = { type: 'noted', id: 'g', at: 15 };
    expect(violations(lost, ...giver, noted, ...again)).toEqual([]);
  });
});
