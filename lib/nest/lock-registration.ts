import type { BeforeApplicationShutdown, OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import type { LockService } from '../locks/lock-service.js';
import type { LockShutdown } from './lock-shutdown.js';
import type { LockedInstances } from './locked-instances.js';

/**
 * The life of one registration in an application: from the proof that its store answers to the last release. Its
 * hooks are the first at a start and the last at a shutdown, see {@link LockShutdown}.
 */
export class LockRegistration implements OnModuleInit, BeforeApplicationShutdown, OnApplicationShutdown {
  constructor(
    private readonly locks: LockService,
    private readonly instances: LockedInstances,
    private readonly shutdown: LockShutdown,
  ) {
    shutdown.add(locks);
  }

  async onModuleInit(): Promise<void> {
    try {
      this.instances.fillAll(this.locks);
      this.instances.checkProfiles(this.locks);
      await this.locks.ready();
    } catch (error) {
      await this.locks.close(); // a start that failed is not shut down by everyone
      throw error;
    }
  }

  beforeApplicationShutdown(): void {
    this.shutdown.hurry();
  }

  onApplicationShutdown(): Promise<void> {
    return this.shutdown.end();
  }
}
