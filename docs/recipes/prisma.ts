import { Injectable, UnprocessableEntityException } from '@nestjs/common';
import { lockName, LockService } from 'nestjs-distributed-lock';
import { PrismaClient } from './generated/client.js';

@Injectable()
export class AccountService {
  constructor(
    private readonly locks: LockService,
    private readonly prisma: PrismaClient,
  ) {}

  async withdraw(id: string, cents: number): Promise<number> {
    const name = lockName('account', id);
    return this.locks.using(name, (lease) =>
      this.prisma.$transaction(async (tx) => {
        const fence = BigInt(lease.fence);
        // First show the fence, then read: no earlier holder can write any more.
        const shown = await tx.account.updateMany({ where: { id, fence: { lte: fence } }, data: { fence } });
        if (shown.count !== 1) throw new Error(`A later holder of '${name}' has been here, or nobody.`);
        const { balance } = await tx.account.findUniqueOrThrow({ where: { id } });
        if (balance < cents) throw new UnprocessableEntityException('There is not enough money.');
        await tx.account.update({ where: { id }, data: { balance: balance - cents } });
        return balance - cents;
      }),
    );
  }
}
