import { Injectable } from '@nestjs/common';
import { createLockService, Locked, type LockService } from 'nestjs-distributed-lock';
import { withLocks } from 'nestjs-distributed-lock/testing';
import { failureOf, pass } from '../../support/eventually.js';

@Injectable()
class Account {
  readonly seen: (number | undefined)[] = [];
  inside = 0;
  most = 0;

  constructor(protected readonly locks: () => LockService) {}

  @Locked((id: string) => `account:${id}`, { wait: 60 })
  async pay(id: string, amount: number): Promise<number> {
    this.most = Math.max(this.most, (this.inside += 1));
    this.seen.push(this.locks().current(`account:${id}`)?.fence);
    await pass(2);
    this.inside -= 1;
    return amount;
  }

  @Locked((id: string) => `account:${id}`, { wait: 60, reentrant: false })
  async strict(id: string): Promise<string> {
    return id;
  }
}

class Savings extends Account {
  @Locked((id: string) => `account:${id}`)
  override async pay(id: string, amount: number): Promise<number> {
    this.seen.push(this.locks().current(`account:${id}`)?.fence);
    return super.pay(id, amount);
  }

  @Locked((id: string) => `account:${id}`)
  override async strict(id: string): Promise<string> {
    return super.strict(id);
  }

  async payOther(id: string): Promise<number> {
    return super.pay(id, 1);
  }

  @Locked((id: string) => `account:${id}`)
  async otherMethod(id: string): Promise<number> {
    return super.pay(id, 1);
  }
}

class Pension extends Savings {
  @Locked((id: string) => `account:${id}`)
  override async pay(id: string, amount: number): Promise<number> {
    const paid = await Promise.all([super.pay(id, amount), super.pay(id, amount)]);
    return paid.reduce((sum, each) => sum + each, 0);
  }
}

describe('a locked method that overrides a locked method and calls it', () => {
  let locks: LockService;
  beforeEach(() => (locks = createLockService({ redis: undefined, log: { warn: () => undefined } })));
  afterEach(() => locks.close());
  const make = <T extends Account>(type: new (locks: () => LockService) => T): T =>
    withLocks(new type(() => locks), locks);

  it('enters it, with the same fence', async () => {
    const account = make(Savings);
    expect(await account.pay('7', 5)).toBe(5);
    expect(new Set(account.seen).size).toBe(1);
    expect(account.seen).not.toContain(undefined);
  });

  it('enters it through several classes, and its entries take turns', async () => {
    const account = make(Pension);
    expect(await account.pay('7', 5)).toBe(10);
    expect([account.most, new Set(account.seen).size]).toEqual([1, 1]);
  });

  it('waits when the method above says reentrant: false', async () => {
    expect(await failureOf(make(Savings).strict('7'))).toMatchObject({
      code: 'LOCK_BUSY',
      reason: 'timeout',
    });
  });

  it('lets in neither another method, nor another instance, nor whoever calls it meanwhile', async () => {
    const [account, other] = [make(Savings), make(Savings)];
    expect(await failureOf(account.otherMethod('7'))).toMatchObject({ code: 'LOCK_BUSY', reason: 'timeout' });
    // Somebody else's `super.pay()` waits for its turn.
    const paid = await Promise.all([account.pay('7', 1), account.payOther('7')]);
    expect([paid, account.most]).toEqual([[1, 1], 1]);
    const calledInside = locks.using('account:7', () => failureOf(other.payOther('7')));
    expect(await calledInside).toMatchObject({ code: 'LOCK_BUSY', reason: 'timeout' });
  });
});
