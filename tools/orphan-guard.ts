import { spawn } from 'node:child_process';

/**
 * Runs `command` by /bin/sh when this process ends without having called the returned function.
 *
 * An 'exit' listener is not enough: it does not run when a test worker or a demo is killed. The guard reads a
 * pipe whose other end dies with this process, however it dies, and it has its own process group, so that
 * Ctrl-C does not reach it.
 */
export function guardAgainstOrphan(command: string): () => void {
  if (process.platform === 'win32') return () => undefined;
  const guard = spawn('/bin/sh', ['-c', `read -r line; [ "$line" = done ] || { ${command}; }`], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  guard.on('error', () => undefined);
  guard.stdin.on('error', () => undefined);
  guard.unref();
  (guard.stdin as unknown as { unref(): void }).unref();
  return () => guard.stdin.end('done\n');
}
