// Compiles the sample, the demo and the library that they use into a folder (.tmp/sample), in a second or two:
// `npm run typecheck` checks their types, so nothing is checked again here.
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { transformFileSync } from '@swc/core';
import { SWC } from './swc-options.mjs';

const root = join(import.meta.dirname, '..');
const out = join(root, process.argv[2] ?? '.tmp/sample');
const began = performance.now();

const sources = ['lib', 'sample-app', 'tools'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => join(folder, path)),
);
process.stdout.write(`Compiling the sample and the library, ${sources.length} files … `);
rmSync(out, { recursive: true, force: true });
for (const source of sources) {
  const { code, map } = transformFileSync(join(root, source), {
    ...SWC,
    swcrc: false,
    sourceMaps: true,
  });
  const target = join(out, source.replace(/\.ts$/, '.js'));
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, `${code}\n//# sourceMappingURL=${target.split(/[\\/]/).at(-1)}.map\n`);
  writeFileSync(`${target}.map`, map);
}
cpSync(join(root, 'sample-app/live/page'), join(out, 'sample-app/live/page'), { recursive: true });

// The sample imports the library by its name, which leads to the compiled sources.
const { name, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const library = join(out, 'node_modules', name);
mkdirSync(library, { recursive: true });
const entries = Object.entries(exports).filter(([, entry]) => entry.import);
for (const [path, entry] of entries)
  writeFileSync(
    join(library, `${path.slice(2) || 'index'}.js`),
    `export * from '${entry.import.default.replace('./dist/esm/', '../../lib/')}';\n`,
  );
// Without this file the name would lead to the package that is being built here, whose dist/ may be old or missing.
writeFileSync(join(out, 'package.json'), '{"type":"module"}');
const files = entries.map(([path]) => [path, `./${path.slice(2) || 'index'}.js`]);
writeFileSync(
  join(library, 'package.json'),
  JSON.stringify({ name, type: 'module', exports: Object.fromEntries(files) }),
);
console.log(`${((performance.now() - began) / 1000).toFixed(1)} s`);
