import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const under = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((path) => `${folder}/${path}`);

const PAGES = [
  ...readdirSync(root).filter((name) => /\.md$/.test(name)),
  'llms.txt',
  'bench/README.md',
  'findings/README.md',
  ...[...under('docs'), ...under('skills')].filter((path) => path.endsWith('.md')),
];

/** The page without its blocks of code, where brackets are no links. */
const prose = (text: string): string => text.replace(/^```[^]*?^```/gm, '').replace(/`[^`\n]*`/g, '``');

/** The anchors of a page, as GitHub makes them of its headings. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, title = ''] of text.replace(/^```[^]*?^```/gm, '').matchAll(/^#{1,6} (.*)$/gm)) {
    const words = title.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const anchor = words
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replace(/\s/g, '-');
    let each = anchor;
    for (let again = 1; anchors.has(each); again += 1) each = `${anchor}-${again}`;
    anchors.add(each);
  }
  return anchors;
}

/** What is wrong with the links of a page. */
function brokenLinks(page: string, text: string): string[] {
  const links = [...prose(text).matchAll(/\]\((?!\w+:)([^)\s]+)\)/g)].map(([, link = '']) => link);
  return links.flatMap((link) => {
    const [path = '', anchor] = link.split('#');
    const target = path === '' ? page : normalize(join(dirname(page), path));
    if (!existsSync(join(root, target))) return [`${page}: ${link}`];
    if (anchor === undefined || !target.endsWith('.md')) return [];
    return anchorsOf(target === page ? text : read(target)).has(anchor) ? [] : [`${page}: ${link}`];
  });
}

const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };

/** What a script runs: the sources beside its entry, where the options that it knows must stand. */
function sourcesOf(script: string): string[] {
  const [, entry] =
    /node (?:--import \S+ )?(?:\.tmp\/\w+\/)?((?:test|tools|bench)\/\S+)/.exec(script.split('&&').at(-1)!) ??
    [];
  if (entry === undefined) return [];
  const folder = dirname(entry.replace(/\.js$/, '.ts'));
  return under(folder)
    .filter((path) => /\.(ts|mjs)$/.test(path) && statSync(join(root, path)).isFile())
    .map(read);
}

const JEST = new Set(['maxWorkers', 'testNamePattern', 'watch', 'coverage']);

/** What is wrong with a command that runs a script of package.json; undefined when nothing is. */
function wrongCommand(command: string): string | undefined {
  const [, short, long, rest = ''] = /npm (?:(test)|run ([\w:-]+))(.*)/.exec(command)!;
  const name = short ?? long!;
  const script = scripts[name];
  if (script === undefined) return `${command}: no such script`;
  const [, given = ''] = / -- (.*)/.exec(rest.replace(/#.*/, '')) ?? [];
  if (script.includes('jest') || /^\w+=\S+ npm test/.test(script)) {
    const words = given.split(/\s+/).filter((word) => word !== '');
    const specs = under('test').filter((path) => path.endsWith('.spec.ts'));
    const missing = words.find((word) =>
      word.startsWith('-')
        ? !JEST.has(word.replace(/^-+/, '').split('=')[0]!)
        : !specs.some((spec) => spec.includes(word)),
    );
    return missing === undefined ? undefined : `${command}: ${missing}`;
  }
  const sources = sourcesOf(script);
  const options = [...given.matchAll(/(?<=^|\s)--([\w-]+)/g)].map(([, option = '']) => option);
  const unknown = options.find(
    (option) =>
      !sources.some((text) => new RegExp(`(--${option}\\b|['"]${option}['"]|\\b${option}:)`).test(text)),
  );
  return unknown === undefined ? undefined : `${command}: --${unknown}`;
}

