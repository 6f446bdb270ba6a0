import * as nest from '@nestjs/common';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { namesNotGiven, snippetsOf, typeErrors, type Known } from './snippets.js';

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

const AWAY = new Set(['node_modules', '.git', 'dist', 'coverage', '.tmp', 'package-lock.json']);
const TEXT = /(\.(ts|mjs|cjs|js|json|md|lua|yml|yaml|sh)|\/run)$/;
const files = readdirSync(root)
  .filter((name) => !AWAY.has(name))
  .flatMap((name) =>
    statSync(join(root, name)).isDirectory()
      ? readdirSync(join(root, name), { recursive: true, encoding: 'utf8' }).map((path) => `${name}/${path}`)
      : [name],
  )
  .filter((path) => TEXT.test(path) && !path.includes('node_modules'));

/** An export of an entry point. */
interface Export {
  readonly kind: string;
  readonly name: string;
  readonly tags: readonly string[];
}

function exportsOf(entries: readonly string[]): Export[][] {
  const config = ts.getParsedCommandLineOfConfigFile(join(root, 'tsconfig.lib.json'), undefined, {
    ...ts.sys,
    onUnRecoverableConfigFileDiagnostic: () => undefined,
  })!;
  const paths = entries.map((entry) => join(root, entry));
  const program = ts.createProgram(paths, config.options);
  const checker = program.getTypeChecker();
  return paths.map((path) => {
    const module = checker.getSymbolAtLocation(program.getSourceFile(path)!)!;
    return checker.getExportsOfModule(module).map((symbol) => {
      const declared = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
      const { flags } = declared;
      const tags = declared.getJsDocTags(checker).map(({ name }) => name);
      const kind =
        flags & ts.SymbolFlags.Class
          ? 'class'
          : flags & ts.SymbolFlags.Function
            ? 'function'
            : flags & ts.SymbolFlags.Value
              ? 'const'
              : 'type';
      return { kind, name: symbol.name, tags };
    });
  });
}

const ENTRIES = [
  { module: 'nestjs-distributed-lock', path: 'lib/index.ts' },
  { module: 'nestjs-distributed-lock/plain', path: 'lib/plain.ts' },
  { module: 'nestjs-distributed-lock/opentelemetry', path: 'lib/opentelemetry/index.ts' },
  { module: 'nestjs-distributed-lock/terminus', path: 'lib/terminus/index.ts' },
  { module: 'nestjs-distributed-lock/schedule', path: 'lib/schedule/index.ts' },
  { module: 'nestjs-distributed-lock/testing', path: 'lib/testing/index.ts' },
  { module: 'nestjs-distributed-lock/swagger', path: 'lib/swagger/index.ts' },
];
const exported = exportsOf(ENTRIES.map(({ path }) => path));

describe('the public API', () => {
  it('is what test/house/public-api.txt says: a change of it is a decision', () => {
    const list = ENTRIES.map(({ module }, index) =>
      [module, ...exported[index]!.map(({ kind, name }) => `${kind} ${name}`).sort()].join('\n  '),
    );
    expect(`${list.join('\n')}\n`).toBe(read('test/house/public-api.txt'));
  });

  it('says of everything in it that it is public', () => {
    const untold = exported.flat().filter(({ tags }) => !tags.includes('publicApi'));
    expect(untold.map(({ name }) => name)).toEqual([]);
  });

  it('has in the entry without Nest what the whole has, but for what concerns Nest', () => {
    const [whole = [], plain = []] = exported.map((each) => each.map(({ name }) => name));
    expect(plain.filter((name) => !whole.includes(name))).toEqual([]);
    const source = read('lib/index.ts').matchAll(/export \{([^}]*)\} from '\.\/(\w+)\//g);
    const ofNest = [...source].flatMap(([, names = '', floor]) =>
      floor === 'nest' ? (names.match(/\w+(?=\s*(,|$))/g) ?? []) : [],
    );
    expect(whole.filter((name) => !plain.includes(name)).sort()).toEqual(ofNest.sort());
  });
});

