import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { topologyRows } from '../../topologies/rows.js';
import { rows } from './rows/all.js';

const page = readFileSync(join(import.meta.dirname, '../../../docs/guarantees.md'), 'utf8');

describe('the table of faults in docs/guarantees.md', () => {
  it('has every row that runs, once and in order, and no other', () => {
    const documented = [...page.matchAll(/^\| (\d+) +\|/gm)].map(([, number]) => Number(number));
    const running = [...rows.map(({ number }) => number), ...topologyRows];
    expect(documented).toEqual(running.sort((a, b) => a - b));
  });

  it('says what is required and what was measured in each', () => {
    for (const [line] of page.matchAll(/^\| \d+ +\|.*$/gm))
      expect(line.split('|').map((cell) => cell.trim().length > 0)).toEqual([
        false,
        true,
        true,
        true,
        true,
        false,
      ]);
  });
});
