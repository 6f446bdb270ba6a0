import { LockFactory } from '@verrou/core';
import { redisStore } from '@verrou/core/drivers/redis';
import { Redis } from 'ioredis';
import { type Contender, TTL } from './contender.js';

/** @verrou/core over its Redis store. */
export class VerrouPeer implements Contender {
  private readonly client: Redis;
  private readonly locks: LockFactory;

  constructor(url: string, retry?: { delay: number }) {
    this.client = new Redis(url);
    const store = redisStore({ connection: this.client }).factory();
    this.locks = new LockFactory(store, retry ? { retry } : {});
  }

  async using(name: string, work: () => Promise<void>): Promise<void> {
    await this.locks.createLock(name, TTL).run(work);
  }

  async acquire(name: string): Promise<() => Promise<unknown>> {
    const lock = this.locks.createLock(name, TTL);
    await lock.acquire();
    return () => lock.release();
  }

  async close(): Promise<void> {
    this.client.disconnect();
  }
}
