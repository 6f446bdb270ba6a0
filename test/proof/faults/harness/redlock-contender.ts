import { Redis } from 'ioredis';
import { createRequire } from 'node:module';
import type { Claim, ClaimTerms, Contender } from './contender.js';

interface Redlock {
  on(event: 'error', listener: () => void): void;
  using(
    names: string[],
    ttl: number,
    settings: { retryCount: number; retryDelay: number; automaticExtensionThreshold: number },
    work: (signal: AbortSignal) => Promise<void>,
  ): Promise<void>;
}

// Its declarations cannot be found under nodenext.
const { default: Redlock } = createRequire(import.meta.url)('redlock') as {
  default: new (clients: unknown[]) => Redlock;
};

const RETRY = 50;

/** node-redlock 5 as its README says: `using` with a signal; held is what the signal has not denied. */
export class RedlockContender implements Contender {
  private readonly client: Redis;
  private readonly redlock: Redlock;

  constructor(url: string) {
    this.client = new Redis(url);
    this.client.on('error', () => undefined);
    this.redlock = new Redlock([this.client]);
    this.redlock.on('error', () => undefined);
  }

  acquire(name: string, { ttl, wait }: ClaimTerms): Promise<Claim> {
    const settings = {
      retryCount: Math.ceil(wait / RETRY),
      retryDelay: RETRY,
      automaticExtensionThreshold: Math.floor(ttl / 3),
    };
    return new Promise((resolve, reject) => {
      let end: () => void = () => undefined;
      const ended = new Promise<void>((done) => (end = done));
      const run = this.redlock.using([name], ttl, settings, async (signal) => {
        resolve({
          held: () => !signal.aborted,
          remaining: () => 0,
          assertHeld: () => {
            if (signal.aborted) throw new Error('The signal is aborted.');
          },
          onLoss: (listener) => signal.addEventListener('abort', () => listener('aborted')),
          renew: () => Promise.resolve(),
          release: () => {
            end();
            return run.then(
              () => 'released',
              () => 'expired',
            );
          },
        });
        await ended;
      });
      run.catch(reject);
    });
  }

  close(): Promise<void> {
    this.client.disconnect();
    return Promise.resolve();
  }
}
