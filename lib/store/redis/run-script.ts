import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { ScriptCall } from './script-batch.js';
import { SCRIPTS } from './scripts.gen.js';

/** The scripts, by the names of their files. */
export type ScriptName = keyof typeof SCRIPTS;
export type ScriptArguments = readonly (string | number)[];

const SHA = Object.fromEntries(
  Object.entries(SCRIPTS).map(([name, lua]) => [name, createHash('sha1').update(lua).digest('hex')]),
) as Record<ScriptName, string>;

/** Runs a script by its digest; a server that does not know it is sent the whole text. */
// Callbacks, not await: every command comes through here, and each promise counts.
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

/** Runs a script once for many keys, each with arguments of its own after the terms that all of them share. */
export function runForMany(
  client: Redis,
  name: ScriptName,
  terms: string,
  calls: readonly ScriptCall[],
): void {
  const [only] = calls;
  if (only && calls.length === 1) {
    const answered = (reply: unknown): void => settle(only, Array.isArray(reply) ? reply[0] : reply);
    const failed = (error: unknown): void => only.command.reject(error);
    return runScript(client, name, [only.key], [terms, ...only.args], answered, failed);
  }
  const keys: string[] = [];
  const args: (string | number)[] = [terms];
  for (const call of calls) {
    keys.push(call.key);
    args.push(...call.args);
  }
  const answered = (replies: unknown): void => {
    for (let index = 0; index < calls.length; index += 1)
      settle(calls[index] as ScriptCall, Array.isArray(replies) ? replies[index] : replies);
  };
  const failed = (error: unknown): void => {
    for (const { command } of calls) command.reject(error);
  };
  runScript(client, name, keys, args, answered, failed);
}

function settle({ command }: ScriptCall, reply: unknown): void {
  if (reply instanceof Error) command.reject(reply);
  else command.resolve(reply);
}
