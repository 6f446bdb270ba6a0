import type { BeforeApplicationShutdown, OnModuleInit } from '@nestjs/common';
import type { LockService } from '../locks/lock-service.js';
import type { LockedInstances } from './locked-instances.js';

/** The life of one registration in an application: from the proof that its store answers to the last release. */
export class LockRegistration implements OnModuleInit, BeforeApplicationShutdown {
  constructor(
    private readonly locks: LockService,
    private readonly instances: LockedInstances,
  ) {}

  async onModuleInit(): Promise<void> {
    try {
      this.instances.checkProfiles(this.locks);
      await this.locks.ready();
    } catch (error) {
      await this.locks.close(); // a start that failed is not shut down by everyone
      throw error;
    }
  }

  /**
   * Before the servers close: their running handlers keep their leases, and those that wait for a lock are
   * answered at once instead of holding up the shutdown. The hooks `onModuleDestroy` may still lock.
   */
  beforeApplicationShutdown(): Promise<void> {
    return this.locks.close();
  }
}
