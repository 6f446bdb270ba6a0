import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lineMutants } from './line-mutants.js';
import { machineMutants } from './machine-mutants.js';
import type { Mutant } from './mutant.js';
import { scriptMutants } from './script-mutants.js';

const root = process.cwd();
const copy = join(root, '.tmp', 'mutants');
const COPIED = ['lib', 'test', 'tools', 'jest.config.mjs', 'tsconfig.json', 'package.json'];
const PATIENCE = 90_000;
// All specs at once, without a bug: they have to pass, not to search for long.
const HEALTHY = { patience: 300_000, schedules: '200' };

function prepare(): void {
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(copy, { recursive: true });
  for (const entry of COPIED) cpSync(join(root, entry), join(copy, entry), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
}

/** How many tests passed and failed; undefined when the specs could not run at all. */
function runSpecs(
  { specs, tests }: Pick<Mutant, 'specs' | 'tests'>,
  { patience, schedules } = { patience: PATIENCE, schedules: '1500' },
): { passed: number; failed: number } | undefined {
  const report = join(copy, 'report.json');
  rmSync(report, { force: true });
  const jest = join('node_modules', 'jest', 'bin', 'jest.js');
  const only = tests === undefined ? [] : ['--testNamePattern', tests];
  const files = specs.map((spec) => join(copy, spec));
  const words = ['--experimental-vm-modules', '--no-warnings', jest, '--bail', '--silent', '--forceExit'];
  const args = [...words, '--json', '--outputFile', report, ...only, '--runTestsByPath', ...files];
  // That something is wrong is enough: nobody reads the least example of it.
  const end = { FIRST_FAILURE: '1' };
  const env = { ...process.env, ...end, SIM_SCHEDULES: process.env['SIM_SCHEDULES'] ?? schedules };
  spawnSync(process.execPath, args, { cwd: copy, env, stdio: 'ignore', timeout: patience });
  if (!existsSync(report)) return { passed: 0, failed: 1 }; // it hung, and that is noticed, too
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(report, 'utf8')) as {
    numPassedTests: number;
    numFailedTests: number;
    testResults: { message: string; assertionResults: unknown[] }[];
  };
  const broken = testResults.some(({ assertionResults }) => assertionResults.length === 0);
  return broken ? undefined : { passed: numPassedTests, failed: numFailedTests };
}

/** Why the mutant is not caught as it should be; undefined when it is. */
function failureOf(mutant: Mutant): string | undefined {
  const path = join(copy, mutant.file);
  const original = readFileSync(path, 'utf8');
  const parts = original.split(mutant.text);
  if (parts.length !== 2) return `the text stands ${parts.length - 1} times in ${mutant.file}, not once`;
  try {
    writeFileSync(path, parts.join(mutant.becomes));
    if (mutant.file.endsWith('.lua')) spawnSync(process.execPath, ['tools/embed-lua.mjs'], { cwd: copy });
    const outcome = runSpecs(mutant);
    if (!outcome) return 'its specs cannot be run';
    return outcome.failed > 0
      ? undefined
      : `it survived ${outcome.passed} tests of ${mutant.specs.join(', ')}`;
  } finally {
    writeFileSync(path, original);
    if (mutant.file.endsWith('.lua')) spawnSync(process.execPath, ['tools/embed-lua.mjs'], { cwd: copy });
  }
}

prepare();
const wanted = process.argv[2] ?? '';
const mutants = [...lineMutants, ...machineMutants, ...scriptMutants].filter(({ bug }) =>
  bug.includes(wanted),
);
let [caught, missed] = [0, 0];
// What fails anyway catches nothing.
const healthy = runSpecs({ specs: [...new Set(mutants.flatMap(({ specs }) => specs))] }, HEALTHY);
if (healthy?.failed === 0) caught += 1;
else missed += 1;
console.log(`without a bug ${healthy?.passed ?? 0} tests pass and ${healthy?.failed ?? 'some'} fail`);
for (const mutant of mutants) {
  const began = performance.now();
  const failure = failureOf(mutant);
  if (failure === undefined) caught += 1;
  else missed += 1;
  const seconds = ((performance.now() - began) / 1_000).toFixed(1);
  console.log(
    `${failure === undefined ? 'caught  ' : 'SURVIVED'} ${mutant.bug} (${seconds} s)${failure ? `: ${failure}` : ''}`,
  );
}
console.log(`Tests: ${caught} passed, ${missed} failed`);
process.exit(missed > 0 ? 1 : 0);
