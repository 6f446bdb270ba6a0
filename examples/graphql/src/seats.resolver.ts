import { Args, Mutation, Query, Resolver } from '@nestjs/graphql';
import { Locked, lockName } from 'nestjs-distributed-lock';
import { Cashier } from './cashier.js';
import { Database } from './database.js';

@Resolver()
export class SeatsResolver {
  constructor(
    private readonly sql: Database,
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

  /**
   * Whether the seat is now the buyer's. Nobody pays for a seat that somebody else gets, unless a process is frozen for
   * longer than its lease: one of two rows is then refused after its payment. When the seat is busy for two seconds, the
   * answer is an error with LOCK_BUSY in `extensions.code`.
   */
  @Mutation(() => Boolean)
  @Locked((show: string, seat: string) => lockName('seat', show, seat), { wait: '2s' })
  async book(
    @Args('show') show: string,
    @Args('seat') seat: string,
    @Args('buyer') buyer: string,
  ): Promise<boolean> {
    if ((await this.buyerOf(show, seat)) !== undefined) return false;
    await this.cashier.charge(show, seat, buyer);
    // The primary key is the fence of this table: it refuses a second row, however late it comes.
    await this.sql.query('insert into booking (show, seat, buyer) values ($1, $2, $3)', [show, seat, buyer]);
    return true;
  }
}
