import { createLockService, type LockService } from '../../lib/index.js';
import type { Contender } from './contender.js';
import { nodesAt } from './node-addresses.js';

/** This library. */
export class Own implements Contender {
  private constructor(readonly locks: LockService) {}

  static async open(url: string, create = createLockService): Promise<Own> {
    const cluster = nodesAt(url);
    const locks = create({ redis: cluster ? { cluster } : url, wait: '5m', shutdownGrace: 0 });
    await locks.ready();
    return new Own(locks);
  }

  using(name: string, work: () => Promise<void>): Promise<void> {
    return this.locks.using(name, work);
  }

  async acquire(name: string): Promise<() => Promise<unknown>> {
    const lease = await this.locks.acquire(name);
    return () => lease.release();
  }

  close(): Promise<void> {
    return this.locks.close();
  }
}
