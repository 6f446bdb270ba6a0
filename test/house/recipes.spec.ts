import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const { INSTALLED_ON_THE_FLY, pagesOfRecipes, withCode } = (await import(
  join(root, 'tools/embed-recipes.mjs')
)) as {
  readonly INSTALLED_ON_THE_FLY: readonly string[];
  pagesOfRecipes(): { path: string; now: string; wanted: string }[];
  withCode(page: string, file: string, code: string, language: string): string;
};
const files = readdirSync(join(root, 'docs/recipes'));
const recipes = files.filter((file) => file.endsWith('.ts')).map((file) => file.replace('.ts', ''));

describe('the recipes', () => {
  it('show the code of their files (npm run recipes)', () => {
    const pages = pagesOfRecipes();
    expect(pages).toHaveLength(recipes.length);
    for (const { now, wanted } of pages) expect(now).toBe(wanted);
  });

  it('are listed, and none is without code', () => {
    const pages = files.filter((file) => file.endsWith('.md') && file !== 'README.md');
    const listed = [...read('docs/recipes/README.md').matchAll(/\]\(([\w-]+)\.md\)/g)].map(
      ([, name]) => name,
    );
    expect([...listed].sort()).toEqual([...recipes].sort());
    expect(pages.map((file) => file.replace('.md', '')).sort()).toEqual([...recipes].sort());
  });

  it('are run by a test, each in the place that its page names', () => {
    const spec = read('test/nest/recipes.spec.ts');
    const orms = read('test/consumers/recipes.mjs');
    for (const name of recipes) {
      const apart = INSTALLED_ON_THE_FLY.includes(`${name}.ts`);
      expect(apart ? orms : spec).toContain(apart ? `'${name}.ts'` : `docs/recipes/${name}.js'`);
      expect(read(`docs/recipes/${name}.md`)).toContain(
        apart ? 'npm run test:consumers' : 'test/nest/recipes.spec.ts',
      );
    }
  });

  it('replace the code of a page, or put it in where there is none, and nothing else', () => {
    const page = 'A\n\n<!-- a.ts -->\n\n- B\n\n```ts\nkept\n```\n';
    const once = withCode(page, 'a.ts', 'const $1 = 1;\n', 'ts');
    expect(once).toBe('A\n\n<!-- a.ts -->\n\n```ts\nconst $1 = 1;\n```\n\n- B\n\n```ts\nkept\n```\n');
    expect(withCode(once, 'a.ts', 'const $1 = 1;\n', 'ts')).toBe(once);
    expect(() => withCode(page, 'b.ts', '', 'ts')).toThrow('<!-- b.ts -->');
  });
});
