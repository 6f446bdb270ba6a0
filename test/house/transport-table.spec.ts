import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const page = read('docs/transports.md').split('## Which test shows what')[1]!;

/** The rows of the tables: the handler, and what stands in its cells. */
const rows = [...page.matchAll(/^\| (.+?) +\|(.+)\|$/gm)]
  .map(([, handler = '', cells = '']) => ({ handler, cells }))
  .filter(({ handler }) => handler !== 'handler' && !handler.startsWith('---'));
const tests = [...page.matchAll(/^- ([A-Z]\d) `(.+?)`: (.+)$/gm)].map(([, mark, file, title]) => ({
  mark: mark!,
  file: file!,
  title: title!,
}));

describe('the table of transports', () => {
  it.each(tests)('names a test that exists: $mark', ({ file, title }) => {
    const titles = read(file).matchAll(/(['"`])((?:(?!\1).)+)\1/g);
    expect([...titles].map(([, , text]) => text)).toContain(title);
  });

  it('explains every mark, and uses all that it explains', () => {
    const used = new Set(rows.flatMap(({ cells }) => cells.match(/\b[A-Z]\d\b/g) ?? []));
    expect([...used].sort()).toEqual(tests.map(({ mark }) => mark).sort());
  });

  it('has a row for everything that the tests run over', () => {
    const transports = read('test/support/transport-applications.ts').split('export const TRANSPORTS = {')[1];
    const kinds = read('test/support/background-application.ts').split('BACKGROUND_KINDS = [')[1];
    const listed = [
      ...transports!.split('}')[0]!.matchAll(/^ {2}(?:'(.+)'|(\w+)): /gm),
      ...kinds!.split(']')[0]!.matchAll(/^ {2}'(.+)',$/gm),
    ].map(([, name, word]) => (name ?? word)!.replace(' in the scope request', ''));
    expect(listed.length).toBeGreaterThan(15);
    expect(rows.map(({ handler }) => handler)).toEqual(expect.arrayContaining(listed));
  });
});
