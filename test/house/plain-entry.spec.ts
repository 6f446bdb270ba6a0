import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';

const root = join(import.meta.dirname, '../..');

/** What tools/build.mjs makes of one entry, without its checks. */
function build(entry: string, outDir: string, format: 'esm' | 'cjs'): void {
  const cjs = { module: ts.ModuleKind.CommonJS, moduleResolution: ts.ModuleResolutionKind.Bundler };
  const { options } = ts.getParsedCommandLineOfConfigFile(
    join(root, 'tsconfig.lib.json'),
    { outDir, noCheck: true, declaration: true, ...(format === 'cjs' ? cjs : {}) },
    { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => undefined },
  )!;
  ts.createProgram([join(root, entry)], options).emit();
  const type = format === 'cjs' ? 'commonjs' : 'module';
  writeFileSync(join(outDir, 'package.json'), JSON.stringify({ type }));
}

// In a directory where no Nest is installed, only what the locks themselves need.
describe('the entry without Nest', () => {
  let dir: string;

  beforeAll(() => {
    dir = realpathSync(mkdtempSync(join(tmpdir(), 'plain-entry-')));
    mkdirSync(join(dir, 'node_modules'));
    for (const name of ['ioredis', 'uuid'])
      symlinkSync(join(root, 'node_modules', name), join(dir, 'node_modules', name));
    for (const format of ['esm', 'cjs'] as const) build('lib/plain.ts', join(dir, format), format);
  }, 60_000);
  afterAll(() => rmSync(dir, { recursive: true }));

  const USE = `
    const locks = createLockService({ log: { warn: () => undefined } });
    await locks.using('account:7', (lease) => { lease.assertHeld(); });
    await locks.close();
    console.log(typeof lockName, new LockUsageError('x') instanceof Error);`;

  const run = (file: string, code: string): string => {
    writeFileSync(join(dir, file), code);
    return execFileSync(process.execPath, [file], {
      cwd: dir,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  };

  it('locks where Nest is not installed, as ES modules', () => {
    const entry = `import { createLockService, lockName, LockUsageError } from './esm/plain.js';`;
    expect(run('use.mjs', entry + USE)).toBe('function true\n');
  });

  it('locks where Nest is not installed, as CommonJS, and loads nothing of it', () => {
    const entry = `const { createLockService, lockName, LockUsageError } = require('./cjs/plain.js');`;
    const loaded = `const ours = Object.keys(require.cache).filter((path) => /@nestjs|reflect-metadata|rxjs/.test(path));
      if (ours.length > 0) throw new Error(ours.join());`;
    expect(run('use.cjs', `${entry} (async () => { ${USE}\n${loaded} })();`)).toBe('function true\n');
  });

  it('emits nothing of the Nest floor, also no types', () => {
    expect(existsSync(join(dir, 'esm', 'plain.d.ts'))).toBe(true);
    expect(existsSync(join(dir, 'esm', 'nest'))).toBe(false);
  });

  it('is where package.json says that it is, for each condition', async () => {
    const { default: manifest } = (await import(join(root, 'package.json'), { with: { type: 'json' } })) as {
      default: { exports: Record<string, unknown>; typesVersions: Record<string, Record<string, string[]>> };
    };
    const esm = { types: './dist/esm/plain.d.ts', default: './dist/esm/plain.js' };
    const cjs = { types: './dist/cjs/plain.d.ts', default: './dist/cjs/plain.js' };
    expect(manifest.exports['./plain']).toEqual({ 'module-sync': esm, import: esm, require: cjs });
    expect(manifest.typesVersions['*']?.['plain']).toEqual(['./dist/cjs/plain.d.ts']);
  });
});
