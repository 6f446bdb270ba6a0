import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { FlashSaleService } from './flash-sale.service.js';
import { KnownSkuPipe } from './known-sku.pipe.js';
import { OrderOptions } from './order-options.js';
import { OrderRequest } from './order-request.js';
import type { Order } from './order.js';
import { RestockRequest } from './restock-request.js';
import type { Sale } from './sale.js';

@Controller('flash-sale')
export class FlashSaleController {
  constructor(private readonly sales: FlashSaleService) {}

  @Post(':sku/orders')
  order(
    @Param('sku', KnownSkuPipe) sku: string,
    @Body() request: OrderRequest,
    @Query() { lock }: OrderOptions,
  ): Promise<Order> {
    return lock === 'off' ? this.sales.orderWithoutLock(sku, request) : this.sales.order(sku, request);
  }

  @Get(':sku')
  sale(@Param('sku', KnownSkuPipe) sku: string): Promise<Sale> {
    return this.sales.sale(sku);
  }

  @Post(':sku/restock')
  @HttpCode(200)
  restock(@Param('sku', KnownSkuPipe) sku: string, @Body() { quantity }: RestockRequest): Promise<Sale> {
    return this.sales.restock(sku, quantity);
  }
}
