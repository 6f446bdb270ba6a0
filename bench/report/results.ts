import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Table } from '../measure/table.js';
import type { Verdict } from '../measure/verdict.js';
import type { BenchOptions } from '../options.js';
import { chart } from './chart.js';
import { page } from './markdown.js';

/** Writes the page and the chart of a run; resolves with where they are. */
export function writeResults(
  options: BenchOptions,
  redis: string,
  tables: readonly Table[],
  verdicts: readonly Verdict[],
): string {
  const { quick, rtt, rounds, rivals } = options;
  const command = [
    'npm run bench',
    quick && '--quick',
    rivals && '--rivals',
    rtt > 0 && `--rtt ${rtt}ms`,
  ].filter(Boolean);
  const [run, ...flags] = command;
  const line = flags.length > 0 ? `${String(run)} -- ${flags.join(' ')}` : String(run);
  const machine = `Node ${process.version}, Redis ${redis}, ${availableParallelism()} cores shared by all processes`;
  const heading = [
    '# Results',
    `\`${line}\`: ${machine}; medians of ${rounds} interleaved rounds. ` +
      'In brackets: the figure in units of ours. Absolute figures are those of this machine: compare ratios.',
    '![chart](./' + `${nameOf(options)}.svg)`,
  ];
  const folder = join(process.cwd(), 'bench/results');
  mkdirSync(folder, { recursive: true });
  const base = join(folder, nameOf(options));
  writeFileSync(`${base}.md`, page(heading, tables, verdicts));
  writeFileSync(`${base}.svg`, chart(tables));
  return `bench/results/${nameOf(options)}.md`;
}

function nameOf({ quick, rtt, only, rivals }: BenchOptions): string {
  const parts = [
    only.length > 0 ? only.join('+') : '',
    rivals ? 'rivals' : '',
    quick ? 'quick' : 'full',
    rtt > 0 ? `rtt-${rtt}ms` : '',
  ];
  return parts.filter(Boolean).join('-');
}
