import type { Row } from '../row.js';
import { clockRows } from './clocks.js';
import { networkRows } from './network.js';
import { processRows } from './processes.js';
import { refusalRows } from './refusals.js';
import { serverRows } from './server.js';
import { timingRows } from './timing.js';

export const rows: readonly Row[] = [
  ...clockRows,
  ...networkRows,
  ...processRows,
  ...refusalRows,
  ...serverRows,
  ...timingRows,
].sort((a, b) => a.number - b.number);
