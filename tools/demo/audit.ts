import type pg from 'pg';

export interface Audit {
  readonly offered: number;
  readonly left: number;
  readonly sold: number;
  readonly oversold: number;
  readonly fences: number;
  /** Whether each order has a larger fence than the order written before it. */
  readonly increasing: boolean;
  readonly byProcess: Readonly<Record<string, number>>;
}

/** What happened, as the database tells it: the shop's own answers are not asked. */
export async function audit(database: pg.Client, sku: string): Promise<Audit> {
  const { rows } = await database.query<Audit>(
    `select offered, stock as left, sold, greatest(0, sold - offered) as oversold, fences, increasing,
            (select coalesce(json_object_agg(served_by, sold), '{}')
               from (select served_by, count(*) as sold from flash_sale.orders where sku = $1 group by 1) as shops
            ) as "byProcess"
       from flash_sale.items,
            (select count(*)::integer as sold, count(distinct fence)::integer as fences,
                    coalesce(bool_and(previous is null or fence > previous), true) as increasing
               from (select fence, lag(fence) over (order by number) as previous
                       from flash_sale.orders where sku = $1) as pairs
            ) as sums
      where sku = $1`,
    [sku],
  );
  return rows[0] as Audit;
}
