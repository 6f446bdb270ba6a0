import { ConflictException, Injectable, NotFoundException } from '@nestjs/common';
import { lockName, LockService } from 'nestjs-distributed-lock';
import { DataSource, LessThanOrEqual } from 'typeorm';
import { Item, Order } from './entities.js';
import { Payments } from './payments.js';

@Injectable()
export class OrdersService {
  constructor(
    private readonly locks: LockService,
    private readonly database: DataSource,
    private readonly payments: Payments,
  ) {}

  async place(sku: string, buyer: string): Promise<Order> {
    // Nobody is charged for an item that another buyer gets: the lock covers the look, the payment and the write.
    return this.locks.using(lockName('item', sku), async (lease) => {
      const fence = String(lease.fence);
      // First show the fence, then look: from here on the row refuses whoever held the lock before.
      const shown = await this.database.manager.update(
        Item,
        { sku, fence: LessThanOrEqual(fence) },
        { fence },
      );
      const item = await this.database.manager.findOneBy(Item, { sku });
      if (!item) throw new NotFoundException(`There is no ${sku}.`);
      if (shown.affected !== 1) throw new ConflictException('A later holder of the lock was here.');
      if (item.left === 0) throw new ConflictException(`Each ${sku} is sold.`);
      const receipt = await this.payments.charge(buyer, lease.signal);

      return this.database.transaction(async (manager) => {
        // A process that was frozen for longer than its lease may come here late: a later holder has shown its fence, and
        // nothing is written. The payment was made, and has to be given back; here that is left out.
        const written = await manager.update(Item, { sku, fence }, { left: item.left - 1 });
        if (written.affected !== 1) throw new ConflictException('A later holder of the lock was here.');
        return manager.save(manager.create(Order, { sku, buyer, receipt, fence }));
      });
    });
  }

  async find(sku: string): Promise<{ left: number; orders: Order[] }> {
    const item = await this.database.manager.findOneBy(Item, { sku });
    if (!item) throw new NotFoundException(`There is no ${sku}.`);
    return { left: item.left, orders: await this.database.manager.findBy(Order, { sku }) };
  }
}
