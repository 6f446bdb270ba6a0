import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { ScriptCall } from './script-batch.js';
import { sendLean } from './lean-command.js';
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

export type ScriptArguments = readonly (string | number)[];

const SHA = Object.fromEntries(
  Object.entries(SCRIPTS).map(([name, lua]) => [name, createHash('sha1').update(lua).digest('hex')]),
) as Record<ScriptName, string>;

export function digestOf(name: ScriptName): string {
  return SHA[name];
}

/**
 * Makes the server know all scripts, so that none has to be sent a second time as a text: a process that ends right
 * after its release is not there to do so. Redis forgets what EVAL brought, but not what was loaded. Where the server
 * does not let us, each script comes with its first EVAL.
 */
export async function loadScripts(client: Redis): Promise<void> {
  const names = Object.keys(SCRIPTS) as ScriptName[];
  const asked: Promise<unknown> = client.script('EXISTS', ...names.map((name) => SHA[name]));
  const known = await asked.catch(() => undefined);
  if (!Array.isArray(known)) return;
  // Nobody waits for them: what is sent over this connection after them is read after them.
  for (const [index, name] of names.entries())
    if (Number(known[index]) !== 1) client.script('LOAD', SCRIPTS[name]).catch(() => undefined);
}

/** What else a script has to say than its answer. */
export interface ScriptHost {
  /** The server did not know a script, and may have forgotten all of them. */
  readonly unknown: () => void;
  /** None of these calls has an answer. */
  failed(name: ScriptName, calls: readonly ScriptCall[], error: Error): void;
}

/** Runs a script by its digest; a server that does not know it is sent the whole text. */
// Callbacks, not await: every command comes through here, and each promise counts.
export function runScript(
  client: Redis,
  name: ScriptName,
  keys: readonly string[],
  args: ScriptArguments,
  unknown: () => void,
  answered: (reply: unknown) => void,
  failed: (error: Error) => void,
): void {
  client.evalsha(SHA[name], keys.length, ...keys, ...args).then(answered, (error: Error) => {
    if (!error.message.startsWith('NOSCRIPT')) return failed(error);
    client.eval(SCRIPTS[name], keys.length, ...keys, ...args).then(answered, failed);
    unknown();
  });
}

const nothing = (): void => undefined;

/** Runs a script for one key as {@link runScript} does, at less cost for this process. */
export function runForOne(
  client: Redis,
  name: ScriptName,
  terms: string,
  call: ScriptCall,
  host: ScriptHost,
): void {
  const { key, args, asking } = call;
  const answered = (reply: unknown): void => settleOnly(call, reply);
  const failed = (error: Error): void => {
    if (!error.message.startsWith('NOSCRIPT')) return host.failed(name, [call], error);
    if (asking) client.asking().catch(nothing);
    const again = client.eval(SCRIPTS[name], 1, key, terms, ...args);
    again.then(answered, (second: Error) => host.failed(name, [call], second));
    host.unknown();
  };
  if (asking) client.asking().catch(nothing); // it is for the next command only
  sendLean(client, 'evalsha', [SHA[name], 1, key, terms, ...args], answered, failed);
}

/** Runs a script once for many keys, each with arguments of its own after the terms that all of them share. */
export function runForMany(
  client: Redis,
  name: ScriptName,
  terms: string,
  calls: readonly ScriptCall[],
  host: ScriptHost,
): void {
  const failed = (error: Error): void => host.failed(name, calls, error);
  const [only] = calls;
  if (only && calls.length === 1) {
    const answered = (reply: unknown): void => settleOnly(only, reply);
    return runScript(client, name, [only.key], [terms, ...only.args], host.unknown, answered, failed);
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
  runScript(client, name, keys, args, host.unknown, answered, failed);
}

/** The reply to a call that went alone: a script for many names replies with a list of one. */
function settleOnly(call: ScriptCall, reply: unknown): void {
  settle(call, Array.isArray(reply) && !call.alone ? reply[0] : reply);
}

function settle({ command }: ScriptCall, reply: unknown): void {
  if (reply instanceof Error) command.reject(reply);
  else command.resolve(reply);
}
