import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as Library from '../../lib/index.js';
import type { Entrant } from './contender.js';
import { Own } from './own.js';

const FOLDER = 'BENCH_BEFORE';

/** Names the built clone that this run compares with, for this process and its workers. */
export function compareWith(folder: string): void {
  process.env[FOLDER] = resolve(folder);
}

/** Whether this run compares with a build of before, and with nobody else. */
export function comparesWithBefore(): boolean {
  return process.env[FOLDER] !== undefined;
}

/** The library as it was. */
export function libraryBefore(): Promise<typeof Library> {
  const path = join(process.env[FOLDER] ?? '.', 'dist/esm/index.js');
  return import(pathToFileURL(path).href) as Promise<typeof Library>;
}

/** This library, as it was built before a change. */
export const BEFORE: Entrant = {
  id: 'before',
  label: 'the build of before',
  role: 'ours',
  commands: ['evalsha', 'eval', 'ping', 'subscribe', 'script|load', 'client|setname'],
  open: async (url) => Own.open(url, (await libraryBefore()).createLockService),
  openAtOnce: async (url) => Own.openAtOnce(url, (await libraryBefore()).createLockService),
};
