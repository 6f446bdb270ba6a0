import { stripVTControlCharacters } from 'node:util';
import { isExact, type Outcome } from './race.js';
import { bold, dim, green, pad, red } from './style.js';

const HEAD = ['sold', 'left', 'oversold', 'fences', 'by process', 'wait p50', 'wait p99', 'answers/s'];

/** The outcomes as a table, at most 100 columns wide: a block for each crowd, in it a line for each way to sell. */
export function raceTable(outcomes: readonly Outcome[], processes: readonly string[]): string {
  const lines: (readonly string[] | 'rule')[] = [['', ...HEAD].map((title) => dim(title))];
  let crowd = '';
  for (const outcome of outcomes) {
    const { buyers, items } = outcome.race;
    const next = `${buyers} buyers, ${items} ${items === 1 ? 'item' : 'items'}`;
    if (next !== crowd) lines.push('rule', [bold(next), ...HEAD.map(() => '')]);
    crowd = next;
    lines.push(cells(outcome, processes));
  }
  return draw([...lines, 'rule']);
}

function cells(outcome: Outcome, processes: readonly string[]): string[] {
  const { race, sold, left, oversold, fences, increasing, byProcess, p50, p99, perSecond } = outcome;
  const locked = race.lock === 'on';
  const verdict = isExact(outcome) ? green('✓') : red('✗');
  return [
    `${verdict} ${locked ? 'with the lock' : 'without a lock'}`,
    `${sold}/${race.items}`,
    String(left),
    oversold > 0 ? red(`+${oversold}`) : green('0'),
    locked ? `${fences} ${increasing ? '↑' : red('!')}` : dim('none'),
    processes.map((name) => byProcess[name] ?? 0).join('·'),
    `${p50.toFixed(0)} ms`,
    `${p99.toFixed(0)} ms`,
    perSecond.toFixed(0),
  ];
}

function draw(lines: readonly (readonly string[] | 'rule')[]): string {
  const rows = lines.filter((line) => line !== 'rule');
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => stripVTControlCharacters(row[column] ?? '').length)),
  );
  const rule = dim('─'.repeat(widths.reduce((sum, width) => sum + width + 2, 0)));
  const row = (texts: readonly string[]) =>
    texts.map((text, column) => pad(text, widths[column] ?? 0, column === 0 ? 'right' : 'left')).join('  ');
  return lines.map((line) => ` ${line === 'rule' ? rule : ` ${row(line)}`}`).join('\n');
}
