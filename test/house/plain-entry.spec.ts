import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';

const root = join(import.meta.dirname, '../..');

function optionsWith(config: string, more: ts.CompilerOptions): ts.CompilerOptions {
  const host = { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => undefined };
  return ts.getParsedCommandLineOfConfigFile(join(root, config), more, host)!.options;
}

/** What tools/build.mjs makes of the entry, without its checks. */
function build(dir: string): void {
  const [esm, cjs] = [join(dir, 'esm'), join(dir, 'cjs')];
  const options = optionsWith('tsconfig.lib.json', { outDir: esm, noCheck: true, sourceMap: false });
  const { emittedFiles = [] } = ts
    .createProgram([join(root, 'lib/plain.ts'), join(root, 'lib/cli/main.ts')], {
      ...options,
      listEmittedFiles: true,
    })
    .emit();
  const compilerOptions = { ...options, module: ts.ModuleKind.CommonJS, sourceMap: false };
  for (const emitted of emittedFiles.filter((file) => file.endsWith('.js'))) {
    const file = relative(esm, emitted);
    const source = readFileSync(join(root, 'lib', file.replace(/js$/, 'ts')), 'utf8');
    mkdirSync(dirname(join(cjs, file)), { recursive: true });
    writeFileSync(join(cjs, file), ts.transpileModule(source, { compilerOptions }).outputText);
  }
  for (const [to, type] of [
    [esm, 'module'],
    [cjs, 'commonjs'],
  ] as const)
    writeFileSync(join(to, 'package.json'), JSON.stringify({ type }));
}

// In a directory where no Nest is installed, only what the locks themselves need.
describe('the entry without Nest', () => {
  let dir: string;

  beforeAll(() => {
    dir = realpathSync(mkdtempSync(join(tmpdir(), 'plain-entry-')));
    mkdirSync(join(dir, 'node_modules'));
    for (const name of ['ioredis', 'uuid'])
      symlinkSync(join(root, 'node_modules', name), join(dir, 'node_modules', name));
    build(dir);
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

  // The command of package.json, as both kinds of modules: where nothing of Nest is installed it cannot load any.
  it.each(['esm', 'cjs'])('has a command that runs there as well (%s)', (kind) => {
    const command = (...args: string[]) =>
      spawnSync(process.execPath, [join(dir, kind, 'cli/main.js'), ...args], { encoding: 'utf8', env: {} });
    expect(command('--help')).toMatchObject({ status: 0, stdout: expect.stringMatching(/^Usage: /) });
    expect(command('ls')).toMatchObject({ status: 2, stderr: expect.stringContaining('set REDIS_URL') });
    const config = join(dir, 'locks.config.mjs');
    writeFileSync(config, "export default { redis: 'redis://127.0.0.1:1', namespace: 'shop' };");
    expect(command('show', 'x', '--config', config)).toMatchObject({
      status: 3,
      stdout: '',
      stderr: expect.stringContaining('redis://127.0.0.1:1'),
    });
    const [first] = readFileSync(join(dir, kind, 'cli/main.js'), 'utf8').split('\n');
    expect(first).toBe('#!/usr/bin/env node');
  });

  it('has that command in package.json', () => {
    const { bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { bin: object };
    expect(bin).toEqual({ 'nestjs-distributed-lock': 'dist/esm/cli/main.js' });
  });

  it('emits nothing of the Nest floor, also no types', () => {
    expect(existsSync(join(dir, 'esm', 'plain.d.ts'))).toBe(true);
    expect(existsSync(join(dir, 'esm', 'nest'))).toBe(false);
  });

  // What a user's editor sees: declarations without what is marked as internal.
  it('lets nobody call the constructor of LockService', () => {
    const file = join(root, 'test/house/lock-service.ts');
    const options = optionsWith('tsconfig.json', {
      paths: { 'nestjs-distributed-lock/plain': [join(dir, 'esm/plain.d.ts')] },
    });
    const program = ts.createProgram([file], options);
    const found = ts.getPreEmitDiagnostics(program, program.getSourceFile(file));
    expect(found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '))).toEqual([]);
  });

  it('does not tell how the library makes a LockService, or shuts one down', () => {
    const text = readFileSync(join(dir, 'esm/locks/lock-service.d.ts'), 'utf8');
    expect(text).toContain('private constructor();');
    expect(text).not.toMatch(/\b(over|beginShutdown|hurry|drain|closeNow|lose)\(/);
  });

  it('is where package.json says that it is, for each condition', async () => {
    const { default: manifest } = (await import(join(root, 'package.json'), { with: { type: 'json' } })) as {
      default: { exports: Record<string, unknown>; typesVersions: Record<string, Record<string, string[]>> };
    };
    const esm = { types: './dist/esm/plain.d.ts', default: './dist/esm/plain.js' };
    const cjs = { types: './dist/cjs/plain.d.ts', default: './dist/cjs/plain.js' };
    expect(manifest.exports['./plain']).toEqual({ 'module-sync': esm, bun: esm, import: esm, require: cjs });
    expect(manifest.typesVersions['*']?.['plain']).toEqual(['./dist/cjs/plain.d.ts']);
  });
});
