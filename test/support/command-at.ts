import type { LockServiceOptions } from '../../lib/plain.js';
import { createLockService } from '../../lib/plain.js';
import { BuiltCommand } from './built-command.js';

/** What the command does at other servers than one by itself: `place` is how it is told of them. */
export async function commandAt(
  redis: NonNullable<LockServiceOptions['redis']>,
  place: readonly string[],
): Promise<{ listed: string[]; shown: string; revoked: boolean; doctor: string }> {
  const namespace = `command-${process.pid}`;
  const command = new BuiltCommand();
  const locks = createLockService({
    redis,
    namespace,
    ttl: '30s',
    shutdownGrace: 0,
    log: { warn: () => undefined },
  });
  const run = async (...args: string[]): Promise<string> => {
    const { code, out, err } = await command.run([...args, ...place, '--namespace', namespace]);
    if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}: ${err}`);
    return out;
  };
  try {
    for (const name of ['a', 'b', 'c', 'd', 'e']) await locks.acquire(name);
    const listed = (await run('ls', '--json')).trimEnd().split('\n');
    const shown = await run('show', 'c');
    await run('revoke', 'c', '--reason', 'test', '--force', '--yes');
    const { holders } = await locks.inspect('c');
    const names = listed.map((line) => (JSON.parse(line) as { name: string }).name);
    return { listed: names.sort(), shown, revoked: holders.length === 0, doctor: await run('doctor') };
  } finally {
    await locks.close();
    command.remove();
  }
}
