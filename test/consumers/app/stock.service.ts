import { Injectable } from '@nestjs/common';
import { Locked, LockService, type Lease } from 'nestjs-distributed-lock';
import { setTimeout as sleep } from 'node:timers/promises';

@Injectable()
export class StockService {
  left = 0;
  readonly fences: number[] = [];

  constructor(private readonly locks: LockService) {}

  /** Read, decide, write with pauses between: without the lock two buyers read the same number. */
  @Locked((sku: string) => `stock:${sku}`, { wait: '5s' })
  async buy(sku: string): Promise<boolean> {
    const { left } = this;
    await sleep(2);
    if (left === 0) return false;
    this.left = left - 1;
    this.fences.push(this.locks.current(`stock:${sku}`)!.fence);
    return true;
  }

  async whileHeld<T>(sku: string, work: (lease: Lease) => Promise<T>): Promise<T> {
    await using lease = await this.locks.acquire(`stock:${sku}`);
    return await work(lease);
  }
}
