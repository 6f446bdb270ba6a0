import { randomUUID } from 'node:crypto';
import { ConflictException, Inject, Injectable } from '@nestjs/common';
import { Locked, LockService } from 'nestjs-distributed-lock';
import { Database } from '../database/database.js';
import { INSTANCE } from './instance.js';
import type { OrderRequest } from './order-request.js';
import type { Order } from './order.js';
import { SaleReporter } from './sale-reporter.js';
import type { Sale } from './sale.js';

@Injectable()
export class FlashSaleService {
  constructor(
    private readonly database: Database,
    private readonly locks: LockService,
    private readonly reporter: SaleReporter,
    @Inject(INSTANCE) private readonly instance: string,
  ) {}

  /** Sells under the lock of the item: one buyer at a time, in all processes. */
  @Locked((sku: string) => `flash-sale:${sku}`)
  async order(sku: string, request: OrderRequest): Promise<Order> {
    return this.sell(sku, request);
  }

  /** The same code without the lock, to see what it is good for. */
  orderWithoutLock(sku: string, request: OrderRequest): Promise<Order> {
    return this.reporter.withoutLock(sku, () => this.sell(sku, request));
  }

  private async sell(sku: string, { buyer, quantity }: OrderRequest): Promise<Order> {
    const fence = this.locks.current()?.fence ?? null;

    // Read …
    const stock = await this.stockOf(sku, fence);

    // … decide …
    const left = stock - quantity;
    if (left < 0) throw new ConflictException(`'${sku}' is sold out.`);

    this.reporter.betweenDecideAndWrite(fence);

    // … write, the stock and the order in one statement: a process that dies leaves both or neither. A writer that lost its
    // lease and woke up late changes nothing: whoever holds the lock now has shown a larger fence before it read.
    const order: Order = { id: randomUUID(), sku, buyer, quantity, fence, servedBy: this.instance };
    const written = await this.database.rows(
      `with item as (
         update flash_sale.items set stock = $2
          where sku = $1 and ($3::bigint is null or fence = $3) returning sku
       )
       insert into flash_sale.orders (id, sku, buyer, quantity, fence, served_by)
         select $4::uuid, sku, $5::text, $6::integer, $3, $7::text from item returning number`,
      [sku, left, fence, order.id, buyer, quantity, order.servedBy],
    );
    if (written.length === 0) throw await this.refusal(sku, fence);
    return order;
  }

  /** Under the lock the row is shown the fence first: from then on it refuses whoever held the lock before. */
  private async stockOf(sku: string, fence: number | null): Promise<number> {
    const [item] = await this.database.rows<{ stock: number }>(
      fence === null
        ? 'select stock from flash_sale.items where sku = $1'
        : 'update flash_sale.items set fence = $2 where sku = $1 and fence <= $2 returning stock',
      fence === null ? [sku] : [sku, fence],
    );
    if (!item && fence !== null) throw await this.refusal(sku, fence);
    return item?.stock ?? 0;
  }

  private async refusal(sku: string, fence: number | null): Promise<ConflictException> {
    this.reporter.refused(sku, fence, await this.fenceOf(sku));
    return new ConflictException(`A later order for '${sku}' was written first.`);
  }

  private async fenceOf(sku: string): Promise<number> {
    const [item] = await this.database.rows<{ fence: string }>(
      'select fence from flash_sale.items where sku = $1',
      [sku],
    );
    return Number(item?.fence ?? 0);
  }

  async sale(sku: string): Promise<Sale> {
    const [sale] = await this.database.rows<Omit<Sale, 'oversold'>>(
      `select sku, offered, stock,
              (select coalesce(sum(quantity), 0)::integer from flash_sale.orders where orders.sku = items.sku) as sold
         from flash_sale.items where sku = $1`,
      [sku],
    );
    if (sale === undefined) throw new ConflictException(`'${sku}' was taken off the sale.`);
    return { ...sale, oversold: Math.max(0, sale.sold - sale.offered) };
  }

  /** Starts a new sale of the item with `quantity` pieces. */
  @Locked((sku: string) => `flash-sale:${sku}`)
  async restock(sku: string, quantity: number): Promise<Sale> {
    const fence = this.locks.current()?.fence ?? null;
    const written = await this.database.rows(
      `with item as (
         update flash_sale.items set offered = $2, stock = $2, fence = $3
          where sku = $1 and fence < $3 returning sku
       ), gone as (delete from flash_sale.orders where sku in (select sku from item))
       select sku from item`,
      [sku, quantity, fence],
    );
    if (written.length === 0) throw new ConflictException(`A later order for '${sku}' was written first.`);
    return this.sale(sku);
  }
}
