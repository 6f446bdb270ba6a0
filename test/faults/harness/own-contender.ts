import { Redis } from 'ioredis';
import type { LockLostError } from '../../../lib/base/lock-lost-error.js';
import { createLockService } from '../../../lib/locks/create-lock-service.js';
import type { Lease } from '../../../lib/locks/lease.js';
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

  ready(): Promise<unknown> {
    return this.locks.ready();
  }

  async acquire(name: string, { share, ...terms }: ClaimTerms): Promise<Claim> {
    switch (share?.kind) {
      case undefined:
        return claimOf(await this.locks.acquire(name, terms));
      case 'read':
        return claimOf(await this.locks.readWrite(name).read.acquire(terms));
      case 'permits': {
        const { units, capacity } = share;
        return claimOf(await this.locks.semaphore(name, capacity).acquire({ ...terms, units }));
      }
      case 'write': {
        const lease = await this.locks.readWrite(name).write.acquire(terms);
        return { ...claimOf(lease), downgrade: () => lease.downgrade().then(claimOf) };
      }
    }
  }

  /** The application closes its own client first. */
  async close(): Promise<void> {
    await this.client?.quit();
    await this.locks.close();
  }
}

function claimOf(lease: Lease): Claim {
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
