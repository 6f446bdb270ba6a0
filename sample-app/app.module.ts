import { Module, ValidationPipe, type DynamicModule } from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import { DistributedLockModule } from 'nestjs-distributed-lock';
import { DatabaseModule } from './database/database.module.js';
import { FlashSaleModule } from './flash-sale/flash-sale.module.js';

export interface AppSettings {
  readonly databaseUrl: string;
  /** None: the locks of one process only. */
  readonly redisUrl?: string | undefined;
  readonly namespace?: string | undefined;
}

@Module({})
export class AppModule {
  static forRoot({ databaseUrl, redisUrl, namespace }: AppSettings): DynamicModule {
    return {
      module: AppModule,
      imports: [
        DistributedLockModule.forRoot({ redis: redisUrl, namespace }),
        DatabaseModule.forRoot(databaseUrl),
        FlashSaleModule,
      ],
      providers: [
        { provide: APP_PIPE, useFactory: () => new ValidationPipe({ transform: true, whitelist: true }) },
      ],
    };
  }
}
