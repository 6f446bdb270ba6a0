import { Redis } from 'ioredis';
import { Mutex } from 'redis-semaphore';
import { type Contender, TTL } from './contender.js';

/** redis-semaphore: a Mutex per acquisition, as its README says. */
export class SemaphorePeer implements Contender {
  private readonly client: Redis;

  constructor(
    url: string,
    private readonly settings: { retryInterval?: number } = {},
  ) {
    this.client = new Redis(url);
  }

  async using(name: string, work: () => Promise<void>): Promise<void> {
    const release = await this.acquire(name);
    try {
      await work();
    } finally {
      await release();
    }
  }

  async acquire(name: string): Promise<() => Promise<unknown>> {
    const mutex = new Mutex(this.client, name, { lockTimeout: TTL, ...this.settings });
    await mutex.acquire();
    return () => mutex.release();
  }

  async close(): Promise<void> {
    this.client.disconnect();
  }
}
