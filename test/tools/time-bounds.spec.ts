import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

it('a test that breaks a time bound is run again, at most twice; one that is wrong is not', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bounds-'));
  try {
    const [RUNS, report] = [join(folder, 'runs'), join(folder, 'report.json')];
    const jest = ['node_modules/jest/bin/jest.js', '--testMatch', '<rootDir>/test/support/broken-bounds.ts'];
    const { stderr } = spawnSync(process.execPath, [...jest, '--json', '--outputFile', report], {
      encoding: 'utf8',
      env: { ...process.env, RUNS },
    });
    const counts: Record<string, number> = {};
    const runs = readFileSync(RUNS, 'utf8').trim().split('\n');
    // At once: the tests after it may leave its servers as they do not suit it.
    expect(runs.slice(0, 6)).toEqual([
      ...Array<string>(3).fill('late twice'),
      ...Array<string>(3).fill('always late'),
    ]);
    for (const name of runs) counts[name] = (counts[name] ?? 0) + 1;
    const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as {
      testResults: { assertionResults: { title: string; status: string }[] }[];
    };
    const results = testResults[0]!.assertionResults.map(({ title, status }) => [
      title,
      status,
      counts[title],
    ]);
    expect(results).toEqual([
      ['late twice', 'passed', 3],
      ['always late', 'failed', 3],
      ['wrong once', 'failed', 1],
      ['late, then wrong once', 'failed', 2],
      ['wrong by node:assert', 'failed', 1],
      ['no number', 'failed', 3],
    ]);
    expect(stderr).toContain(
      "time bound broken in run 1 of 'late twice': It took 26.0 ms; the bound and the measured delays are 20.0 + 5.0 ms.",
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
