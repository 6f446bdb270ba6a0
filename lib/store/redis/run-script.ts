import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { SCRIPTS } from './scripts.gen.js';

/** The scripts, by the names of their files. */
export type ScriptName = keyof typeof SCRIPTS;
export type ScriptArguments = readonly (string | number)[];

const SHA = Object.fromEntries(
  Object.entries(SCRIPTS).map(([name, lua]) => [name, createHash('sha1').update(lua).digest('hex')]),
) as Record<ScriptName, string>;

/** Runs a script by its digest; a server that does not know it is sent the whole text. */
export function runScript(
  client: Redis,
  name: ScriptName,
  keys: readonly string[],
  args: ScriptArguments,
  answered: (reply: unknown) => void,
  failed: (error: unknown) => void,
): void {
  client.evalsha(SHA[name], keys.length, ...keys, ...args).then(answered, (error: Error) => {
    if (!error.message.startsWith('NOSCRIPT')) return failed(error);
    client.eval(SCRIPTS[name], keys.length, ...keys, ...args).then(answered, failed);
  });
}
