import { join } from 'node:path';
import type { CrowdCommand } from '../workers/crowd.js';
import { run, workshop } from './toolchain.js';

/** rueidislock, at the version of go.mod. @throws Missing without Go or its module proxy */
export async function goProgram(): Promise<CrowdCommand> {
  await run('go', ['version']);
  const folder = workshop('go');
  await run('go', ['build', '-o', 'crowd', '.'], folder);
  return [join(folder, 'crowd')];
}
