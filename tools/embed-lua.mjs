// Embeds the Lua scripts in a module, so that neither a bundler nor an install step has to find .lua files.
// scripts/calls/ has one file for each command, scripts/ the fragments that several of them share. Each file is embedded
// once; lock-scripts.ts puts a fragment in the place of `-- @include <file>` when it is loaded. layout.lua is no fragment:
// the numbers that it names are put in the place of their names.
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const luaFilesIn = (dir) =>
  readdirSync(dir)
    .filter((file) => file.endsWith('.lua'))
    .sort();

const LAYOUT = 'layout.lua';

/** The numbers of layout.lua by their names. */
const numbersIn = (dir) => {
  const text = existsSync(join(dir, LAYOUT)) ? readFileSync(join(dir, LAYOUT), 'utf8') : '';
  return new Map([...text.matchAll(/^local ([A-Z_]+) = (\d+)/gm)].map(([, name, number]) => [name, number]));
};

/** The code of a file: without indentation, comments and empty lines, but with its directives. */
const codeOf = (dir, file, fragments, numbers) =>
  readFileSync(join(dir, file), 'utf8')
    .split('\n')
    .flatMap((raw) => {
      const line = raw.trim();
      const included = /^-- @include (\S+)$/.exec(line)?.[1];
      if (included && !fragments.includes(included))
        throw new Error(`${file} includes ${included}: no such file`);
      // Lines are trimmed one by one, which a text that spans lines would not survive.
      if (/\[=*\[/.test(line)) throw new Error(`${file}: write '--' comments and quoted strings, not [[…]]`);
      if (line === '' || (line.startsWith('--') && !included)) return [];
      return [line.replace(/\b[A-Z][A-Z_]+\b/g, (name) => numbers.get(name) ?? name)];
    })
    .join('\n');

const table = (name, entries) =>
  `export const ${name} = {\n` +
  entries.map(([key, code]) => `  ${key}: \`\n${code.replace(/[\\`]|\$\{/g, '\\$&')}\n\`,\n`).join('') +
  `} as const;\n`;

export function embedLua(dir) {
  const calls = join(dir, 'calls');
  const fragments = luaFilesIn(dir).filter((file) => file !== LAYOUT);
  const numbers = numbersIn(dir);
  const camelCase = (file) =>
    file.slice(0, -'.lua'.length).replace(/-(\w)/g, (_, letter) => letter.toUpperCase());
  return (
    '// Made from scripts/*.lua and scripts/calls/*.lua by `npm run lua`.\n' +
    table(
      'FRAGMENTS',
      fragments.map((file) => [`'${file}'`, codeOf(dir, file, fragments, numbers)]),
    ) +
    table(
      'CALLS',
      luaFilesIn(calls).map((file) => [camelCase(file), codeOf(calls, file, fragments, numbers)]),
    )
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const home = new URL('../lib/store/redis/', import.meta.url);
  writeFileSync(new URL('scripts.gen.ts', home), embedLua(fileURLToPath(new URL('scripts', home))));
}
