import { Injectable } from '@nestjs/common';
import { Redis } from 'ioredis';
import { Locked, lockName } from 'nestjs-distributed-lock';

export abstract class Prices {
  /** Slow and expensive. */
  abstract compute(sku: string): Promise<number>;
}

@Injectable()
export class PriceCache {
  constructor(
    private readonly cache: Redis,
    private readonly prices: Prices,
  ) {}

  /** A hit takes no lock. */
  async price(sku: string): Promise<number> {
    return (await this.cached(sku)) ?? (await this.refreshed(sku));
  }

  @Locked((sku: string) => lockName('price', sku), { wait: '2s', onStoreError: 'run' })
  private async refreshed(sku: string): Promise<number> {
    // Look again: whoever had the lock before has filled the cache.
    const cached = await this.cached(sku);
    if (cached !== undefined) return cached;
    const cents = await this.prices.compute(sku);
    const seconds = 60 + Math.floor(Math.random() * 10); // not all prices expire together
    await this.cache.set(`price:${sku}`, cents, 'EX', seconds);
    return cents;
  }

  private async cached(sku: string): Promise<number | undefined> {
    const found = await this.cache.get(`price:${sku}`);
    return found === null ? undefined : Number(found);
  }
}
