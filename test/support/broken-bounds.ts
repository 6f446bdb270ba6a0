import { strictEqual } from 'node:assert/strict';
import { appendFileSync } from 'node:fs';

/** Tests for test/tools/time-bounds: each writes down that it runs. */
const runs = new Map<string, number>();
function run(name: string): number {
  const count = (runs.get(name) ?? 0) + 1;
  runs.set(name, count);
  appendFileSync(process.env['RUNS'] as string, `${name}\n`);
  return count;
}

it('late twice', () => expect(run('late twice') < 3 ? 26 : 24).toTakeLessThan(20, 5));
it('always late', () => {
  run('always late');
  expect(26).toTakeLessThan(20, 5);
});
it('wrong once', () => expect(run('wrong once')).toBe(2));
it('late, then wrong once', () => {
  const count = run('late, then wrong once');
  if (count === 1) expect(26).toTakeLessThan(20, 5);
  expect(count).toBe(3);
});
it('wrong by node:assert', () => strictEqual(run('wrong by node:assert'), 2));
it('no number', () => {
  run('no number');
  expect(NaN).toTakeLessThan(20, 5);
});
