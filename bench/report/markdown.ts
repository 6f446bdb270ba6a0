import { figures } from '../measure/numbers.js';
import { figureOf, type Row, type Table } from '../measure/table.js';
import type { Verdict } from '../measure/verdict.js';

/** The results as a page. */
export function page(
  heading: readonly string[],
  tables: readonly Table[],
  verdicts: readonly Verdict[],
): string {
  return `${[...heading, ...tables.map(section), bounds(verdicts)].filter(Boolean).join('\n\n')}\n`;
}

/** One scenario: a row per contender; in brackets, how often ours is that. */
export function section(table: Table): string {
  const { title, columns, rows, note } = table;
  const ours = rows.find(({ role }) => role === 'ours');
  const rounds = Math.max(...rows.map(({ samples }) => samples.length));
  const head = ['', ...columns.map((column) => column.title)];
  const lines = [
    head,
    ['---', ...columns.map(() => '---:')],
    ...rows.map((row) => lineOf(row, table, ours, rounds)),
  ];
  const words = table.section === 'none' ? '' : ` (section: *${table.section}*)`;
  const body = lines.map((line) => `| ${line.join(' | ')} |`).join('\n');
  return [`## ${title}${words}`, body, note].filter(Boolean).join('\n\n');
}

function lineOf(row: Row, { columns }: Table, ours: Row | undefined, rounds: number): string[] {
  const fewer = row.samples.length < rounds ? ` (${row.samples.length} of ${rounds} rounds)` : '';
  const name = row.role === 'ours' ? `**${row.label}**` : row.label;
  return [
    name + fewer,
    ...columns.map(({ id }) => {
      const value = figureOf(row, id);
      const ratio = ours && ours !== row ? figureOf(row, id) / figureOf(ours, id) : NaN;
      return figures(value) + (Number.isFinite(ratio) ? ` (${figures(ratio)} ×)` : '');
    }),
  ];
}

function bounds(verdicts: readonly Verdict[]): string {
  if (verdicts.length === 0) return '';
  const lines = verdicts.map(
    ({ says, value, demand, against, met }) =>
      `| ${says} | ${against ?? ''} | ${figures(value)} | ${demand} | ${met ? 'yes' : '**no**'} |`,
  );
  const head =
    '| bound | compared with | ratio or figure | demanded | met |\n| --- | --- | ---: | --- | --- |';
  return `## Bounds\n\n${head}\n${lines.join('\n')}`;
}
