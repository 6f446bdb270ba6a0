import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * The program that tests and the demo start as their server: REDIS_SERVER_BINARY, else redis-server or valkey-server on
 * PATH; undefined when there is neither.
 */
export function serverBinary(): string | undefined {
  const chosen = process.env.REDIS_SERVER_BINARY;
  if (chosen === undefined || chosen === '')
    return ['redis-server', 'valkey-server'].map(onPath).find(Boolean);
  const found = isExecutable(chosen) ? chosen : onPath(chosen);
  if (found === undefined)
    throw new Error(`REDIS_SERVER_BINARY (${chosen}) is no program that can be run: name one, or unset it.`);
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
