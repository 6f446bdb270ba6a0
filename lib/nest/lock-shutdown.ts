import {
  type BeforeApplicationShutdown,
  type OnApplicationShutdown,
  type OnModuleInit,
  Inject,
  Module,
  type OnModuleDestroy,
} from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import type { LockService } from '../locks/lock-service.js';
import type { LockedInstances } from './locked-instances.js';

const LOOK_AGAIN = 20;

/** A LockService, or what a test has put in its place: that may lack any of these, and answer anything. */
type Registered = Partial<
  Pick<
    LockService,
    'awaited' | 'beginShutdown' | 'close' | 'closeNow' | 'drain' | 'draining' | 'hurry' | 'ready'
  >
>;

/**
 * The shutdown of all registrations of one application. Code that still works, or still takes jobs out of a queue, may
 * need a lock, so grants go on until all other hooks of the application have ended.
 */
export class LockShutdown {
  private readonly registrations = new Set<Registered>();
  private begun = false;
  private ending: Promise<void> | undefined;

  /** `first` and `last` are providers of the modules whose hooks a shutdown should call before and after all others. */
  constructor(modules: ModulesContainer, first: unknown, last: unknown) {
    for (const module of modules.values()) {
      // Nest calls hooks by the distance of a module from the root; a global one has Number.MAX_VALUE. Where this
      // cannot be set, our hooks are called among those of the others.
      if (module.providers.has(last as never)) Reflect.set(module, 'distance', Infinity);
      else if (module.providers.has(first as never)) Reflect.set(module, 'distance', -Infinity);
    }
  }

  add(locks: Registered): void {
    this.registrations.add(locks);
    if (this.begun) void locks.beginShutdown?.();
  }

  /**
   * The first hook of all. It tells the leaders, but does not wait until they have ended: they may wait for something that
   * a later hook ends.
   */
  async begin(): Promise<void> {
    if (this.begun) return;
    this.begun = true;
    process.on('beforeExit', this.noHookLeft);
    await Promise.all([...this.registrations].map(async (locks) => locks.beginShutdown?.()));
  }

  /** The last hook before the servers close. */
  hurry(): void {
    for (const locks of this.registrations) locks.hurry?.();
  }

  /** The last hook of all: the grace begins. It is one for all, since the holder of one registration's lock may wait for another's. */
  end(): Promise<void> {
    return (this.ending ??= this.drain());
  }

  /** Closes all of them after a start that failed: not every application calls `close()` then. */
  async abandon(): Promise<void> {
    await Promise.allSettled([...this.registrations].map(async (locks) => locks.close?.()));
  }

  private async drain(): Promise<void> {
    const all = [...this.registrations];
    do await Promise.all(all.map(async (locks) => locks.drain?.()));
    while (all.some((locks) => locks.draining === true));
    await this.close();
  }

  private async close(): Promise<void> {
    process.off('beforeExit', this.noHookLeft);
    await Promise.all([...this.registrations].map(async (locks) => locks.closeNow?.()));
  }

  /** The event loop is empty, but the last hook was not called: on Nest 11 a hook that throws ends the shutdown. */
  private readonly noHookLeft = (): void => {
    // A caller may still wait for an answer over connections that do not keep the process alive.
    if ([...this.registrations].some((locks) => locks.awaited === true))
      setTimeout(() => undefined, LOOK_AGAIN);
    else void this.close();
  };
}

/**
 * The life of one registration in an application: from the check that its store answers to the last release. At a
 * shutdown its hooks are the last, see {@link LockShutdown}.
 */
export class LockRegistration implements OnModuleInit, BeforeApplicationShutdown, OnApplicationShutdown {
  constructor(
    private readonly locks: LockService,
    private readonly instances: LockedInstances,
    private readonly shutdown: LockShutdown,
    private readonly prepare: () => void,
  ) {
    shutdown.add(locks);
  }

  async onModuleInit(): Promise<void> {
    try {
      this.instances.fillAll(this.locks);
      this.instances.checkMethods(this.locks);
      this.prepare();
      await (this.locks as Registered).ready?.();
    } catch (error) {
      await this.shutdown.abandon();
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

/** Imported by every registration, but there is one in an application: its hook is the first that a shutdown calls. */
@Module({
  providers: [
    {
      provide: LockShutdown,
      inject: [ModulesContainer],
      useFactory: (modules: ModulesContainer) => new LockShutdown(modules, LockShutdown, LockRegistration),
    },
  ],
  exports: [LockShutdown],
})
export class LockShutdownModule implements OnModuleDestroy {
  constructor(@Inject(LockShutdown) private readonly shutdown: LockShutdown) {}

  onModuleDestroy(): Promise<void> {
    return this.shutdown.begin();
  }
}
