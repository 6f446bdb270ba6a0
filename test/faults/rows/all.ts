import type { Row } from '../row.js';
import { serverRows } from './server.js';

export const rows: readonly Row[] = [...serverRows].sort((a, b) => a.number - b.number);
