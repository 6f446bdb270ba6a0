// Embeds the Lua scripts in a module, so that neither a bundler nor an install step has to find .lua files.
// `-- @include <file>` is replaced by that file; a file whose name starts with `_` is only ever included.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const include = (dir, file) =>
  readFileSync(join(dir, file), 'utf8')
    .split('\n')
    .flatMap((raw) => {
      const line = raw.trim();
      const name = /^-- @include (\S+)$/.exec(line)?.[1];
      if (name) return include(dir, name);
      // Lines are trimmed one by one, which a text that spans lines would not survive.
      if (/\[=*\[/.test(line)) throw new Error(`${file}: write '--' comments and quoted strings, not [[…]]`);
      return line === '' || line.startsWith('--') ? [] : [line];
    });

export function embedLua(dir) {
  const scripts = readdirSync(dir)
    .filter((file) => file.endsWith('.lua') && !file.startsWith('_'))
    .sort()
    .map((file) => {
      const name = file.slice(0, -'.lua'.length).replace(/-(\w)/g, (_, letter) => letter.toUpperCase());
      const code = include(dir, file).join('\n');
      return `  ${name}: \`\n${code.replace(/[\\`]|\$\{/g, '\\$&')}\n\`,\n`;
    });
  return `// Made from scripts/*.lua by \`npm run lua\`.\nexport const SCRIPTS = {\n${scripts.join('')}} as const;\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const home = new URL('../lib/store/redis/', import.meta.url);
  writeFileSync(new URL('scripts.gen.ts', home), embedLua(fileURLToPath(new URL('scripts', home))));
}
