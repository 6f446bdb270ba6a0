import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** Processes that measure at the same time; each answers every order with one message. */
export class Troupe {
  private constructor(private readonly children: readonly ChildProcess[]) {}

  static async start(size: number): Promise<Troupe> {
    const path = join(import.meta.dirname, '../workers/worker.js');
    const children = Array.from({ length: size }, () => fork(path, { serialization: 'advanced' }));
    await Promise.all(children.map((child) => once(child, 'message')));
    return new Troupe(children);
  }

  get size(): number {
    return this.children.length;
  }

  /** Gives all the same order, and resolves with their answers. */
  all<A>(order: object): Promise<A[]> {
    return Promise.all(this.children.map((_, index) => this.one<A>(index, order)));
  }

  /** @throws what the worker failed of */
  async one<A>(index: number, order: object): Promise<A> {
    const child = this.children[index];
    if (!child) throw new Error(`There is no worker ${index}.`);
    const answered = once(child, 'message') as Promise<[{ answer: A } | { error: string }]>;
    child.send(order);
    const [reply] = await answered;
    if ('error' in reply) throw new Error(`A worker failed: ${reply.error}`);
    return reply.answer;
  }

  async close(): Promise<void> {
    await Promise.all(
      this.children.map(async (child) => {
        const exited = once(child, 'exit');
        child.disconnect();
        await exited;
      }),
    );
  }
}
