import { Processor, WorkerHost } from '@nestjs/bullmq';
import { DelayedError, type Job } from 'bullmq';
import { type Lease, lockName, LockService } from 'nestjs-distributed-lock';

export interface Order {
  readonly id: string;
  readonly customer: string;
}

export abstract class Orders {
  abstract ship(order: Order, lease: Lease): Promise<void>;
}

@Processor('orders', { concurrency: 5 })
export class OrderProcessor extends WorkerHost {
  constructor(
    private readonly locks: LockService,
    private readonly orders: Orders,
  ) {
    super();
  }

  async process(job: Job<Order>, token?: string): Promise<void> {
    const name = lockName('customer', job.data.customer);
    await using lease = await this.locks.tryAcquire(name, { wait: '250ms' });
    if (!lease) {
      // The customer is busy for longer: this slot serves somebody else, and no attempt is counted.
      await job.moveToDelayed(Date.now() + 500, token);
      throw new DelayedError();
    }
    await this.orders.ship(job.data, lease);
  }
}
