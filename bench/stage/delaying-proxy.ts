import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** A line to the server that takes its time. In a process of its own, so that its work is not the client's. */
export class DelayingProxy {
  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
  ) {}

  static async start(target: string, ms: number): Promise<DelayingProxy> {
    const path = join(import.meta.dirname, '../workers/delaying-proxy-process.js');
    const child = fork(path, [new URL(target).port, String(ms)]);
    const [port] = (await once(child, 'message')) as [number];
    return new DelayingProxy(child, `redis://127.0.0.1:${port}`);
  }

  async close(): Promise<void> {
    const exited = once(this.child, 'exit');
    this.child.disconnect();
    await exited;
  }
}
