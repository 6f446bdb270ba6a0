import { createRequire } from 'node:module';
import { Redlock as SesameRedlock } from '@sesamecare-oss/redlock';
import { Redis } from 'ioredis';
import { type Contender, TTL } from './contender.js';

interface Redlock {
  on(event: 'error', listener: () => void): void;
  using(names: string[], ttl: number, work: () => Promise<void>): Promise<void>;
  acquire(names: string[], ttl: number): Promise<{ release(): Promise<unknown> }>;
}
type RedlockClass = new (clients: unknown[], settings?: RetrySettings) => Redlock;

interface RetrySettings {
  readonly retryCount?: number;
  readonly retryDelay?: number;
  readonly retryJitter?: number;
}

// Its declarations cannot be found under nodenext.
const { default: OriginalRedlock } = createRequire(import.meta.url)('redlock') as { default: RedlockClass };
const CLASSES = { redlock: OriginalRedlock, sesame: SesameRedlock as unknown as RedlockClass };

/** redlock 5 and its derivative by Sesame Care: the same interface. */
export class RedlockPeer implements Contender {
  private readonly client: Redis;
  private readonly redlock: Redlock;

  constructor(url: string, which: keyof typeof CLASSES, settings?: RetrySettings) {
    this.client = new Redis(url);
    this.redlock = new CLASSES[which]([this.client], settings);
    this.redlock.on('error', () => undefined);
  }

  using(name: string, work: () => Promise<void>): Promise<void> {
    return this.redlock.using([`redlock:${name}`], TTL, work);
  }

  async acquire(name: string): Promise<() => Promise<unknown>> {
    const lock = await this.redlock.acquire([`redlock:${name}`], TTL);
    return () => lock.release();
  }

  async close(): Promise<void> {
    this.client.disconnect();
  }
}