describe('the documentation', () => {
  const pages = ['README.md', ...files.filter((path) => /^(docs|skills)\/.*\.md$/.test(path))];

  const known: Known = new Map([
    ...Object.keys(nest).map((name) => [name, { module: '@nestjs/common', type: false }] as const),
    // Ours last: @nestjs/common exports a `Lock` too, the HTTP method.
    // And of ours the whole last, which has what is in the entry without Nest.
    ...[...ENTRIES.keys()]
      .reverse()
      .flatMap((index) =>
        exported[index]!.map(
          ({ kind, name }) => [name, { module: ENTRIES[index]!.module, type: kind === 'type' }] as const,
        ),
      ),
  ]);

  it('compiles: every ts block type-checks', () => {
    const snippets = pages.flatMap((page) => snippetsOf(join(root, page)));
    expect(snippets.length).toBeGreaterThan(0);
    expect(typeErrors(root, snippets, known)).toEqual([]);
  }, 60_000);

  it('shows complete examples in the README: they import what they use', () => {
    // What the type check above gives to a snippet without being asked.
    const missing = snippetsOf(join(root, 'README.md')).flatMap((snippet) => {
      const exported = [...namesNotGiven(snippet)].filter((name) => known.has(name));
      const standIns = snippet.code.match(/(?<![.\w])(locks|db)(?=\.)/g) ?? [];
      return [...exported, ...standIns].map((name) => `README.md:${snippet.line}: ${name}`);
    });
    expect(missing).toEqual([]);
  });

  it('is checked: a wrong block is found, at its line', () => {
    const snippets = [
      {
        page: 'a.md',
        line: 3,
        code: "const x = lockName('a');\n@Injectable() class A { constructor(readonly x: Duration) {} }",
      },
      { page: 'a.md', line: 9, code: "const lease = 1;\nlockName('a', undefined);\n" },
    ];
    expect(typeErrors(root, snippets, known)).toEqual([expect.stringMatching(/^a\.md:10: .*undefined/)]);
  }, 60_000);
});

describe('the repository', () => {
  it('names no host in package-lock.json, so that an install uses the registry of its own machine', () => {
    const hosts = read('package-lock.json').match(/"resolved": "(?!file:)[^"]*"/g);
    expect(hosts).toBeNull();
  });

  it('lists the optional packages of every platform in package-lock.json, else npm ci refuses', () => {
    const { packages } = JSON.parse(read('package-lock.json')) as {
      packages: Record<string, { optionalDependencies?: Record<string, string> }>;
    };
    const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) => !packages[`${path}/node_modules/${name}`] && !packages[`node_modules/${name}`],
      ),
    );
    expect(missing).toEqual([]);
  });

  it('leaves no loose ends behind', () => {
    // Spelt in two halves, for this file is searched as well.
    const words = new RegExp(`\\b(${'TO'}${'DO'}|${'FIX'}${'ME'}|${'X'}${'XX'})\\b`);
    expect(files.filter((path) => words.test(read(path)))).toEqual([]);
  });

  it('runs all tests: none alone, none left out without a comment that says why', () => {
    const wrong = files
      .filter((path) => path.startsWith('test/') && path.endsWith('.ts'))
      .flatMap((path) => {
        const lines = read(path).split('\n');
        return lines.flatMap((line, index) => {
          const alone = /\b(describe|it|test)\.only\b|\bf(it|describe)\(/.test(line);
          const skipped = /\b(describe|it|test)\.(skip|todo|failing)\b|\bx(it|describe)\(/.test(line);
          const reason = lines
            .slice(Math.max(0, index - 2), index + 1)
            .some((near) => /^\s*(\/\/|\*)|\s\/\/ /.test(near));
          return alone || (skipped && !reason) ? [`${path}:${index + 1}`] : [];
        });
      });
    expect(wrong).toEqual([]);
  });

  it('runs no script when it is installed', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    expect(Object.keys(scripts).filter((name) => /^(pre|post)?install$|^prepare$/.test(name))).toEqual([]);
  });
});
