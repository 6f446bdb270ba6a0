import { Redis } from 'ioredis';
import { createLock, IoredisAdapter } from 'redlock-universal';
import { type Contender, TTL } from './contender.js';

interface UniversalSettings {
  readonly retryAttempts?: number;
  readonly retryDelay?: number;
  readonly performance?: 'standard' | 'lean';
}

/** redlock-universal: a lock object per name, kept, as its README does. */
export class UniversalPeer implements Contender {
  private readonly client: Redis;
  private readonly adapter: IoredisAdapter;
  private readonly locks = new Map<string, ReturnType<typeof createLock>>();

  constructor(
    url: string,
    private readonly settings: UniversalSettings = {},
  ) {
    this.client = new Redis(url);
    this.adapter = new IoredisAdapter(this.client as never);
  }

  using(name: string, work: () => Promise<void>): Promise<void> {
    return this.lock(name).using(work);
  }

  async acquire(name: string): Promise<() => Promise<unknown>> {
    const lock = this.lock(name);
    const handle = await lock.acquire();
    return () => lock.release(handle);
  }

  async close(): Promise<void> {
    this.client.disconnect();
  }

  private lock(name: string): ReturnType<typeof createLock> {
    let lock = this.locks.get(name);
    if (!lock) {
      lock = createLock({ adapter: this.adapter, key: `universal:${name}`, ttl: TTL, ...this.settings });
      this.locks.set(name, lock);
    }
    return lock;
  }
}
