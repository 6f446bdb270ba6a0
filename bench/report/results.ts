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
  { quick, rtt, rounds, only }: BenchOptions,
  redis: string,
  tables: readonly Table[],
  verdicts: readonly Verdict[],
): string {
  const command = ['npm run bench', quick && '--quick', rtt > 0 && `--rtt ${rtt}ms`].filter(Boolean);
  const [run, ...options] = command;
  const line = options.length > 0 ? `${String(run)} -- ${options.join(' ')}` : String(run);
  const machine = `Node ${process.version}, Redis ${redis}, ${availableParallelism()} cores shared by all processes`;
  const heading = [
    '# Results',
    `\`${line}\`: ${machine}; medians of ${rounds} interleaved rounds. ` +
      'In brackets: the figure in units of ours. Absolute figures are those of this machine: compare ratios.',
    '![chart](./' + `${nameOf(quick, rtt, only)}.svg)`,
  ];
  const folder = join(process.cwd(), 'bench/results');
  mkdirSync(folder, { recursive: true });
  const base = join(folder, nameOf(quick, rtt, only));
  writeFileSync(`${base}.md`, page(heading, tables, verdicts));
  writeFileSync(`${base}.svg`, chart(tables));
  return `bench/results/${nameOf(quick, rtt, only)}.md`;
}

function nameOf(quick: boolean, rtt: number, only: readonly string[]): string {
  const parts = [
    only.length > 0 ? only.join('+') : '',
    quick ? 'quick' : 'full',
    rtt > 0 ? `rtt-${rtt}ms` : '',
  ];
  return parts.filter(Boolean).join('-');
}
