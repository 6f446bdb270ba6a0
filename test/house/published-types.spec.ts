import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';

const root = join(import.meta.dirname, '../..');

function optionsWith(config: string, more: ts.CompilerOptions): ts.CompilerOptions {
  const host = { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => undefined };
  return ts.getParsedCommandLineOfConfigFile(join(root, config), more, host)!.options;
}

// What a user's editor sees: declarations without what is marked as internal.
describe('the published types of LockService', () => {
  let dir: string;

  beforeAll(() => {
    dir = realpathSync(mkdtempSync(join(tmpdir(), 'published-types-')));
    const options = optionsWith('tsconfig.lib.json', {
      outDir: dir,
      noCheck: true,
      emitDeclarationOnly: true,
      sourceMap: false,
      declarationMap: false,
    });
    ts.createProgram([join(root, 'lib/plain.ts')], options).emit();
  }, 60_000);
  afterAll(() => rmSync(dir, { recursive: true }));

  it('let nobody call its constructor', () => {
    const file = join(root, 'test/house/lock-service.ts');
    const options = optionsWith('tsconfig.json', {
      paths: { 'nestjs-distributed-lock/plain': [join(dir, 'plain.d.ts')] },
    });
    const program = ts.createProgram([file], options);
    const found = ts.getPreEmitDiagnostics(program, program.getSourceFile(file));
    expect(found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '))).toEqual([]);
  });

  it('do not tell how the library makes one, or shuts one down', () => {
    const text = readFileSync(join(dir, 'locks/lock-service.d.ts'), 'utf8');
    expect(text).toContain('private constructor();');
    expect(text).not.toMatch(/\b(over|beginShutdown|hurry|drain|closeNow)\(/);
  });
});
