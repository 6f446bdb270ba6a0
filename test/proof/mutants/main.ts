import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { lineMutants } from './line-mutants.js';
import { machineMutants } from './machine-mutants.js';
import type { Mutant } from './mutant.js';
import { scriptMutants } from './script-mutants.js';

const root = process.cwd();
const copies = join(root, '.tmp', 'mutants');
// Most specs keep one processor busy. The healthy run, which uses all of them, shows that they stand the company.
const LANES = Math.min(2, availableParallelism());
const COPIED = ['lib', 'test', 'tools', 'jest.config.mjs', 'tsconfig.json', 'package.json'];
const PATIENCE = 90_000;
// All specs at once, without a bug: they have to pass, not to search for long.
const HEALTHY = { patience: 300_000, schedules: '200' };

/** A copy of the project, in which one mutant lives at a time. */
function prepare(lane: number): string {
  const copy = join(copies, String(lane));
  mkdirSync(copy, { recursive: true });
  for (const entry of COPIED) cpSync(join(root, entry), join(copy, entry), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

/** How many tests passed and failed; undefined when the specs could not run at all. */
async function runSpecs(
  copy: string,
  { specs, tests }: Pick<Mutant, 'specs' | 'tests'>,
  { patience, schedules } = { patience: PATIENCE, schedules: '1500' },
): Promise<{ passed: number; failed: number } | undefined> {
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
  await once(spawn(process.execPath, args, { cwd: copy, env, stdio: 'ignore', timeout: patience }), 'exit');
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
async function failureOf(copy: string, mutant: Mutant): Promise<string | undefined> {
  const path = join(copy, mutant.file);
  const original = readFileSync(path, 'utf8');
  const parts = original.split(mutant.text);
  if (parts.length !== 2) return `the text stands ${parts.length - 1} times in ${mutant.file}, not once`;
  try {
    writeFileSync(path, parts.join(mutant.becomes));
    if (mutant.file.endsWith('.lua')) spawnSync(process.execPath, ['tools/embed-lua.mjs'], { cwd: copy });
    const outcome = await runSpecs(copy, mutant);
    if (!outcome) return 'its specs cannot be run';
    return outcome.failed > 0
      ? undefined
      : `it survived ${outcome.passed} tests of ${mutant.specs.join(', ')}`;
  } finally {
    writeFileSync(path, original);
    if (mutant.file.endsWith('.lua')) spawnSync(process.execPath, ['tools/embed-lua.mjs'], { cwd: copy });
  }
}

rmSync(copies, { recursive: true, force: true });
const lanes = Array.from({ length: LANES }, (_, lane) => prepare(lane));
const wanted = process.argv[2] ?? '';
const mutants = [...lineMutants, ...machineMutants, ...scriptMutants].filter(({ bug }) =>
  bug.includes(wanted),
);
let [caught, missed] = [0, 0];
// What fails anyway catches nothing.
const all = [...new Set(mutants.flatMap(({ specs }) => specs))];
const healthy = await runSpecs(lanes[0] as string, { specs: all }, HEALTHY);
if (healthy?.failed === 0) caught += 1;
else missed += 1;
console.log(`without a bug ${healthy?.passed ?? 0} tests pass and ${healthy?.failed ?? 'some'} fail`);
const queue = [...mutants];
await Promise.all(
  lanes.map(async (copy) => {
    for (let mutant = queue.shift(); mutant; mutant = queue.shift()) {
      const began = performance.now();
      const failure = await failureOf(copy, mutant);
      if (failure === undefined) caught += 1;
      else missed += 1;
      const seconds = ((performance.now() - began) / 1_000).toFixed(1);
      console.log(
        `${failure === undefined ? 'caught  ' : 'SURVIVED'} ${mutant.bug} (${seconds} s)${failure ? `: ${failure}` : ''}`,
      );
    }
  }),
);
console.log(`Tests: ${caught} passed, ${missed} failed`);
process.exit(missed > 0 ? 1 : 0);
