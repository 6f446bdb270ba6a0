import { stripVTControlCharacters } from 'node:util';

const colours = process.stdout.isTTY === true && (process.env.NO_COLOR ?? '') === '';
const paint = (code: number) => (text: string) => (colours ? `\u001b[${code}m${text}\u001b[0m` : text);

export const bold = paint(1);
export const dim = paint(2);
export const red = paint(31);
export const green = paint(32);
export const yellow = paint(33);

/** Pads by what is seen: colours take no room. */
export function pad(text: string, width: number, side: 'left' | 'right'): string {
  const gap = ' '.repeat(Math.max(0, width - stripVTControlCharacters(text).length));
  return side === 'left' ? gap + text : text + gap;
}
