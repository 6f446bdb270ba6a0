import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ProcessCommand, ProcessMessage } from '../../sample-app/flash-sale/sale-report.js';
import { guardAgainstOrphan } from '../orphan-guard.js';

export interface ShopProcess {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
  /** Resolves when it has ended, however it did. */
  readonly exited: Promise<void>;
  tell(command: ProcessCommand): void;
  signal(signal: NodeJS.Signals): void;
  /** Freezes the process, so that what is sent to it piles up; returns what thaws it. */
  closeDoors(): () => void;
  stop(): Promise<void>;
}

const ENTRY = fileURLToPath(new URL('../../sample-app/main.js', import.meta.url));

/** Forks one process of the sample and resolves when it listens on a free port. */
export function startShopProcess(
  name: string,
  env: Record<string, string>,
  onMessage: (message: ProcessMessage) => void = () => undefined,
): Promise<ShopProcess> {
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
  const tell = (command: ProcessCommand) => void (child.connected && child.send(command));
  const signal = (which: NodeJS.Signals) => void child.kill(which);
  return new Promise((resolve, reject) => {
    child.on('message', (message: ProcessMessage) => {
      if (!('url' in message)) return onMessage(message);
      resolve({ name, url: message.url, pid: child.pid as number, exited, tell, signal, closeDoors, stop });
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      reject(
        new Error(`Process ${name} of the sample ended with ${signal ?? `code ${code}`} before it listened.`),
      );
    });
  });
}
