import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const { faultsOf, refusalsOf } = (await import(join(root, 'tools/release-rules.mjs'))) as {
  refusalsOf(root: string, tag?: string): string[];
  faultsOf(files: string[], manifest: object): string[];
};

const examples = readdirSync(join(root, 'examples'), { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? [entry.name] : [],
);

describe('a release', () => {
  let tree: string;
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: tree, encoding: 'utf8', stdio: 'pipe' });
  const commit = (): string =>
    git('-c', 'user.name=test', '-c', 'user.email=test@example.com', 'commit', '-qam', 'test');
  const write = (path: string, text: string): void => writeFileSync(join(tree, path), text);
  const { version } = JSON.parse(read('package.json')) as { version: string };

  beforeEach(() => {
    tree = mkdtempSync(join(tmpdir(), 'lock-release-'));
    for (const path of ['package.json', 'package-lock.json']) write(path, read(path));
    write('CHANGELOG.md', `# Changelog\n\n## [${version}] - 2026-01-01\n`);
    for (const name of examples) {
      mkdirSync(join(tree, 'examples', name), { recursive: true });
      cpSync(join(root, `examples/${name}/package.json`), join(tree, `examples/${name}/package.json`));
    }
    git('init', '-q');
    git('add', '-A');
    commit();
  });

  afterEach(() => rmSync(tree, { recursive: true, force: true }));

  it('is made of a clean tree whose files say the same version', () => {
    expect(refusalsOf(tree)).toEqual([]);
    expect(refusalsOf(tree, `v${version}`)).toEqual([]);
  });

  it('is refused for a dirty tree, with the file that is new or changed', () => {
    write('left-over.txt', '');
    expect(refusalsOf(tree)).toEqual([expect.stringMatching(/The tree is dirty[^]*left-over\.txt/)]);
    rmSync(join(tree, 'left-over.txt'));
    write('CHANGELOG.md', `# Changelog\n\n## [${version}] - 2026-01-02\n`);
    expect(refusalsOf(tree)).toEqual([expect.stringMatching(/The tree is dirty[^]*CHANGELOG\.md/)]);
  });

  it('is refused under the tag of another version, and of another commit', () => {
    expect(refusalsOf(tree, 'v0.0.1')).toEqual([
      `The tag is v0.0.1, and package.json says version ${version}.`,
    ]);
    git('tag', `v${version}`);
    expect(refusalsOf(tree, `v${version}`)).toEqual([]);
    write('CHANGELOG.md', `# Changelog\n\n## [${version}] - 2026-01-02\n`);
    commit();
    expect(refusalsOf(tree)).toEqual([`v${version} is the tag of another commit: raise the version.`]);
  });

  it('is refused when the changelog, the lock file or an example speak of another version', () => {
    const manifest = { ...(JSON.parse(read('package.json')) as object), version: '99.0.0', bugs: undefined };
    write('package.json', JSON.stringify(manifest));
    commit();
    expect(refusalsOf(tree)).toEqual([
      `package-lock.json says version ${version}, and package.json 99.0.0: run npm install.`,
      `package-lock.json says version ${version}, and package.json 99.0.0: run npm install.`,
      "package.json has no 'bugs'.",
      "CHANGELOG.md has no heading '## [99.0.0] - <date>'.",
      ...examples.map((name) =>
        expect.stringContaining(`examples/${name}/package.json asks for ^${version}`),
      ),
    ]);
  });

  it('holds what the package exports and what people read, and nothing else', () => {
    const manifest = {
      exports: {
        '.': { import: { types: './dist/a.d.ts', default: './dist/a.js' } },
        './package.json': './package.json',
      },
      bin: { tool: 'dist/tool.js' },
    };
    const whole = [
      ...['package.json', 'README.md', 'README.zh-CN.md', 'LICENSE', 'CHANGELOG.md', 'SECURITY.md'],
      ...['docs/guarantees.md', 'dist/a.d.ts', 'dist/a.js', 'dist/tool.js', 'lib/a.ts'],
    ];
    expect(faultsOf(whole, manifest)).toEqual([]);
    const wrong = [
      ...whole.filter((path) => !['dist/a.d.ts', 'LICENSE'].includes(path)),
      '.env',
      'test/a.ts',
    ];
    expect(faultsOf(wrong, manifest).sort()).toEqual(
      ['LICENSE is missing', 'dist/a.d.ts is missing', '.env is in it', 'test/a.ts is in it'].sort(),
    );
  });

  it('is made by the workflow after the whole proof, with provenance', () => {
    expect(read('.github/workflows/ci.yml')).toMatch(/^ *- run: \.ci\/run$/m);
    const workflow = read('.github/workflows/release.yml');
    expect(workflow).toContain('uses: ./.github/workflows/ci.yml');
    expect(workflow).toContain('needs: proof');
    expect(workflow).toMatch(/^ *id-token: write/m);
    expect(workflow).toMatch(/^ *- run: npm run release -- --checked$/m);
    expect(read('tools/release.mjs')).toContain("'--provenance'");
  });
});
