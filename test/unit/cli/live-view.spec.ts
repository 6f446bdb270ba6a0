import { HandOffRate, LiveView } from '../../../lib/cli/live-view.js';
import { harmless, type Output, span } from '../../../lib/cli/output.js';
import { type LockReport, LockStoreError } from '../../../lib/plain.js';

/** A look at a name at a time, whose queue came at these times. */
function look(at: number, queuedAt: readonly number[], fence = at): LockReport {
  const person = { host: 'h', pid: 1, kind: 'exclusive', units: 1 } as const;
  return {
    ...{ name: 'n', key: 'lock:n', at: new Date(at), capacity: 1, inUse: 1 },
    holders: [{ ...person, since: new Date(at), remaining: 1, fences: [fence, fence] }],
    queue: queuedAt.map((since) => ({ ...person, since: new Date(since) })),
  };
}

describe('hand-offs a second', () => {
  it.each([1, 2, 8, 50])('are estimated from a queue of %i, within a fifth', (processes) => {
    const rate = new HandOffRate();
    const hold = 7; // milliseconds: 143 a second
    let told = 0;
    // A look sees how long each of the processes that come in turn has waited, at any moment of the present hold.
    for (let round = 0; round < 20; round += 1) {
      const now = 100_000 + round * 2_003;
      const begun = now - ((round * 5) % hold);
      const queue = Array.from({ length: processes }, (_, place) => begun - (processes - 1 - place) * hold);
      told = rate.add(look(now, queue));
    }
    expect(told).toBeGreaterThan((1_000 / hold) * 0.8);
    expect(told).toBeLessThan((1_000 / hold) * 1.2);
  });

  it('are none while one process holds, however long others wait', () => {
    const rate = new HandOffRate();
    rate.add(look(1_000, [500, 600], 7));
    expect(rate.add(look(3_000, [500, 600], 7))).toBe(0);
  });

  it('are at least those that two looks show', () => {
    const rate = new HandOffRate();
    expect(rate.add(look(1_000, [], 7))).toBe(0);
    expect(rate.add(look(3_000, [], 8))).toBe(0.5);
  });
});

describe('a live view', () => {
  /** Where it writes. */
  function paper() {
    const [out, err]: [string[], string[]] = [[], []];
    const output = {
      ...{ onTerminal: false, width: 80, height: 24, showCursor: () => undefined },
      line: async (text: string) => void out.push(text),
      note: (text: string) => void err.push(text),
    } as unknown as Output;
    return { out, err, output };
  }
  const { signal } = new AbortController();

  it.each([
    ['the last look', [true, false, false], 3],
    ['a look before the last one', [true, false, true], undefined],
  ])('tells beside its result that %s has failed', async (_, answers, exitCode) => {
    const { out, err, output } = paper();
    const asked = [...answers];
    const inspect = async (): Promise<LockReport> => {
      if (asked.shift()) return look(1, []);
      throw new LockStoreError('Redis is \x1b[31mgone.', 'n');
    };
    const view = new LiveView({ inspect } as never, output, signal, true);
    const ended = await view.watch('n', 0, answers.length).catch((error: unknown) => error);
    if (exitCode === undefined) expect(ended).toBeUndefined();
    else
      expect(ended).toMatchObject({
        exitCode,
        message: expect.stringMatching(/^The last look failed: Redis/),
      });
    expect(out.map((line) => JSON.parse(line).name)).toEqual(answers.filter(Boolean).map(() => 'n'));
    for (const line of err) expect(line).toMatch(/^\d{4}-\S+Z {2}Redis is \ufffd\[31mgone\.$/);
    expect(err).toHaveLength(answers.filter((answer) => !answer).length);
  });
});

describe('what is shown on a terminal', () => {
  it('cannot change the terminal, whatever name it is', () => {
    expect(harmless('a\x1b[2Jb\u202ec\nd')).toBe('a\ufffd[2Jb\ufffdc\ufffdd');
    expect(harmless('Größe 鍵 🔒')).toBe('Größe 鍵 🔒');
  });

  it('has spans in two units at most', () => {
    const spans = [0, 999, 1_500, 59_900, 192_000, 7_500_000, 90_000_000 * 4].map(span);
    expect(spans).toEqual(['0 ms', '999 ms', '1.5 s', '59.9 s', '3 min 12 s', '2 h 05 min', '4 d 04 h']);
    expect(span(-5)).toBe('0 ms');
  });
});
