import { spawn } from 'node:child_process';

export interface ChildServer {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** It ends with its parent, since the channel closes however the parent dies, and not by Ctrl-C before that. */
const PREAMBLE = `
  process.on('disconnect', () => process.exit(0));
  process.on('SIGINT', () => undefined);
`;

/**
 * Runs a server in a Node process of its own. `script` is an ES module that says `process.send({ url })`, given
 * as text since these tools run from TypeScript (jest) and compiled (demo), from different places; it reads
 * `args` from `process.argv.slice(1)`.
 */
export async function startChildServer(
  name: string,
  script: string,
  ...args: string[]
): Promise<ChildServer> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', PREAMBLE + script, ...args], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  let complaint = '';
  child.stderr?.on('data', (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(-4000)));
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.ref();
    child.kill('SIGKILL');
    await exited;
  };
  const answer = await new Promise<{ url?: string; error?: string }>((resolve) => {
    const timer = setTimeout(() => resolve({ error: 'it was not ready within 60 s' }), 60_000);
    const settle = (message: { url?: string; error?: string }) => {
      clearTimeout(timer);
      resolve(message);
    };
    child.once('message', settle);
    child.once('error', (error) => settle({ error: error.message }));
    child.once('exit', (code) =>
      settle({ error: /^\w*Error.*$/m.exec(complaint)?.[0] ?? `it ended with code ${code}` }),
    );
  });
  if (answer.url === undefined) {
    await stop();
    throw new Error(`${name} did not start: ${answer.error}`);
  }
  child.unref();
  child.channel?.unref();
  (child.stderr as unknown as { unref(): void }).unref();
  return { url: answer.url, pid: child.pid as number, stop };
}
