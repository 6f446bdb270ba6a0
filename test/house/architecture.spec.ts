import { readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import ts from 'typescript';
import { importsOf, wrongImport } from './house.js';

const root = join(import.meta.dirname, '../..');
const lib = join(root, 'lib');

const files = readdirSync(lib, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.gen.ts'))
  .map((path) => {
    const text = readFileSync(join(lib, path), 'utf8');
    const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
    return { path, text, source };
  });

const modifiers = (node: ts.Node): ts.SyntaxKind[] =>
  ts.canHaveModifiers(node) ? (ts.getModifiers(node) ?? []).map(({ kind }) => kind) : [];
const walk = (node: ts.Node, visit: (node: ts.Node) => void): void => {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
};
const at = (node: ts.Node): string => {
  const source = node.getSourceFile();
  return `${source.fileName}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}`;
};

describe('the table of imports', () => {
  const wrong = (from: string, code: string): string[] =>
    importsOf(from, code).flatMap((one) => wrongImport(one) ?? []);

  it.each([
    ['store/lock-store.ts', "import { x } from '../line/line.js'", 'imports go down only'],
    ['line/line.ts', "export type { X } from '../locks/lock.js'", 'imports go down only'],
    ['locks/lock.ts', "type X = import('../index.js').X", 'imports go down only'],
    ['locks/lock.ts', "import { Injectable } from '@nestjs/common'", 'locks does not know @nestjs/common'],
    ['locks/lock-service.ts', "import { Redis } from 'ioredis'", 'locks does not know ioredis'],
    ['nest/lock-module.ts', "import { Redis } from 'ioredis'", 'nest does not know ioredis'],
    ['base/name.ts', "import { hostname } from 'node:os'", 'base/ imports nothing'],
    ['base/name.ts', "import { setTimeout } from 'node:timers'", 'base/ imports nothing'],
    [
      'store/redis/connection.ts',
      "import { A } from '../../line/line.js'",
      'a wing imports the port and base only',
    ],
    [
      'store/quorum/member.ts',
      "import { C } from '../redis/connection.js'",
      'a wing imports the port and base only',
    ],
    [
      'locks/lock-service.ts',
      "const m = await import('../store/memory/memory-store.js')",
      'create-lock-service only',
    ],
    ['nest/module.ts', "import type { C } from '../store/redis/redis-source.js'", 'create-lock-service only'],
    ['cli/doctor.ts', "import { L } from '../index.js'", 'an annex imports plain only'],
    ['cli/doctor.ts', "import { Injectable } from '@nestjs/common'", 'cli does not know @nestjs/common'],
    ['testing/kit.ts', "import { L } from '../line/line.js'", 'an annex imports entries only'],
    ['testing/kit.ts', "import { R } from '../store/redis/redis-store.js'", 'an annex imports entries only'],
    ['cli/main.ts', "import { L } from '../locks/lock.js'", 'an annex imports plain only'],
    ['index.ts', "export { Kit } from './testing/kit.js'", 'nothing imports an annex'],
    ['plain.ts', "export { Locked } from './nest/locked.js'", 'imports go down only'],
    ['plain.ts', "import { Injectable } from '@nestjs/common'", 'plain does not know @nestjs/common'],
    ['nest/locked.ts', "import { LockService } from '../plain.js'", 'only index imports an entry'],
    ['common/things.ts', "import 'node:os'", 'common is no place of the house'],
  ])('refuses in %s: %s', (from, code, reason) => {
    expect(wrong(from, code)).toEqual([expect.stringContaining(reason)]);
  });

  it.each([
    ['index.ts', "export { x } from './nest/module.js'; export { type Y } from './base/duration.js'"],
    ['index.ts', "export * from './plain.js'"],
    ['plain.ts', "export { createLockService } from './locks/create-lock-service.js'"],
    ['plain.ts', "export { type ClientLike } from './store/redis/redis-source.js'"],
    ['locks/create-lock-service.ts', "import { RedisStore } from '../store/redis/redis-store.js'"],
    ['locks/lock-options.ts', "import { type ClientLike } from '../store/redis/redis-source.js'"],
    ['locks/lock-options.ts', "import type { RedisOptions } from 'ioredis'"],
    ['base/clock.ts', "import * as timers from 'node:timers'"],
    ['store/redis/connection.ts', "import { Redis } from 'ioredis'; import { S } from '../lock-store.js'"],
    [
      'nest/locked.ts',
      "import { Inject } from '@nestjs/common/decorators/index.js'; import { map } from 'rxjs'",
    ],
    ['testing/kit.ts', "import { LockService } from '../index.js'; import { x } from './fault.js'"],
    ['cli/doctor.ts', "import { LockService } from '../plain.js'; import { parseArgs } from 'node:util'"],
    ['opentelemetry/index.ts', "import type { LockEvents } from '../plain.js'"],
    ['testing/kit.ts', "import { MemoryStore } from '../store/memory/memory-store.js'"],
  ])('allows in %s: %s', (from, code) => {
    expect(wrong(from, code)).toEqual([]);
  });
});

describe('the house', () => {
  it('has no import that goes up or around', () => {
    const wrong = files
      .flatMap(({ path, text }) => importsOf(path, text))
      .flatMap((one) => {
        const reason = wrongImport(one);
        return reason ? [`${one.from} imports ${one.to}: ${reason}`] : [];
      });
    expect(wrong).toEqual([]);
  });

  it('has no circle, types included, also inside a floor', () => {
    const targets = new Map(
      files.map(({ path, text }) => [path, importsOf(path, text).map(({ to }) => to)] as const),
    );
    const reach = (from: string): Set<string> => {
      const seen = new Set<string>();
      const visit = (path: string): void => {
        for (const to of targets.get(path) ?? []) if (!seen.has(to)) visit((seen.add(to), to));
      };
      visit(from);
      return seen;
    };
    const inCircles = [...targets.keys()].filter((path) => reach(path).has(path)).sort();
    expect(inCircles).toEqual([]);
  });

  it('has a sample that can be copied: it imports the package, other packages and itself', () => {
    const sample = join(root, 'sample-app');
    const wrong = readdirSync(sample, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .flatMap((path) => importsOf(`sample-app/${path}`, readFileSync(join(sample, path), 'utf8')))
      .filter(({ to }) => to.endsWith('.ts') && !to.startsWith('sample-app/'));
    expect(wrong).toEqual([]);
  });

  it('names files in kebab-case, after things', () => {
    const vague = /(^|-)(utils?|helpers?|common|types?|constants?|misc|impl|manager|i)(-|$)/;
    const names = files.map(({ path }) => path.slice(0, -'.ts'.length));
    expect(names.filter((name) => vague.test(basename(name)) || !/^[a-z0-9/-]+$/.test(name))).toEqual([]);
  });

  it('keeps no state in modules or classes', () => {
    // A table filled where it is declared is a constant; an empty container waits to be filled.
    // A WeakMap is no state of the module: what it holds belongs to its keys and goes with them.
    const isContainer = (node: ts.Expression | undefined): boolean =>
      node !== undefined &&
      ts.isNewExpression(node) &&
      /^(Map|Set|AsyncLocalStorage)$/.test(node.expression.getText()) &&
      (node.arguments?.length ?? 0) === 0;
    // Random bytes in stock mean nothing to anyone: applications of one process may share them.
    const shared = ['store/session-id.ts'];
    const wrong = files.flatMap(({ path, source }) => {
      const found: string[] = [];
      if (shared.includes(path)) return found;
      for (const statement of source.statements) {
        if (!ts.isVariableStatement(statement)) continue;
        const { flags, declarations } = statement.declarationList;
        const mutable = (flags & ts.NodeFlags.Const) === 0;
        if (mutable || declarations.some(({ initializer }) => isContainer(initializer)))
          found.push(at(statement));
      }
      walk(source, (node) => {
        if (!ts.isPropertyDeclaration(node) || !modifiers(node).includes(ts.SyntaxKind.StaticKeyword)) return;
        if (!modifiers(node).includes(ts.SyntaxKind.ReadonlyKeyword) || isContainer(node.initializer)) {
          found.push(at(node));
        }
      });
      return found;
    });
    expect(wrong).toEqual([]);
  });

  it('writes nothing to the console', () => {
    const wrong = files.flatMap(({ source }) => {
      const found: string[] = [];
      walk(source, (node) => {
        if (ts.isPropertyAccessExpression(node) && node.expression.getText() === 'console')
          found.push(at(node));
      });
      return found;
    });
    expect(wrong).toEqual([]);
  });

  it('has entries of named re-exports and nothing else; the index has all of the plain entry', () => {
    const wrong = files
      .filter(({ path }) => /(^|\/)(index|plain)\.ts$/.test(path))
      .flatMap(({ source }) =>
        source.statements
          .filter((one) => {
            if (!ts.isExportDeclaration(one) || !one.moduleSpecifier) return true;
            return one.exportClause
              ? !ts.isNamedExports(one.exportClause)
              : one.getText() !== "export * from './plain.js';";
          })
          .map(at),
      );
    expect(wrong).toEqual([]);
  });

  it('has no any in its declarations', () => {
    const config = ts.getParsedCommandLineOfConfigFile(
      join(root, 'tsconfig.lib.json'),
      { emitDeclarationOnly: true, declarationMap: false, sourceMap: false, noCheck: true },
      { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => undefined },
    )!;
    const found: string[] = [];
    ts.createProgram(config.fileNames, config.options).emit(undefined, (path, text) => {
      const source = ts.createSourceFile(path.split('/dist/esm/')[1]!, text, ts.ScriptTarget.Latest, true);
      walk(source, (node) => {
        if (node.kind === ts.SyntaxKind.AnyKeyword) found.push(`${at(node)} ${node.parent.getText()}`);
      });
    });
    expect(found).toEqual([]);
  });
});
