import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { guardAgainstOrphan } from '../orphan-guard.js';

export interface ShopProcess {
  readonly name: string;
  readonly url: string;
  /** Freezes the process, so that what is sent to it piles up; returns what thaws it. */
  closeDoors(): () => void;
  stop(): Promise<void>;
}

const ENTRY = fileURLToPath(new URL('../../sample-app/main.js', import.meta.url));

/** Forks one process of the sample and resolves when it listens on a free port. */
export function startShopProcess(name: string, env: Record<string, string>): Promise<ShopProcess> {
  // Detached: Ctrl-C is for the launcher, which asks the processes to give their locks back and end.
  const child = fork(ENTRY, { env: { ...process.env, PORT: '0', ...env, INSTANCE: name }, detached: true });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  // A frozen process would not notice that the launcher is gone.
  const disarm = guardAgainstOrphan(`kill -CONT ${child.pid}`);
  void exited.then(disarm);
  const open = () => void (process.platform === 'win32' || child.kill('SIGCONT'));
  const closeDoors = () => {
    if (process.platform !== 'win32') child.kill('SIGSTOP');
    return open;
  };
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    open();
    child.kill('SIGTERM');
    const hurry = setTimeout(() => child.kill('SIGKILL'), 5_000);
    await exited;
    clearTimeout(hurry);
  };
  return new Promise((resolve, reject) => {
    child.once('message', ({ url }: { url: string }) => resolve({ name, url, closeDoors, stop }));
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      reject(
        new Error(`Process ${name} of the sample ended with ${signal ?? `code ${code}`} before it listened.`),
      );
    });
  });
}
