import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { WorkerCall, WorkerCommands, WorkerReply, WorkerSetup } from './worker-commands.js';

const ENTRY = fileURLToPath(new URL('./worker.js', import.meta.url));
const PATIENCE = 60_000;

/** A worker as its runner sees it: a process that can be asked, stopped and killed. */
export class WorkerProcess {
  readonly ready: Promise<void>;
  readonly exited: Promise<void>;
  private readonly child: ChildProcess;
  private readonly calls = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  private count = 0;

  constructor(
    readonly setup: WorkerSetup,
    env: Record<string, string> = {},
  ) {
    this.child = fork(ENTRY, [JSON.stringify(setup)], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.exited = new Promise((resolve) => this.child.once('exit', () => resolve()));
    this.ready = this.answer(0) as Promise<void>;
    this.child.on('message', (reply: WorkerReply) => {
      const call = this.calls.get(reply.call);
      this.calls.delete(reply.call);
      if ('error' in reply) call?.reject(new Error(`${setup.label}: ${reply.error}`));
      else call?.resolve(reply.value);
    });
    void this.exited.then(() => {
      for (const { reject } of this.calls.values()) reject(new Error(`${setup.label} is gone.`));
    });
  }

  get alive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  call<C extends keyof WorkerCommands>(
    command: C,
    ...args: Parameters<WorkerCommands[C]>
  ): ReturnType<WorkerCommands[C]> {
    const call = (this.count += 1);
    const answer = this.answer(call, command.startsWith('churn') ? 2 ** 31 - 1 : PATIENCE);
    answer.catch(() => undefined); // whoever does not wait for it need not care when the worker is killed
    this.child.send({ call, command, args } satisfies WorkerCall, () => undefined);
    return answer as ReturnType<WorkerCommands[C]>;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exited;
  }

  /** Lets go of it: it must end by itself; whether it did. */
  async leave(): Promise<boolean> {
    if (this.alive && this.child.connected) this.child.disconnect();
    const patience = setTimeout(() => this.child.kill('SIGKILL'), 3_000);
    await this.exited;
    clearTimeout(patience);
    return this.child.signalCode === null;
  }

  private answer(call: number, patience = PATIENCE): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${this.setup.label} did not answer.`)), patience);
      const done =
        <T>(then: (value: T) => void) =>
        (value: T) => (clearTimeout(timer), then(value));
      this.calls.set(call, { resolve: done(resolve), reject: done(reject) });
    });
  }
}
