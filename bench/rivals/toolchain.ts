import { execFile } from 'node:child_process';
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);
/** Builds take that long at most, downloads included, in milliseconds. */
const PATIENCE = 300_000;

/** What a rival needs is not on this machine: it is left out, and named. */
export class Missing extends Error {}

/** A folder outside of the sources with a copy of a program, where it is built. */
export function workshop(language: 'go' | 'java'): string {
  const folder = join(process.cwd(), '.tmp/rivals', language);
  mkdirSync(folder, { recursive: true });
  cpSync(join(process.cwd(), 'bench/rivals', language), folder, { recursive: true });
  return folder;
}

/** Runs a tool; resolves with what it printed. @throws Missing when it is not there or fails */
export async function run(tool: string, args: readonly string[], cwd?: string): Promise<string> {
  try {
    const { stdout, stderr } = await execute(tool, [...args], { cwd, timeout: PATIENCE });
    return stdout + stderr;
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: string };
    if (code === 'ENOENT') throw new Missing(`there is no ${tool} on PATH`);
    const [first = ''] = (stderr ?? '').trim().split('\n');
    throw new Missing(`${tool} ${args[0]} failed: ${first}`);
  }
}
