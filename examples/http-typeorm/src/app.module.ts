import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DistributedLockModule } from 'nestjs-distributed-lock';
import { Item, Order } from './entities.js';
import { OrdersController } from './orders.controller.js';
import { OrdersService } from './orders.service.js';
import { Payments } from './payments.js';
import { Schema } from './schema.js';

@Module({
  imports: [
    DistributedLockModule.forRoot({
      redis: process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379',
      namespace: 'shop',
    }),
    TypeOrmModule.forRoot({
      type: 'postgres',
      url: process.env['DATABASE_URL'] ?? 'postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable',
      entities: [Item, Order],
    }),
  ],
  controllers: [OrdersController],
  providers: [OrdersService, Payments, Schema],
})
export class AppModule {}
