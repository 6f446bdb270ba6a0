import { figures } from './numbers.js';
import type { Column, Row, Table } from './table.js';

// Two-sided 95 % quantiles of Student's t distribution, by degrees of freedom.
const T = [
  NaN,
  12.71,
  4.3,
  3.18,
  2.78,
  2.57,
  2.45,
  2.36,
  2.31,
  2.26,
  2.23,
  2.2,
  2.18,
  2.16,
  2.14,
  2.13,
  2.12,
  2.11,
  2.1,
  2.09,
];
const ENOUGH = 0.97;

/** For each figure: how much better it is than before, round by round, with the 95 % interval of the mean. */
export function againstBefore(tables: readonly Table[]): { lines: string[]; worse: number } {
  const lines: string[] = [];
  let worse = 0;
  for (const { id, columns, rows } of tables) {
    const [own, before] = [rows.find((row) => row.id === 'own'), rows.find((row) => row.id === 'before')];
    if (!own || !before) continue;
    for (const column of columns) {
      const { mean, from, to, rounds } = interval(own, before, column);
      if (Number.isNaN(mean)) continue;
      if (to < ENOUGH) worse += 1;
      const verdict = to < ENOUGH ? 'WORSE' : 'ok   ';
      lines.push(
        `${verdict} ${id}, ${column.title}: ${figures(mean)} × before (${figures(from)} to ${figures(to)}, ${rounds} rounds)`,
      );
    }
  }
  return { lines, worse };
}

/** More than 1 is better, whichever way the figure is meant. */
function interval(own: Row, before: Row, { id, better }: Column) {
  const logs: number[] = [];
  for (const [round, sample] of own.samples.entries()) {
    const [mine, theirs] = [sample[id] ?? NaN, before.samples[round]?.[id] ?? NaN];
    logs.push(Math.log(better === 'more' ? mine / theirs : theirs / mine));
  }
  const rounds = logs.length;
  const mean = logs.reduce((sum, each) => sum + each, 0) / rounds;
  const variance = logs.reduce((sum, each) => sum + (each - mean) ** 2, 0) / (rounds - 1);
  const half = (T[Math.min(rounds - 1, T.length - 1)] ?? 2.09) * Math.sqrt(variance / rounds);
  return { mean: Math.exp(mean), from: Math.exp(mean - half), to: Math.exp(mean + half), rounds };
}
