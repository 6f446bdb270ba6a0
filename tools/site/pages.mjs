// What the site consists of: pages of this repository, at other addresses, with links that fit them.
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { posix } from 'node:path';

const { dirname, join, normalize, relative } = posix;

/** The pages that have another address than their path. */
const ADDRESSES = new Map([
  ['README.md', 'index.md'],
  ['README.zh-CN.md', 'zh/index.md'],
]);

/** Every page: its path in the repository, and its path in the site. */
export function pagesOf(root) {
  const docs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map(
    (path) => `docs/${path}`,
  );
  const pages = [
    ...readdirSync(root).filter((path) => path.endsWith('.md')),
    'bench/README.md',
    'findings/README.md',
    ...docs.filter((path) => path.endsWith('.md')),
  ];
  return new Map(pages.map((path) => [path, addressOf(path)]));
}

function addressOf(path) {
  return ADDRESSES.get(path) ?? path.replace(/README\.md$/, 'index.md');
}

/** The anchor of a heading, as GitHub makes it: so the same links lead to it there and here. */
export function anchorOf(title) {
  return title
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replace(/\s/g, '-');
}

/**
 * The text of a page for its address in the site. Links to pages lead to their addresses; pictures are reported to
 * `picture`, by their path in the repository; other files are in the repository, or no links when it is not known.
 */
export function atAddress(text, path, { root, pages, repository, picture }) {
  const moved = (target) => relative(dirname(pages.get(path)), target) || '.';
  const link = (whole, bang, label, target) => {
    if (/^(\w+:|#)/.test(target)) return whole;
    const [file = '', anchor] = target.split('#');
    const there = normalize(join(dirname(path), file));
    const page = pages.get(there);
    if (page !== undefined) return `[${label}](${moved(page)}${anchor === undefined ? '' : `#${anchor}`})`;
    if (bang === '!') {
      picture(there);
      return `![${label}](${moved(there)})`;
    }
    if (repository === undefined || !existsSync(join(root, there))) return label;
    const kind = statSync(join(root, there)).isDirectory() ? 'tree' : 'blob';
    return `[${label}](${repository}/${kind}/main/${there})`;
  };
  // Code stays as it is; blocks first, since a block may hold a single backtick.
  return text
    .split(/(^```[^]*?^```$)/m)
    .map((part) =>
      part.startsWith('```')
        ? part
        : part.replace(
            /(`[^`\n]*`(?!\]))|(!?)\[((?:[^[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)/g,
            (whole, code, bang, label, target) =>
              code === undefined ? link(whole, bang, label, target) : whole,
          ),
    )
    .join('');
}

/** The address of the repository's pages, when package.json knows it. */
export function repositoryOf(root) {
  const { repository } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const url = typeof repository === 'string' ? repository : repository?.url;
  return url?.replace(/^git\+/, '').replace(/\.git$/, '');
}

/** The groups of links at the end of a README, for the sidebar: each is an item of the list that begins with its title. */
export function groupsOf(readme, root, pages) {
  const list = readFileSync(join(root, readme), 'utf8').split(/^## (?:Documentation|文档)$/m)[1] ?? '';
  return list
    .replace(/\n {2}/g, ' ')
    .split('\n')
    .flatMap((line) => {
      const [, title, rest] = /^- ([^:：[]+)[:：]\s*(.*)/.exec(line) ?? [];
      if (title === undefined) return [];
      const links = [...rest.matchAll(/\[([^\]]+)\]\(([^)]+)\)/g)].filter(([, , target]) =>
        pages.has(target),
      );
      return [
        {
          text: title,
          items: links.map(([, text, target]) => ({
            text: capital(text, target),
            link: `/${linkTo(pages.get(target))}`,
          })),
        },
      ];
    })
    .filter(({ items }) => items.length > 0);
}

// Names of packages are written as they are.
const capital = (text, target) =>
  target.includes('/migration/') ? text : text.charAt(0).toUpperCase() + text.slice(1);

/** The address of a page as a link of the site. */
function linkTo(page) {
  return page.replace(/(^|\/)index\.md$/, '$1').replace(/\.md$/, '');
}
