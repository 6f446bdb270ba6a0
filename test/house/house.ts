import ts from 'typescript';

/** One import of a file of lib/, its target resolved: a path under lib/ ('base/clock.ts') or a package. */
export interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

/** Imports go down only: a floor may import those after it in this list. */
const FLOORS = ['index', 'nest', 'plain', 'locks', 'line', 'store', 'base'];
const WINGS = ['memory', 'redis', 'quorum', 'redisson'];
const ANNEXES = ['testing', 'schedule', 'swagger', 'cli', 'opentelemetry', 'terminus'];

/** What of Node's own modules base/ may import; the other places may import all of them. */
const NODE_IN_BASE = ['node:async_hooks'];

/** The packages that a place may import. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  nest: ['@nestjs/common', '@nestjs/core', 'reflect-metadata', 'rxjs'],
  store: ['uuid'],
  redis: ['ioredis'],
  quorum: ['ioredis'],
  redisson: ['ioredis'],
  testing: ['@nestjs/common', '@nestjs/core', '@nestjs/testing'],
  swagger: ['@nestjs/common', '@nestjs/swagger'],
  schedule: ['cron'],
  terminus: ['@nestjs/common', '@nestjs/terminus'],
  opentelemetry: ['@opentelemetry/api'],
};

/** Beside the index, testing/ imports what it puts a stand-in in place of: clocks, stores and the module, and who is given them. */
const STAND_INS = ['nest', 'locks', 'store', 'memory', 'base'];

/** Where a file of lib/ belongs: a floor, a wing or an annex. */
export function placeOf(file: string): string {
  const [first = '', second = ''] = file.split('/');
  if (first === 'index.ts' || first === 'plain.ts') return first.slice(0, -'.ts'.length);
  return first === 'store' && file.split('/').length > 2 ? second : first;
}

export const isWing = (place: string): boolean => WINGS.includes(place);
export const isAnnex = (place: string): boolean => ANNEXES.includes(place);

/** base/clock.ts alone knows the machine's clocks, and takes them from where fake timers do not reach. */
const isMachineClock = (from: string, to: string): boolean =>
  from === 'base/clock.ts' && (to === 'node:timers' || to === 'node:perf_hooks');

/** The table of the house as a pure function: what is wrong with an import, or undefined. */
export function wrongImport({ from, to, typeOnly }: Import): string | undefined {
  const here = placeOf(from);
  if (![...FLOORS, ...WINGS, ...ANNEXES].includes(here)) return `${here} is no place of the house`;
  if (!to.endsWith('.ts')) {
    if (to.startsWith('node:'))
      return here === 'base' && !isMachineClock(from, to) && !NODE_IN_BASE.includes(to)
        ? 'base/ imports nothing'
        : undefined;
    const name = to.split('/', to.startsWith('@') ? 2 : 1).join('/');
    // Options may take the types of ioredis, which are gone at run time.
    const known = PACKAGES[here]?.includes(name) || (here === 'locks' && name === 'ioredis' && typeOnly);
    return known ? undefined : `${here} does not know ${name}`;
  }
  const there = placeOf(to);
  if (here === there) return undefined;
  if (isAnnex(there)) return 'nothing imports an annex';
  if (here === 'testing' && STAND_INS.includes(there)) return undefined;
  if (here === 'swagger' && there === 'nest') return undefined; // it documents the answers of nest/
  if (isAnnex(here)) {
    // The command has to work where Nest is not installed.
    if (here === 'cli') return there === 'plain' ? undefined : 'an annex imports plain only';
    return there === 'index' || there === 'plain' ? undefined : 'an annex imports entries only';
  }
  if (there === 'plain') return here === 'index' ? undefined : 'only index imports an entry';
  if (isWing(here))
    return there === 'store' || there === 'base' ? undefined : 'a wing imports the port and base only';
  if (isWing(there)) {
    // Types leave no trace at run time: options may speak of a client without choosing a store.
    const allowed =
      from === 'locks/create-lock-service.ts' || (typeOnly && ['locks', 'plain', 'index'].includes(here));
    return allowed ? undefined : 'a wing is imported by locks/create-lock-service only';
  }
  return FLOORS.indexOf(there) > FLOORS.indexOf(here) ? undefined : 'imports go down only';
}

/** Every import, re-export, dynamic import and import type of a file; `file` is its path under lib/. */
export function importsOf(file: string, text: string): Import[] {
  const found: Import[] = [];
  const add = (specifier: ts.Node | undefined, typeOnly: boolean): void => {
    if (!specifier || !ts.isStringLiteral(specifier)) return;
    const to = specifier.text.startsWith('.')
      ? new URL(specifier.text.replace(/\.js$/, '.ts'), `file:///${file}`).pathname.slice(1)
      : specifier.text;
    found.push({ from: file, to, typeOnly });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      const clause = node.importClause;
      const named = clause?.namedBindings;
      const allTypes =
        clause !== undefined &&
        !clause.name &&
        named !== undefined &&
        ts.isNamedImports(named) &&
        named.elements.every((element) => element.isTypeOnly);
      add(node.moduleSpecifier, clause?.phaseModifier === ts.SyntaxKind.TypeKeyword || allTypes);
    } else if (ts.isExportDeclaration(node)) {
      const named = node.exportClause;
      const allTypes =
        named !== undefined &&
        ts.isNamedExports(named) &&
        named.elements.every((element) => element.isTypeOnly);
      add(node.moduleSpecifier, node.isTypeOnly || allTypes);
    } else if (ts.isImportTypeNode(node)) {
      add(ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined, true);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], false);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest));
  return found;
}
