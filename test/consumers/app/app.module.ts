import { Controller, Module, Param, Post } from '@nestjs/common';
import { DistributedLockModule, Locked } from 'nestjs-distributed-lock';
import { StockService } from './stock.service.js';

@Controller('stock')
class StockController {
  @Post(':sku')
  @Locked((sku: string) => `stock:${sku}`, { wait: 0 })
  async order(@Param('sku') sku: string): Promise<string> {
    return sku;
  }
}

@Module({
  imports: [
    DistributedLockModule.forRoot({ redis: process.env['REDIS_URL'], namespace: process.env['NAMESPACE'] }),
  ],
  controllers: [StockController],
  providers: [StockService],
})
export class AppModule {}