/** The commands of a page that run scripts of package.json, in blocks and in the text. */
function commandsOf(text: string): string[] {
  const blocks = [...text.matchAll(/^```([\w-]*).*\n([^]*?)^```/gm)].flatMap(
    ([, language = '', code = '']) => (['', 'sh', 'bash'].includes(language) ? code.split('\n') : []),
  );
  const inline = [...text.replace(/^```[^]*?^```/gm, '').matchAll(/`([^`]*)`/g)].map(([, code = '']) => code);
  return [...blocks, ...inline]
    .flatMap((line) => line.replace(/#.*/, '').split(/&&|\|\||;|\s&\s/))
    .map((line) => line.replace(/\s+/g, ' ').trim())
    .filter((line) => /\bnpm (test\b|run [\w])/.test(line));
}

describe('links', () => {
  it.each(PAGES)('of %s lead to files and headings that exist', (page) => {
    expect(brokenLinks(page, read(page))).toEqual([]);
  });

  it('are checked: a missing file, a missing heading, and not what stands in code', () => {
    const text = '# A b\n[x](no.md) [y](#a-b) [z](#c) [w](docs/kinds.md#nothing) `[v](gone.md)`';
    expect(brokenLinks('README.md', text)).toEqual([
      'README.md: no.md',
      'README.md: #c',
      'README.md: docs/kinds.md#nothing',
    ]);
  });

  it('lead from llms.txt to every page for users', () => {
    const own = /^docs\/(architecture|recipes\/(?!README))/;
    const pages = PAGES.filter((page) => /^(docs|skills)\//.test(page) && !own.test(page));
    expect(pages.filter((page) => !read('llms.txt').includes(`](${page})`))).toEqual([]);
  });
});

describe('the package', () => {
  it('has all that llms.txt names, so that it can be read where it is installed', () => {
    const { files } = JSON.parse(read('package.json')) as { files: string[] };
    const named = [...read('llms.txt').matchAll(/\]\(([^)#]+)/g)].map(([, path = '']) => path);
    // npm always packs README.md.
    const packed = [...files, 'README.md'];
    expect(
      named.filter((path) => !packed.some((each) => path === each || path.startsWith(`${each}/`))),
    ).toEqual([]);
  });

  it('has its skill where agents look for it: with a name, and what it is for', () => {
    const [, head = ''] = /^---\n([^]*?)\n---\n/.exec(read('skills/nestjs-distributed-lock/SKILL.md')) ?? [];
    expect(head).toMatch(/^name: nestjs-distributed-lock$/m);
    expect(/^description: (.*)$/m.exec(head)?.[1]?.length).toBeLessThan(1024);
  });
});

describe('commands', () => {
  it.each(PAGES.filter((page) => commandsOf(read(page)).length > 0))(
    'of %s exist, with their options',
    (page) => {
      expect(commandsOf(read(page)).flatMap((command) => wrongCommand(command) ?? [])).toEqual([]);
    },
  );

  it('are checked: scripts, options and specs that are none', () => {
    expect(wrongCommand('npm run nothing')).toBe('npm run nothing: no such script');
    expect(wrongCommand('npm run demo -- --never')).toBe('npm run demo -- --never: --never');
    expect(wrongCommand('npm test -- test/no/such')).toBe('npm test -- test/no/such: test/no/such');
    expect(wrongCommand('npm run demo -- --once')).toBeUndefined();
    expect(commandsOf('`npm ci && npm run demo`\n```sh\nA=1 npm test -- x # why\n```')).toEqual([
      'A=1 npm test -- x',
      'npm run demo',
    ]);
  });

  it('of ours exist: npx nestjs-distributed-lock', () => {
    const sources = under('lib/cli').map(read).join('\n');
    const used = PAGES.flatMap((page) => [
      ...read(page).matchAll(/npx nestjs-distributed-lock ([a-z]+)([^`\n]*)/g),
    ]);
    expect(used.length).toBeGreaterThan(5);
    for (const [command, verb = '', rest = ''] of used) {
      expect([command, /^(ls|show|watch|revoke|doctor)$/.test(verb)]).toEqual([command, true]);
      for (const [, option = ''] of rest.replace(/#.*/, '').matchAll(/--([a-z]+)/g))
        expect([command, option, sources.includes(option)]).toEqual([command, option, true]);
    }
  });
});

describe('the README', () => {
  const [english, chinese] = [read('README.md'), read('README.zh-CN.md')];
  const levels = (text: string): string[] => text.replace(/^```[^]*?^```/gm, '').match(/^#+(?= )/gm) ?? [];
  /** The blocks of code, without their comments, which are translated. */
  const blocks = (text: string): string[] =>
    [...text.matchAll(/^```(\w+)\n([^]*?)^```/gm)].map(([, language = '', code = '']) =>
      [language, ...code.split('\n').map((line) => line.replace(/\s*(?<![:\w])(\/\/|# ).*/, ''))].join('\n'),
    );
  const targets = (text: string): string[] =>
    [...prose(text).matchAll(/\]\(([^)]+)\)/g)].map(([, link = '']) => link);
  const columns = (text: string): string[] =>
    (text.match(/^\|.*\|$/gm) ?? []).map((row) => String(row.match(/(?<!\\)\|/g)!.length));

  it('has the same headings, blocks of code, tables and links in Chinese', () => {
    expect(levels(chinese)).toEqual(levels(english));
    expect(blocks(chinese)).toEqual(blocks(english));
    expect(columns(chinese)).toEqual(columns(english));
    const [mine, theirs] = [targets(chinese), targets(english)].map((links) =>
      links.filter((link) => !link.startsWith('README')).sort(),
    );
    expect(mine).toEqual(theirs);
  });

  it('claims nothing about this package in its comparison without a test', () => {
    const table = english.split('## Compared with others')[1]!.split('\n## ')[0]!;
    const rows = table
      .split('\n')
      .filter((line) => line.startsWith('|'))
      .slice(2);
    expect(rows.length).toBeGreaterThan(10);
    for (const row of rows) {
      const [, , ours = ''] = row.split('|');
      const tests = [...ours.matchAll(/\]\((test\/[^)]+)\)/g)].map(([, path = '']) => path);
      const honest = /^\s*no\b/.test(ours);
      expect([row, honest || tests.length > 0]).toEqual([row, true]);
      for (const path of tests) expect([path, existsSync(join(root, path))]).toEqual([path, true]);
    }
  });

  it('has prose without English in Chinese, and no half-width commas between Chinese words', () => {
    const text = prose(chinese).replace(/\]\([^)]*\)/g, ']');
    expect(text.match(/\p{Script=Han}[,;:?!]\p{Script=Han}/gu)).toBeNull();
    expect(text.match(/(?:\b[a-z]+ ){5}/g)).toBeNull();
  });
});
