import { Test } from '@nestjs/testing';
import { DistributedLockTestingModule, withLocks } from 'nestjs-distributed-lock/testing';
import { LockService } from 'nestjs-distributed-lock';
import { StockService } from './stock.service.js';

describe('a locked service in the tests of a user', () => {
  it('locks in a testing module', async () => {
    const module = await Test.createTestingModule({
      imports: [DistributedLockTestingModule.forRoot()],
      providers: [StockService],
    }).compile();
    const stock = module.get(StockService);
    stock.left = 1;
    expect(await Promise.all([stock.buy('book'), stock.buy('book')])).toEqual([true, false]);
    expect(module.get(LockService)).toBeInstanceOf(LockService);
    await module.close();
  });

  it('locks when it is made by hand', async () => {
    const stock = withLocks(new StockService({} as LockService));
    await expect(stock.buy('book')).resolves.toBe(false);
  });
});
