import { join } from 'node:path';
import ts from 'typescript';
import { namesFor, OPTIONS, type OptionPlace } from '../../../lib/locks/option-table.js';

const root = join(import.meta.dirname, '../../..');

/** The types of options, and the place that each of them describes. */
const TYPES: readonly (readonly [string, string, readonly OptionPlace[]])[] = [
  ['lib/locks/lock-options.ts', 'LockServiceOptions', ['registration']],
  ['lib/locks/lock.ts', 'AcquireOptions', ['acquire']],
  ['lib/locks/lock.ts', 'UsingOptions', ['using']],
  ['lib/locks/lock.ts', 'EntryOptions', ['entry']],
  ['lib/locks/lock.ts', 'HandOverOptions', ['handOver']],
  ['lib/locks/resumed-lease.ts', 'ResumeOptions', ['resume']],
  ['lib/locks/once-lock.ts', 'OnceOptions', ['once']],
  ['lib/locks/leadership.ts', 'LeadOptions', ['lead']],
  ['lib/locks/semaphore.ts', 'PermitOptions', ['permits']],
];

const program = ts.createProgram(
  TYPES.map(([path]) => join(root, path)),
  { ...ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile).config, noEmit: true, types: [] },
);
const checker = program.getTypeChecker();

/** The options of such a type, each with its docstring. */
function membersOf(path: string, name: string): Map<string, string> {
  const source = program.getSourceFile(join(root, path))!;
  const declared = source.statements.find(
    (each): each is ts.InterfaceDeclaration | ts.TypeAliasDeclaration =>
      (ts.isInterfaceDeclaration(each) || ts.isTypeAliasDeclaration(each)) && each.name.text === name,
  )!;
  const members = checker.getTypeAtLocation(declared).getProperties();
  return new Map(
    members.map((member) => {
      const text = member.declarations![0]!.getFullText();
      return [member.name, text.replace(/^\s*\*/gm, '').replace(/\s+/g, ' ')];
    }),
  );
}
const plain = (text: string): string => text.replaceAll('`', '');

describe('the table of options', () => {
  it.each(TYPES)('has the options of %s, %s', (path, name, places) => {
    expect([...namesFor(...places)].sort()).toEqual([...membersOf(path, name).keys()].sort());
  });

  it('agrees with the docstrings on ranges and defaults', () => {
    const wrong = TYPES.flatMap(([path, name]) =>
      [...membersOf(path, name)].flatMap(([option, text]) => {
        const { takes, otherwise } = OPTIONS[option as keyof typeof OPTIONS];
        // Of values in words the type tells the range; a default may be told by the option of the registration.
        const range = !takes.includes('…') || plain(text).includes(plain(takes));
        const told =
          otherwise === 'none' || plain(text).includes(plain(otherwise)) || /registration's/.test(text);
        return [
          ...(range ? [] : [`${name}.${option}: ${takes}`]),
          ...(told ? [] : [`${name}.${option} = ${otherwise}`]),
        ];
      }),
    );
    expect(wrong).toEqual([]);
  });
});
