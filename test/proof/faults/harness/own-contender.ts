import { Redis } from 'ioredis';
import type { LockLostError } from '../../../../lib/base/errors.js';
import { createLockService } from '../../../../lib/locks/create-lock-service.js';
import type { Lock, Lease } from '../../../../lib/locks/lock.js';
import type { LockServiceOptions } from '../../../../lib/locks/lock-options.js';
import type { LockService } from '../../../../lib/locks/lock-service.js';
import type { Claim, ClaimTerms, Contender } from './contender.js';

/** This library. */
export class OwnContender implements Contender {
  readonly locks: LockService;
  private readonly client: Redis | undefined;

  constructor(
    redis: NonNullable<LockServiceOptions['redis']>,
    options: { guard?: number; shutdownGrace?: number; givenClient?: boolean },
    warn: (message: string) => void,
  ) {
    const { guard, shutdownGrace } = options;
    this.client = options.givenClient ? new Redis(redis as string) : undefined;
    const memory = process.env['CHAOS_FENCE_MEMORY'];
    this.locks = createLockService({
      redis: this.client ?? redis,
      log: { warn },
      ...{ guard, shutdownGrace, fenceMemory: memory === undefined ? undefined : Number(memory) },
    });
  }

  ready(): Promise<unknown> {
    return this.locks.ready();
  }

  async acquire(name: string, { share, ...terms }: ClaimTerms): Promise<Claim> {
    switch (share?.kind) {
      case undefined:
        return claimOf(await this.locks.acquire(name, terms), this.locks.mutex(name));
      case 'read': {
        const { read } = this.locks.readWrite(name);
        return claimOf(await read.acquire(terms), read);
      }
      case 'permits': {
        const { units, capacity } = share;
        return claimOf(await this.locks.semaphore(name, capacity).acquire({ ...terms, units }));
      }
      case 'write': {
        const { read, write } = this.locks.readWrite(name);
        const lease = await write.acquire(terms);
        const downgrade = async (): Promise<Claim> => claimOf(await lease.downgrade(), read);
        return { ...claimOf(lease, write), downgrade };
      }
    }
  }

  async resume(text: string, wait: number): Promise<Claim> {
    return claimOf(await this.locks.resume(text, { wait }));
  }

  /** The application closes its own client first. */
  async close(): Promise<void> {
    await this.client?.quit();
    await this.locks.close();
  }
}

/** `lock` is what nested work asks for; permits are not entered. */
function claimOf(lease: Lease, lock?: Lock<Lease>): Claim {
  return {
    fence: lease.fence,
    held: () => lease.held,
    remaining: () => lease.remaining,
    assertHeld: () => lease.assertHeld(),
    onLoss: (listener) =>
      lease.signal.addEventListener('abort', () => listener((lease.signal.reason as LockLostError).reason)),
    renew: () => lease.renew(),
    release: () => lease.release(),
    handOver: (ttl) => lease.handOver({ ttl }),
    note: (text) => lease.note(text),
    previous: () => lease.previous,
    ...(lock && {
      enter: (by, work) =>
        lease.using(async (entered) => {
          if (by === 'handle') return work(claimOf(entered, lock));
          return lock.using((inner) => work(claimOf(inner, lock)), { reentrant: true });
        }),
    }),
  };
}
