import { Mutex } from 'async-mutex';
import type { Contender } from './contender.js';

/** async-mutex, one per name: what is left of a lock when there is no server and one process. */
export class InProcess implements Contender {
  private readonly mutexes = new Map<string, Mutex>();

  using(name: string, work: () => Promise<void>): Promise<void> {
    return this.mutex(name).runExclusive(work);
  }

  async acquire(name: string): Promise<() => Promise<unknown>> {
    const release = await this.mutex(name).acquire();
    return async () => release();
  }

  async close(): Promise<void> {
    this.mutexes.clear();
  }

  private mutex(name: string): Mutex {
    let mutex = this.mutexes.get(name);
    if (!mutex) this.mutexes.set(name, (mutex = new Mutex()));
    return mutex;
  }
}
