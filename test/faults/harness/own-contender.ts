import { Redis } from 'ioredis';
import type { LockLostError } from '../../../lib/base/lock-lost-error.js';
import { createLockService } from '../../../lib/locks/create-lock-service.js';
import type { LockService } from '../../../lib/locks/lock-service.js';
import type { Claim, ClaimTerms, Contender } from './contender.js';

/** This library. */
export class OwnContender implements Contender {
  readonly locks: LockService;
  private readonly client: Redis | undefined;

  constructor(
    url: string,
    options: { guard?: number; shutdownGrace?: number; givenClient?: boolean },
    warn: (message: string) => void,
  ) {
    const { guard, shutdownGrace } = options;
    this.client = options.givenClient ? new Redis(url) : undefined;
    this.locks = createLockService({ redis: this.client ?? url, guard, shutdownGrace, log: { warn } });
  }

  async acquire(name: string, terms: ClaimTerms): Promise<Claim> {
    const lease = await this.locks.acquire(name, terms);
    return {
      fence: lease.fence,
      held: () => lease.held,
      remaining: () => lease.remaining,
      assertHeld: () => lease.assertHeld(),
      onLoss: (listener) =>
        lease.signal.addEventListener('abort', () => listener((lease.signal.reason as LockLostError).reason)),
      renew: () => lease.renew(),
      release: () => lease.release(),
    };
  }

  /** The application closes its own client first. */
  async close(): Promise<void> {
    await this.client?.quit();
    await this.locks.close();
  }
}
