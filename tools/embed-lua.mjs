// Embeds the Lua scripts in a module, so that neither a bundler nor an install step has to find .lua files.
// scripts/calls/ has one file for each command, scripts/ the fragments that several of them share. Each is embedded once;
// run-script.ts puts a fragment in the place of `-- @include <file>` when it is loaded. A file with `-- @part <name>` lines
// has a fragment for each part, `<file>#<name>`. What stands before the first part is not embedded: it is put where it is
// used, the numbers (`local AT = 7`) in the place of their names, and the texts (`local function …`, of one expression) in
// the place of their calls. A script that makes and calls functions takes longer.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const luaFilesIn = (dir) =>
  readdirSync(dir)
    .filter((file) => file.endsWith('.lua'))
    .sort()
    .map((file) => ({ file, text: readFileSync(join(dir, file), 'utf8') }));

/** The fragments in a file, and what stands before its first part. */
const partsOf = ({ file, text }) => {
  const [before, ...parts] = text.split(/^-- @part (?=\S+$)/m);
  if (parts.length === 0) return { before: '', fragments: [[file, text]] };
  const fragments = parts.map((part) => {
    const name = part.split('\n', 1)[0];
    return [`${file}#${name}`, part.slice(name.length)];
  });
  return { before, fragments };
};

const NUMBER = /^local ([A-Z_]+) = (\d+)/gm;
const TEXT = /^local function (\w+)\(([^)]*)\)\s+return ([^]+?)\s+end$/gm;

/** The arguments that are given behind the parenthesis at `open`, and where they end. */
const argumentsAt = (code, open) => {
  const given = [''];
  let quoted = false;
  for (let at = open + 1, depth = 0; at < code.length; at += 1) {
    const letter = code[at];
    if (letter === "'") quoted = !quoted;
    if (!quoted && letter === ')' && depth === 0)
      return { given: given.map((each) => each.trim()), end: at + 1 };
    if (!quoted && letter === ',' && depth === 0) {
      given.push('');
      continue;
    }
    if (!quoted) depth += '({['.includes(letter) ? 1 : ')}]'.includes(letter) ? -1 : 0;
    given[given.length - 1] += letter;
  }
  throw new Error(`a parenthesis is not closed: ${code.slice(open, open + 80)}`);
};

/** `code` with each text in the place of its calls, those in arguments of others too. */
const withTexts = (code, texts) => {
  if (texts.size === 0) return code;
  const call = new RegExp(`\\b(${[...texts.keys()].join('|')})\\(`);
  for (let found = call.exec(code); found; found = call.exec(code)) {
    const [, name] = found;
    const { parameters, expression } = texts.get(name);
    const { given, end } = argumentsAt(code, found.index + name.length);
    if (given.length !== parameters.length) throw new Error(`${name} takes (${parameters.join(', ')})`);
    // Whatever binds less than the `..` of a text.
    const bound = given.map((each) => (/ (and|or|[<>=~]=?) /.test(each) ? `(${each})` : each));
    const put = expression.replace(/'[^']*'|\b\w+\b/g, (word) => bound[parameters.indexOf(word)] ?? word);
    code = code.slice(0, found.index) + put + code.slice(end);
  }
  return code;
};

/** The code of a text: without indentation, comments and empty lines, but with its directives. */
const codeOf = (name, text, { included, numbers, texts }) => {
  const code = text
    .split('\n')
    .flatMap((raw) => {
      const line = raw.trim();
      const includes = /^-- @include (\S+)$/.exec(line)?.[1];
      if (includes && !included.has(includes)) throw new Error(`${name} includes ${includes}: there is none`);
      // Lines are trimmed one by one, which a text that spans lines would not survive.
      if (/\[=*\[/.test(line)) throw new Error(`${name}: write '--' comments and quoted strings, not [[…]]`);
      if (line === '' || (line.startsWith('--') && !includes)) return [];
      return [line.replace(/\b[A-Z][A-Z_]+\b/g, (word) => numbers.get(word) ?? word)];
    })
    .join('\n');
  return withTexts(code, texts);
};

const table = (name, entries) =>
  `export const ${name} = {\n` +
  entries.map(([key, code]) => `  ${key}: \`\n${code.replace(/[\\`]|\$\{/g, '\\$&')}\n\`,\n`).join('') +
  `} as const;\n`;

export function embedLua(dir) {
  const files = luaFilesIn(dir).map(partsOf);
  const fragments = files.flatMap((file) => file.fragments);
  const before = files.map((file) => file.before).join('\n');
  const known = {
    included: new Set(fragments.map(([name]) => name)),
    numbers: new Map([...before.matchAll(NUMBER)].map(([, name, number]) => [name, number])),
    texts: new Map(
      [...before.matchAll(TEXT)].map(([, name, parameters, expression]) => [
        name,
        { parameters: parameters.split(', '), expression },
      ]),
    ),
  };
  const camelCase = (file) =>
    file.slice(0, -'.lua'.length).replace(/-(\w)/g, (_, letter) => letter.toUpperCase());
  return (
    '// Made from scripts/*.lua and scripts/calls/*.lua by `npm run lua`.\n' +
    table(
      'FRAGMENTS',
      fragments.map(([name, text]) => [`'${name}'`, codeOf(name, text, known)]),
    ) +
    table(
      'CALLS',
      luaFilesIn(join(dir, 'calls')).map(({ file, text }) => [camelCase(file), codeOf(file, text, known)]),
    )
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const home = new URL('../lib/store/redis/', import.meta.url);
  writeFileSync(new URL('scripts.gen.ts', home), embedLua(fileURLToPath(new URL('scripts', home))));
}
