import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const page = read('docs/transports.md').split('## Which test shows what')[1]!;

const HEADS = ['handler', 'an HTTP handler returns', 'a method that is called in the process'];

/** The rows of the tables: the handler, and what stands in its cells. */
const rows = [...page.matchAll(/^\| (.+?) +\|(.+)\|$/gm)]
  .map(([, handler = '', cells = '']) => ({ handler, cells }))
  .filter(({ handler }) => !HEADS.includes(handler) && !handler.startsWith('---'));
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
    const used = new Set(page.split('\n- ')[0]!.match(/\b[A-Z]\d\b/g));
    expect([...used].sort()).toEqual(tests.map(({ mark }) => mark).sort());
  });

  it('has no empty cell', () => {
    const cell = /^(–|below|([A-Z]\d, )*[A-Z]\d(: NestJS 12)?)$/;
    const empty = rows.flatMap(({ handler, cells }) =>
      cells.split('|').flatMap((each) => (cell.test(each.trim()) ? [] : [`${handler}: '${each.trim()}'`])),
    );
    expect(empty).toEqual([]);
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

  it('has a row for every kind of result that an HTTP handler may have, and a cell for every scope', () => {
    const text = read('test/nest/return-kinds.spec.ts');
    const kinds = text.split('const KINDS = {')[1]!.split('} as const')[0]!;
    const listed = [...kinds.matchAll(/: '(.+)',$/gm)].map(([, kind]) => kind!);
    const transient = /transient: \['transient\/', \[(.+)\]\]/.exec(text)![1]!.match(/[\w-]+/g)!;
    expect(listed.length).toBeGreaterThan(10);
    for (const [index, kind] of listed.entries()) {
      const row = rows.find(({ handler }) => handler === kind);
      const route = [...kinds.matchAll(/^ {2}'?([\w-]+)'?: /gm)][index]![1]!;
      const cells = row?.cells.split('|').map((cell) => cell.trim());
      expect([kind, ...(cells?.slice(0, 3) ?? [])]).toEqual([
        kind,
        'R1',
        'R1',
        transient.includes(route) ? 'R1' : '–',
      ]);
    }
  });
});
