import { Processor, WorkerHost } from '@nestjs/bullmq';
import { DelayedError, type Job } from 'bullmq';
import { lockName, LockService } from 'nestjs-distributed-lock';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Order {
  readonly customer: string;
}

/** What BullMQ keeps as the result of a job. */
export interface Shipped {
  readonly begun: number;
  readonly ended: number;
  readonly fence: number;
  readonly pid: number;
}

@Processor('orders', { concurrency: 5 })
export class OrdersProcessor extends WorkerHost {
  constructor(private readonly locks: LockService) {
    super();
  }

  async process(job: Job<Order>, token?: string): Promise<Shipped> {
    const name = lockName('customer', job.data.customer);
    await using lease = await this.locks.tryAcquire(name, { wait: '250ms' });
    if (!lease) {
      // The customer is busy for longer: this slot serves somebody else, and no attempt is counted.
      await job.moveToDelayed(Date.now() + 500, token);
      throw new DelayedError();
    }
    const begun = Date.now();
    await sleep(50, undefined, { signal: lease.signal }); // the work
    return { begun, ended: Date.now(), fence: lease.fence, pid: process.pid };
  }
}
