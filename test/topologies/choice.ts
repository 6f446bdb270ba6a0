/** Which rounds are wanted. */
export interface Choice {
  readonly rounds: number;
  readonly only: string;
  /** Rows of the table in docs/guarantees.md; none for all. */
  readonly rows: readonly number[];
  /** A part that takes less than three minutes. */
  readonly quick: boolean;
}

/** Whether a round is wanted that shows these rows. */
export function isWanted(
  { only, rows, quick }: Choice,
  words: string,
  row: number,
  isQuick: boolean,
): boolean {
  return words.includes(only) && (rows.length === 0 || rows.includes(row)) && (isQuick || !quick);
}
