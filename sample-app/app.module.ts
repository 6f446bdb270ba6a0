import { Module, ValidationPipe, type DynamicModule } from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import { DistributedLockModule, type LockServiceOptions } from 'nestjs-distributed-lock';
import { DatabaseModule } from './database/database.module.js';
import { FlashSaleModule } from './flash-sale/flash-sale.module.js';

export interface AppSettings {
  readonly databaseUrl: string;
  /** None: the locks of one process only. */
  readonly redis?: LockServiceOptions['redis'];
  readonly namespace?: string | undefined;
  /** As for the lock module. */
  readonly ttl?: LockServiceOptions['ttl'] | undefined;
  /** As for the lock module. */
  readonly wait?: LockServiceOptions['wait'] | undefined;
}

@Module({})
export class AppModule {
  static forRoot({ databaseUrl, redis, namespace, ttl, wait }: AppSettings): DynamicModule {
    return {
      module: AppModule,
      imports: [
        DistributedLockModule.forRoot({ redis, namespace, ttl, wait }),
        DatabaseModule.forRoot(databaseUrl),
        FlashSaleModule,
      ],
      providers: [
        { provide: APP_PIPE, useFactory: () => new ValidationPipe({ transform: true, whitelist: true }) },
      ],
    };
  }
}
