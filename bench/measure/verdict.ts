import { BEST_PEER, type Bound } from '../bounds.js';
import { bestPeer, figureOf, ratioOf, type Row, type Table } from './table.js';

/** What became of one bound. */
export interface Verdict {
  readonly says: string;
  readonly value: number;
  /** `at most 1.2` */
  readonly demand: string;
  /** Whom it was compared with. */
  readonly against?: string;
  readonly met: boolean;
}

/** Compares a table with the bounds that are about it. */
export function verdicts(tables: readonly Table[], bounds: readonly Bound[], quick: boolean): Verdict[] {
  return bounds.flatMap((bound) => {
    const table = tables.find(({ id }) => id === bound.table);
    return table ? [verdict(table, bound, quick)] : [];
  });
}

function verdict(table: Table, bound: Bound, quick: boolean): Verdict {
  const row = table.rows.find(({ id }) => id === (bound.row ?? 'own'));
  const other = otherRow(table, bound);
  if (!row || (bound.against !== undefined && !other))
    throw new Error(`The bound '${bound.says}' is about a row that ${table.id} does not have.`);
  const value = other ? ratioOf(row, other, bound.column) : figureOf(row, bound.column);
  const { says, atLeast, atMost } = bound;
  const least = atLeast === undefined ? -Infinity : quick ? (bound.quick ?? atLeast) : atLeast;
  const most = atMost === undefined ? Infinity : quick ? (bound.quick ?? atMost) : atMost;
  const demand = atLeast === undefined ? `at most ${most}` : `at least ${least}`;
  const met = value >= least && value <= most;
  return { says, value, demand, met, ...(other ? { against: other.label } : {}) };
}

function otherRow(table: Table, { against, column }: Bound): Row | undefined {
  return against === BEST_PEER ? bestPeer(table, column) : table.rows.find(({ id }) => id === against);
}
