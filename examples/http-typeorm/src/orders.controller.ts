import { Body, Controller, Get, Param, Post } from '@nestjs/common';
import type { Order } from './entities.js';
import { OrdersService } from './orders.service.js';

@Controller('items/:sku')
export class OrdersController {
  constructor(private readonly orders: OrdersService) {}

  @Get()
  find(@Param('sku') sku: string): Promise<{ left: number; orders: Order[] }> {
    return this.orders.find(sku);
  }

  /** Answers 423 with Retry-After when the lock was busy for too long, and 409 when all are sold. */
  @Post('orders')
  place(@Param('sku') sku: string, @Body('buyer') buyer: string): Promise<Order> {
    return this.orders.place(sku, buyer);
  }
}
