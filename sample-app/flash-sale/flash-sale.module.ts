import { Module } from '@nestjs/common';
import { FlashSaleController } from './flash-sale.controller.js';
import { FlashSaleService } from './flash-sale.service.js';
import { INSTANCE } from './instance.js';
import { SaleReporter } from './sale-reporter.js';

@Module({
  controllers: [FlashSaleController],
  providers: [
    FlashSaleService,
    SaleReporter,
    { provide: INSTANCE, useFactory: () => process.env.INSTANCE ?? `process ${process.pid}` },
  ],
})
export class FlashSaleModule {}
