// The recipes over packages that this repository does not install: TypeORM and Prisma. Their files of docs/recipes are compiled
// and run against the packed tarball, Redis and a PostgreSQL in memory.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const RECIPES = ['typeorm.ts', 'prisma.ts'];

/** The model that docs/recipes/prisma.md shows, and what Prisma needs beside it. */
function schemaOf(page) {
  const model = /```prisma\n([^]*?)```/.exec(page)[1];
  return `
generator client {
  provider            = "prisma-client"
  output              = "./src/generated"
  moduleFormat        = "esm"
  importFileExtension = "js"
}

datasource db {
  provider = "postgresql"
}

${model}`;
}

/** `installed` is where Nest and the tarball are installed. */
export async function checkOrmRecipes(installed, redis, { run, npm, local }) {
  const home = join(installed, 'recipes');
  mkdirSync(home);
  cpSync(join(import.meta.dirname, 'recipes'), join(home, 'src'), { recursive: true });
  for (const file of RECIPES) cpSync(join(root, 'docs/recipes', file), join(home, 'src', file));
  const page = readFileSync(join(root, 'docs/recipes/prisma.md'), 'utf8');
  const write = (file, content) => writeFileSync(join(home, file), content);
  const own = (...names) => Object.fromEntries(names.map((one) => [one, local[one]]));
  const dependencies = {
    '@prisma/adapter-pg': '^7.10.0',
    '@prisma/client': '^7.10.0',
    prisma: '^7.10.0',
    typeorm: '^1.1.1',
    ...own('@electric-sql/pglite', '@electric-sql/pglite-socket', 'pg'),
  };
  write('package.json', JSON.stringify({ private: true, type: 'module', dependencies }));
  write('schema.prisma', schemaOf(page));
  write('prisma.config.mjs', `export default { schema: 'schema.prisma' };\n`);
  const compilerOptions = {
    target: 'es2023',
    module: 'nodenext',
    types: ['node'],
    strict: true,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    skipLibCheck: true, // what other packages declare is not ours to check
    rootDir: 'src',
    outDir: 'dist',
  };
  write('tsconfig.json', JSON.stringify({ compilerOptions, include: ['src'] }));

  // Prisma downloads an engine for migrations, here when it is installed and again when it generates, and needs none for either.
  run(home, [...npm, '--ignore-scripts']);
  const offline = { CHECKPOINT_DISABLE: '1', PRISMA_SCHEMA_ENGINE_BINARY: process.execPath };
  run(home, [process.execPath, 'node_modules/prisma/build/index.js', 'generate'], offline);
  run(home, [process.execPath, '../node_modules/typescript/bin/tsc']);
  for (const file of RECIPES)
    run(home, [process.execPath, `dist/${file.replace('.ts', '-main.js')}`], { REDIS_URL: redis });
}
