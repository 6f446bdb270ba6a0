import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * The program that tests and the demo start as their server: REDIS_SERVER_BINARY, else redis-server or valkey-server on
 * PATH; undefined when there is neither.
 */
export function serverBinary(): string | undefined {
  return program('REDIS_SERVER_BINARY', ['redis-server', 'valkey-server']);
}

/** What the environment variable names, else the first of `names` on PATH; undefined when there is none. */
export function program(variable: string, names: readonly string[]): string | undefined {
  const chosen = process.env[variable];
  if (chosen === undefined || chosen === '') return names.map(onPath).find(Boolean);
  const found = isExecutable(chosen) ? chosen : onPath(chosen);
  if (found === undefined)
    throw new Error(`${variable} (${chosen}) is no program that can be run: name one, or unset it.`);
  return found;
}

function onPath(name: string): string | undefined {
  const paths = (process.env.PATH ?? '').split(delimiter).filter((path) => path !== '');
  return paths.map((path) => join(path, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
