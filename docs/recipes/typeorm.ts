import { Injectable, UnprocessableEntityException } from '@nestjs/common';
import { lockName, LockService } from 'nestjs-distributed-lock';
import { Column, DataSource, Entity, LessThanOrEqual, PrimaryColumn } from 'typeorm';

@Entity()
export class Account {
  @PrimaryColumn('text') id!: string;
  @Column('integer') balance!: number;
  @Column('bigint', { default: 0 }) fence!: string; // TypeORM reads a bigint as text
}

@Injectable()
export class AccountService {
  constructor(
    private readonly locks: LockService,
    private readonly database: DataSource,
  ) {}

  async withdraw(id: string, cents: number): Promise<number> {
    const name = lockName('account', id);
    return this.locks.using(name, ({ fence }) =>
      this.database.transaction(async (manager) => {
        // First show the fence, then read: no earlier holder can write any more.
        const shown = await manager.update(
          Account,
          { id, fence: LessThanOrEqual(String(fence)) },
          { fence: String(fence) },
        );
        if (shown.affected !== 1) throw new Error(`A later holder of '${name}' has been here, or nobody.`);
        const account = await manager.findOneByOrFail(Account, { id });
        account.balance -= cents;
        if (account.balance < 0) throw new UnprocessableEntityException('There is not enough money.');
        return (await manager.save(account)).balance;
      }),
    );
  }
}
