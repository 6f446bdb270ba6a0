import { Redis } from 'ioredis';
import { Mutex, Semaphore } from 'redis-semaphore';
import type { Claim, ClaimTerms, Contender } from './contender.js';

/** redis-semaphore 5 as its README says: a Mutex or Semaphore per acquisition, refreshed by itself. */
export class SemaphoreContender implements Contender {
  private readonly client: Redis;

  constructor(url: string) {
    this.client = new Redis(url);
    this.client.on('error', () => undefined);
  }

  async acquire(name: string, { ttl, wait, signal, share }: ClaimTerms): Promise<Claim> {
    const listeners: ((reason: string) => void)[] = [];
    const options = {
      lockTimeout: ttl,
      acquireTimeout: Math.max(wait, 10), // with 0 it does not try at all
      retryInterval: 10,
      onLockLost: () => listeners.forEach((listener) => listener('lost')),
    };
    const mutex = share
      ? new Semaphore(this.client, name, share.capacity, options)
      : new Mutex(this.client, name, options);
    await mutex.acquire(signal);
    return {
      held: () => mutex.isAcquired,
      remaining: () => 0,
      assertHeld: () => {
        if (!mutex.isAcquired) throw new Error('It is not acquired.');
      },
      onLoss: (listener) => listeners.push(listener),
      renew: () => Promise.resolve(),
      release: () => mutex.release().then(() => 'released'),
    };
  }

  close(): Promise<void> {
    this.client.disconnect();
    return Promise.resolve();
  }
}
