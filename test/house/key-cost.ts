/* A program: what the check of keys costs the compiler. npm run test:key-cost starts it. */
import { join } from 'node:path';
import ts from 'typescript';

const root = join(import.meta.dirname, '../..');
const CLASSES = 200;

/** 1 000 decorated methods with the keys and options that applications use; `work` is what each of them does with a text. */
const methodsThat = (work: (text: string) => string): string =>
  Array.from(
    { length: CLASSES },
    (_, index) => `
interface Order${index} { readonly id: string; readonly lines: number }
export class Service${index} {
  @Locked((sku: string) => \`stock:\${sku}\`)
  async reserve(sku: string, quantity: number): Promise<number> { ${work('sku')} }
  @Locked((order: Order${index}) => order.id, { wait: '2s', ttl: '30s' })
  async pay(order: Order${index}): Promise<Order${index}> { ${work('order.id')} }
  @Locked('nightly-${index}')
  async nightly(): Promise<void> { ${work("'all'")} }
  @Locked((from: string, to: string) => [from, to])
  async transfer(from: string, to: string, cents: number): Promise<boolean> { ${work('from')} }
  @Locked((id: number) => \`order:\${id}\`, { onBusy: 'skip' })
  async close(id: number): Promise<Order${index} | undefined> { ${work('String(id)')} }
}`,
  ).join('');

/** The same program without the check: the decorators look at what the method returns, but a key may take anything. */
const loose = (methods: string): string =>
  `import type { LockedDecorator, LockedOptions, LockNames } from 'nestjs-distributed-lock';
type Key = LockNames | ((...args: any[]) => unknown);
type Skipped = () => Promise<undefined>;
declare function Locked(key: Key, options?: LockedOptions<undefined, 'throw', string>): LockedDecorator<() => never, () => never>;
declare function Locked(key: Key, options: LockedOptions<undefined, 'skip', string>): LockedDecorator<Skipped, Skipped, 'skip'>;${methods}`;
const checked = (methods: string): string => `import { Locked } from 'nestjs-distributed-lock';${methods}`;

// Next to nothing; and what a short method of an application does: it reads some rows, and makes something of them.
const EMPTY = methodsThat(() => 'return undefined as never;');
const SHORT = methodsThat(
  (text) =>
    `const rows = await Promise.all([${text}].map(async (each) => ({ each, at: Date.now() })));
    const times = new Map(rows.map(({ each, at }) => [each, at]));
    return [...times.values()].reduce((one, other) => Math.max(one, other), 0) as never;`,
);

/** How many type instantiations the compiler needs: for a whole program of its own, and for the text alone. */
function instantiationsOf(name: string, text: string): { whole: number; alone: number } {
  const { options } = ts.getParsedCommandLineOfConfigFile(
    join(root, 'tsconfig.json'),
    { noEmit: true, types: ['node'] },
    { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => undefined },
  )!;
  const path = join(root, `${name}.ts`);
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (each) => each === path || fileExists.call(host, each);
  host.getSourceFile = (each, ...rest) =>
    each === path ? ts.createSourceFile(path, text, rest[0], true) : getSourceFile.call(host, each, ...rest);
  const program = ts.createProgram([path], options, host);
  const [wrong] = program.getSemanticDiagnostics(program.getSourceFile(path));
  if (wrong) throw new Error(ts.flattenDiagnosticMessageText(wrong.messageText, '\n'));
  const alone = program.getInstantiationCount();
  program.getSemanticDiagnostics(); // what the program imports, as tsc does
  return { alone, whole: program.getInstantiationCount() };
}

/*
 * Of methods that do next to nothing the decorators are nearly all that the compiler has to do, so the difference is what a
 * key costs. The floor is some 10 a method, which it costs to infer the parameters of a key without checking any; what is
 * compared must be instantiated besides. While the check used type parameters for the method it cost 79, and what it was
 * measured against cost 67 without any key. What an application notices is the share of a whole program.
 */
const MOST = 55;
const MOST_OF_PROGRAM = 1.15;
const [without, empty] = [
  instantiationsOf('loose', loose(EMPTY)),
  instantiationsOf('checked', checked(EMPTY)),
];
const each = (empty.alone - without.alone) / (5 * CLASSES);
const short = [instantiationsOf('loose', loose(SHORT)), instantiationsOf('checked', checked(SHORT))] as const;
const ratio = short[1].whole / short[0].whole;
process.stdout.write(
  `1 000 locked methods: ${each} instantiations a method for the key (at most ${MOST}); of the whole program ` +
    `${ratio.toFixed(3)} with methods of three lines (at most ${MOST_OF_PROGRAM}), ` +
    `${(empty.whole / without.whole).toFixed(3)} with methods that do nothing.\n`,
);
if (each > MOST || ratio > MOST_OF_PROGRAM) process.exitCode = 1;
