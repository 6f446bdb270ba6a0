import { spawnSync } from 'node:child_process';
import { serverBinary } from '../../tools/redis/server-binary.js';

/** Whether the server that tests start is at least of this version of Redis; Valkey began as 7.2. */
export function isAtLeast(major: number, minor = 0): boolean {
  const binary = serverBinary();
  const said = binary === undefined ? '' : spawnSync(binary, ['--version'], { encoding: 'utf8' }).stdout;
  const [, ours = Infinity, theirs = 0] = / v=(\d+)\.(\d+)/.exec(said)?.map(Number) ?? [];
  return ours > major || (ours === major && theirs >= minor);
}
