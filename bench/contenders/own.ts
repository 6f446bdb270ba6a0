import {
  createLockService,
  type LockService,
  type LockServiceOptions,
  type UsingOptions,
} from '../../lib/index.js';
import type { Contender } from './contender.js';
import { nodesAt } from './node-addresses.js';

/** This library. */
export class Own implements Contender {
  private constructor(
    readonly locks: LockService,
    /** Of every call. */
    readonly options: UsingOptions = {},
  ) {}

  static async open(url: string, create = createLockService, more: LockServiceOptions = {}): Promise<Own> {
    const own = Own.openAtOnce(url, create, more);
    await own.locks.ready();
    return own;
  }

  /** The first caller waits for the connection. */
  static openAtOnce(url: string, create = createLockService, more: LockServiceOptions = {}): Own {
    const cluster = nodesAt(url);
    return new Own(create({ redis: cluster ? { cluster } : url, wait: '5m', shutdownGrace: 0, ...more }));
  }

  /** Its leases linger for a second, unless this build does not know that: then it goes on as it is. */
  static async lingering(url: string, create = createLockService): Promise<Own> {
    const { locks } = await Own.open(url, create);
    const options = { linger: '1s' } as const;
    const known = await locks.using('linger-known', async () => true, options).catch(() => false);
    return new Own(locks, known ? options : {});
  }

  using(name: string, work: () => Promise<void>): Promise<void> {
    return this.locks.using(name, work, this.options);
  }

  async acquire(name: string): Promise<() => Promise<unknown>> {
    const lease = await this.locks.acquire(name, this.options);
    return () => lease.release();
  }

  close(): Promise<void> {
    return this.locks.close();
  }
}
