import { figures } from '../measure/numbers.js';
import { figureOf, type Row, type Table } from '../measure/table.js';

const WIDTH = 900;
const LABEL = 330;
const BAR = 14;
const LINE = 20;
const COLOURS = {
  ours: '#c2185b',
  floor: '#90a4ae',
  limit: '#90a4ae',
  peer: '#5c6bc0',
  rival: '#00897b',
} as const;

/** A bar chart of the first column of each table, on a logarithmic scale; ours stands out. */
export function chart(tables: readonly Table[]): string {
  const blocks: string[] = [];
  let y = 30;
  for (const table of tables) {
    const [column] = table.columns;
    if (!column || table.rows.length < 2) continue;
    blocks.push(text(10, y, `${table.title} – ${column.title} (${column.better} is better)`, 'bold'));
    y += 8;
    const values = table.rows.map((row) => figureOf(row, column.id));
    const scale = scaleOf(values);
    table.rows.forEach((row, index) => {
      blocks.push(bar(row, values[index] ?? NaN, scale, y));
      y += LINE;
    });
    y += 34;
  }
  const style = 'font-family="system-ui, sans-serif" font-size="12"';
  const box = `viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}"`;
  const background = `<rect width="${WIDTH}" height="${y}" fill="#ffffff"/>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${box} ${style}>\n${[background, ...blocks].join('\n')}\n</svg>\n`;
}

/** From a value to the length of its bar: one decade below the smallest is nothing. */
function scaleOf(values: readonly number[]): (value: number) => number {
  const known = values.filter((value) => value > 0 && Number.isFinite(value)).map(Math.log10);
  const [low, high] = [Math.min(...known) - 0.5, Math.max(...known)];
  const room = WIDTH - LABEL - 90;
  return (value) => (value > 0 ? Math.max(1, ((Math.log10(value) - low) / (high - low)) * room) : 1);
}

function bar({ label, role }: Row, value: number, scale: (value: number) => number, y: number): string {
  const length = Number.isFinite(value) ? scale(value) : 0;
  return [
    text(LABEL - 8, y + BAR - 2, label, role === 'ours' ? 'bold' : 'normal', 'end'),
    `<rect x="${LABEL}" y="${y}" width="${length.toFixed(1)}" height="${BAR}" fill="${COLOURS[role]}"/>`,
    text(LABEL + length + 6, y + BAR - 2, figures(value)),
  ].join('\n');
}

function text(x: number, y: number, words: string, weight = 'normal', anchor = 'start'): string {
  const safe = words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return `<text x="${x.toFixed(1)}" y="${y}" font-weight="${weight}" text-anchor="${anchor}" fill="#263238">${safe}</text>`;
}
