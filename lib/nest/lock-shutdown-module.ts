import { Inject, Module, type OnModuleDestroy } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { LockRegistration } from './lock-registration.js';
import { LockShutdown } from './lock-shutdown.js';

/** Part of every registration, and one in an application: its hook is the first that a shutdown calls. */
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
