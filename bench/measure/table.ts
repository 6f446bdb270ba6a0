import type { Role } from '../contenders/contender.js';
import { median } from './numbers.js';

/** One figure of a scenario. */
export interface Column {
  readonly id: string;
  readonly title: string;
  readonly better: 'more' | 'less';
}

/** What one round showed of one contender: a number per column. */
export type Sample = Readonly<Record<string, number>>;

/** One contender's rounds. */
export interface Row {
  readonly id: string;
  readonly label: string;
  readonly role: Role;
  /** By round; a contender that is too slow has fewer than the others. */
  readonly samples: Sample[];
  /** Figures of all rounds together, for columns without one per round. */
  readonly totals?: Record<string, number>;
}

/** The outcome of a scenario. */
export interface Table {
  readonly id: string;
  readonly title: string;
  /** What is done under the lock. */
  readonly section: 'empty' | 'rmw' | 'none';
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
  readonly note?: string;
}

/** The row's figure in a column: of all rounds, or the median of the rounds. */
export function figureOf(row: Row, column: string): number {
  return row.totals?.[column] ?? median(row.samples.map((sample) => sample[column] ?? NaN));
}

/** The median over the rounds of what `row` shows in units of what `other` shows in the same round. */
export function ratioOf(row: Row, other: Row, column: string): number {
  const rounds = Math.min(row.samples.length, other.samples.length);
  const ratios = Array.from({ length: rounds }, (_, round) => {
    return (row.samples[round]?.[column] ?? NaN) / (other.samples[round]?.[column] ?? NaN);
  });
  return median(ratios);
}

/** The peer with the best figure. */
export function bestPeer({ rows, columns }: Table, column: string): Row | undefined {
  const sign = columns.find(({ id }) => id === column)?.better === 'less' ? 1 : -1;
  const peers = rows.filter(({ role, samples }) => role === 'peer' && samples.length > 0);
  return peers.sort((a, b) => sign * (figureOf(a, column) - figureOf(b, column)))[0];
}
