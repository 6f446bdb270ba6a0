import { Injectable, UnprocessableEntityException } from '@nestjs/common';
import { lockName, LockService } from 'nestjs-distributed-lock';
import { Pool, type PoolClient } from 'pg';

@Injectable()
export class TransferService {
  constructor(
    private readonly locks: LockService,
    private readonly pool: Pool,
  ) {}

  async transfer(from: string, to: string, cents: number): Promise<void> {
    const [source, target] = [lockName('account', from), lockName('account', to)];
    // The lock is around the commit: the next holder reads what this one has committed.
    await this.locks.using([source, target], (lease) =>
      this.inTransaction(async (sql) => {
        await this.change(sql, from, -cents, lease.fenceOf(source));
        await this.change(sql, to, cents, lease.fenceOf(target));
        lease.assertHeld(); // roll back rather than report a loss after the commit
      }),
    );
  }

  /** The fence is inside the statement: a holder that woke up too late changes nothing. */
  private async change(sql: PoolClient, id: string, cents: number, fence: number): Promise<void> {
    const { rows } = await sql.query<{ balance: number }>(
      `update account set balance = balance + $2, fence = $3
        where id = $1 and fence <= $3 returning balance`,
      [id, cents, fence],
    );
    const [account] = rows;
    if (!account) throw new Error(`There is no account ${id}, or a later holder of its lock has written it.`);
    if (account.balance < 0) throw new UnprocessableEntityException('There is not enough money.');
  }

  private async inTransaction(work: (sql: PoolClient) => Promise<void>): Promise<void> {
    const sql = await this.pool.connect();
    try {
      await sql.query('begin');
      await work(sql);
      await sql.query('commit');
    } catch (error) {
      await sql.query('rollback');
      throw error;
    } finally {
      sql.release();
    }
  }
}
