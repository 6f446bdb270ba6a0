import { BullModule } from '@nestjs/bullmq';
import { Module } from '@nestjs/common';
import { DistributedLockModule } from 'nestjs-distributed-lock';
import { OrdersProcessor } from './orders.processor.js';

const redis = process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379';

@Module({
  imports: [
    DistributedLockModule.forRoot({ redis, namespace: 'warehouse' }),
    BullModule.forRoot({ connection: { url: redis } }),
    BullModule.registerQueue({ name: 'orders' }),
  ],
  providers: [OrdersProcessor],
})
export class AppModule {}
