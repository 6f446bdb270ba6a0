/** The rows of the table in docs/guarantees.md that `npm run test:topologies` runs. */
export const ROWS = {
  lossy: 2,
  cluster: 14,
  planned: 26,
  frozenSentinel: 27,
  ghost: 28,
  migration: 30,
  clusterDown: 34,
} as const;

export const topologyRows: readonly number[] = Object.values(ROWS);
