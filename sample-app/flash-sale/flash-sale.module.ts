import { Module } from '@nestjs/common';
import { FlashSaleController } from './flash-sale.controller.js';
import { FlashSaleService } from './flash-sale.service.js';
import { INSTANCE } from './instance.js';

@Module({
  controllers: [FlashSaleController],
  providers: [
    FlashSaleService,
    { provide: INSTANCE, useFactory: () => process.env.INSTANCE ?? `process ${process.pid}` },
  ],
})
export class FlashSaleModule {}
