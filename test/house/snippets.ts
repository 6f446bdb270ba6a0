import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import ts from 'typescript';

/** What a snippet may use without saying where it comes from. */
const PREAMBLE = `
declare global {
  const locks: import('nestjs-distributed-lock').LockService;
  const db: { query(sql: string, values?: readonly unknown[]): Promise<{ rows: Record<string, unknown>[] }> };
}
export {};
`;

/** A `ts` block of a Markdown file. */
export interface Snippet {
  readonly page: string;
  readonly line: number;
  readonly code: string;
}

/** The `ts` blocks of a Markdown file, each with the number of its first line. */
export function snippetsOf(path: string): Snippet[] {
  const text = readFileSync(path, 'utf8');
  return [...text.matchAll(/^```ts\b.*\n([^]*?)^```/gm)].map((block) => ({
    page: basename(path),
    // The first line of the block is the one after its fence.
    line: text.slice(0, block.index).split('\n').length + 1,
    code: block[1] ?? '',
  }));
}

/** Names that a reader knows: imported into a snippet that uses but neither imports nor declares them. */
export type Known = ReadonlyMap<string, { readonly module: string; readonly type: boolean }>;

/** The names that a snippet uses, and neither imports nor declares at its top. */
export function namesNotGiven({ code }: Snippet): Set<string> {
  const source = ts.createSourceFile('snippet.ts', code, ts.ScriptTarget.Latest, true);
  const used = new Set<string>();
  const own = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) used.add(node.text);
    if (ts.isImportSpecifier(node)) own.add(node.name.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
  for (const statement of source.statements) {
    if ('name' in statement && statement.name) own.add((statement.name as ts.Node).getText());
    if (ts.isVariableStatement(statement)) {
      for (const { name } of statement.declarationList.declarations) own.add(name.getText());
    }
  }
  return new Set([...used].filter((name) => !own.has(name)));
}

/** The snippet as a module. Everything is added on its first line: line numbers stay those of the snippet. */
function asModule(snippet: Snippet, known: Known): string {
  const imports = [...namesNotGiven(snippet)]
    .filter((name) => known.has(name))
    .map(
      (name) =>
        `import { ${known.get(name)!.type ? 'type ' : ''}${name} } from '${known.get(name)!.module}';`,
    );
  return `export {}; ${imports.join(' ')} ${snippet.code}`;
}

/** Checks the snippets with the options of the repository; what is wrong, by place. */
export function typeErrors(root: string, snippets: readonly Snippet[], known: Known): string[] {
  const config = ts.getParsedCommandLineOfConfigFile(
    join(root, 'tsconfig.json'),
    { noEmit: true },
    { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => undefined },
  )!;
  const preamble = join(root, 'preamble.ts');
  const texts = new Map([[preamble, PREAMBLE]]);
  // As files of the root they resolve packages and this one as any file there does.
  snippets.forEach((snippet, index) =>
    texts.set(join(root, `snippet-${index}.ts`), asModule(snippet, known)),
  );

  const host = ts.createCompilerHost(config.options);
  const { getSourceFile, fileExists, readFile } = host;
  host.fileExists = (path) => texts.has(path) || fileExists.call(host, path);
  host.readFile = (path) => texts.get(path) ?? readFile.call(host, path);
  host.getSourceFile = (path, options, ...rest) => {
    const text = texts.get(path);
    return text === undefined
      ? getSourceFile.call(host, path, options, ...rest)
      : ts.createSourceFile(path, text, options, true);
  };

  const program = ts.createProgram([...texts.keys()], config.options, host);
  return [...texts.keys()].flatMap((path, index) => {
    const { page, line } = snippets[index - 1] ?? { page: 'preamble', line: 1 };
    const file = program.getSourceFile(path)!;
    const found = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
    return found.map(({ start = 0, messageText }) => {
      const at = line + file.getLineAndCharacterOfPosition(start).line;
      return `${page}:${at}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
    });
  });
}
