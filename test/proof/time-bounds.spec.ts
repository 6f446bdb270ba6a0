import { jest } from '@jest/globals';
import { overrun, runInTime } from './time-bounds.js';

const kept: string[] = [];
const late = overrun('the wait', 26, 20, 5);
const wrong = ['two held it'];

/** What comes of runs that see this, one after the other, and how many there were. */
async function outcome(...runs: (readonly string[])[]): Promise<{ seen: readonly string[]; runs: number }> {
  let count = 0;
  const said = jest.spyOn(console, 'log').mockImplementation(() => undefined);
  const seen = await runInTime(
    'a row',
    async () => runs[count++]!,
    (violations) => violations,
  );
  expect(said).toHaveBeenCalledTimes(count - 1);
  said.mockRestore();
  return { seen, runs: count };
}

it('a bound is kept up to itself and the measured delays, and by no NaN', () => {
  expect(overrun('the wait', 25, 20, 2, 3)).toEqual([]);
  expect(overrun('the wait', 25.1, 20, 2, 3)).toEqual([
    'the wait: 25.1 ms, allowed are 20 ms, and 2.0 + 3.0 ms as delays',
  ]);
  expect(overrun('the wait', NaN, 20)).toHaveLength(1);
});

it('what broke a time bound alone is run again, at most twice; whatever else is wrong counts at once', async () => {
  expect(await outcome(kept)).toEqual({ seen: kept, runs: 1 });
  expect(await outcome(late, late, kept)).toEqual({ seen: kept, runs: 3 });
  expect(await outcome(late, late, late, kept)).toEqual({ seen: late, runs: 3 });
  expect(await outcome(wrong, kept)).toEqual({ seen: wrong, runs: 1 });
  expect(await outcome([...late, ...wrong], kept)).toEqual({ seen: [...late, ...wrong], runs: 1 });
  expect(await outcome(late, wrong, kept)).toEqual({ seen: wrong, runs: 2 });
});
