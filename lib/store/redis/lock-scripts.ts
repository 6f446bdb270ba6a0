import { CALLS, FRAGMENTS } from './scripts.gen.js';

/** The scripts, by the names of their files. */
export type ScriptName = keyof typeof CALLS;

/** `code` with the fragments that its `-- @include` lines name, and those that they name in turn. */
export function joined(code: string, fragments: Readonly<Record<string, string>>): string {
  return code.replace(/^-- @include (\S+)\n/gm, (_line, file: string) =>
    joined(fragments[file] ?? '', fragments).trimStart(),
  );
}

/** The texts that the server is sent, and that their digests are made of. */
export const SCRIPTS = Object.fromEntries(
  Object.entries(CALLS).map(([name, code]) => [name, joined(code, FRAGMENTS)]),
) as Readonly<Record<ScriptName, string>>;
