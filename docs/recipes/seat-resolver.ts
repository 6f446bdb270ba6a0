import { Args, Mutation, Query, Resolver } from '@nestjs/graphql';
import { Locked, lockName } from 'nestjs-distributed-lock';
import { Pool } from 'pg';

export abstract class Cashier {
  abstract charge(buyer: string, seat: string): Promise<void>;
}

@Resolver()
export class SeatResolver {
  constructor(
    private readonly sql: Pool,
    private readonly cashier: Cashier,
  ) {}

  @Query(() => String, { nullable: true })
  async buyerOf(@Args('show') show: string, @Args('seat') seat: string): Promise<string | undefined> {
    const { rows } = await this.sql.query<{ buyer: string }>(
      'select buyer from booking where show = $1 and seat = $2',
      [show, seat],
    );
    return rows[0]?.buyer;
  }

  /** Whether the seat is now the buyer's. The mutations of other seats run beside this one. */
  @Mutation(() => Boolean)
  @Locked((show: string, seat: string) => lockName('seat', show, seat), { wait: '1s' })
  async book(
    @Args('show') show: string,
    @Args('seat') seat: string,
    @Args('buyer') buyer: string,
  ): Promise<boolean> {
    if ((await this.buyerOf(show, seat)) !== undefined) return false;
    await this.cashier.charge(buyer, seat);
    await this.sql.query('insert into booking (show, seat, buyer) values ($1, $2, $3)', [show, seat, buyer]);
    return true;
  }
}
