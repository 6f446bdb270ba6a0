import { join } from 'node:path';

interface Group {
  readonly text: string;
  readonly items: readonly { readonly text: string; readonly link: string }[];
}
interface Place {
  readonly root: string;
  readonly pages: ReadonlyMap<string, string>;
  readonly repository?: string | undefined;
  picture(path: string): void;
}

const root = join(import.meta.dirname, '../..');
const { anchorOf, atAddress, groupsOf, pagesOf } = (await import(join(root, 'tools/site/pages.mjs'))) as {
  anchorOf(title: string): string;
  atAddress(text: string, path: string, place: Place): string;
  groupsOf(readme: string, root: string, pages: ReadonlyMap<string, string>): Group[];
  pagesOf(root: string): Map<string, string>;
};
const pages = pagesOf(root);

describe('the site of the documentation', () => {
  const pictures: string[] = [];
  const place: Place = { root, pages, picture: (path) => pictures.push(path) };

  it('moves links with the pages that they lead to', () => {
    const text = (link: string): string => `a [b](${link}) c`;
    expect(atAddress(text('docs/kinds.md#once'), 'README.zh-CN.md', place)).toBe(
      text('../docs/kinds.md#once'),
    );
    expect(atAddress(text('README.zh-CN.md'), 'README.md', place)).toBe(text('zh/index.md'));
    expect(atAddress(text('../../README.md'), 'docs/migration/redlock.md', place)).toBe(
      text('../../index.md'),
    );
    expect(atAddress(text('https://redis.io'), 'README.md', place)).toBe(text('https://redis.io'));
    expect(atAddress(text('#here'), 'README.md', place)).toBe(text('#here'));
  });

  it('takes pictures along', () => {
    const moved = atAddress('![p](docs/images/flash-sale.png)', 'README.zh-CN.md', place);
    expect(moved).toBe('![p](../docs/images/flash-sale.png)');
    expect(pictures).toEqual(['docs/images/flash-sale.png']);
  });

  it('leads to the repository for what is no page, or leaves the words where it has no address', () => {
    const text = 'see [the test](../test/redis/waiting.spec.ts)';
    expect(atAddress(text, 'docs/kinds.md', place)).toBe('see the test');
    expect(atAddress(text, 'docs/kinds.md', { ...place, repository: 'https://git.example/locks' })).toBe(
      'see [the test](https://git.example/locks/blob/main/test/redis/waiting.spec.ts)',
    );
  });

  it('leaves code alone', () => {
    const code = '```md\n[a](README.md) `\n```\n`[b](README.md)` and [`c`](kinds.md)';
    expect(atAddress(code, 'docs/nest.md', place)).toBe(code);
  });

  it('has the anchors of GitHub, so that the same links work', () => {
    expect(['LOCK_BUSY: max-hold', 'tryLock(wait, lease)', '文档 A'].map(anchorOf)).toEqual([
      'lock_busy-max-hold',
      'trylockwait-lease',
      '文档-a',
    ]);
  });

  it('lists every page for users in the sidebar, in both languages', () => {
    const listed = (readme: string): string[] =>
      groupsOf(readme, root, pages).flatMap(({ items }) => items.map(({ link }) => link));
    const elsewhere = /^docs\/(recipes\/(?!README)|architecture-record)/;
    const wanted = [...pages.keys()]
      .filter((path) => path.startsWith('docs/') && !elsewhere.test(path))
      .map((path) => `/${pages.get(path)!.replace(/index\.md$|\.md$/, '')}`);
    for (const readme of ['README.md', 'README.zh-CN.md'])
      expect(wanted.filter((link) => !listed(readme).includes(link))).toEqual([]);
  });
});
