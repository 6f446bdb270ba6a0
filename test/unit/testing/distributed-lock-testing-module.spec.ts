import { Injectable, type LoggerService } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { createLockService, getLocksToken, Locked, LockService, LockUsageError } from '../../../lib/index.js';
import { DistributedLockTestingModule, withLocks } from '../../../lib/testing/index.js';
import { errorOf } from '../../support/door.js';

@Injectable()
class Account {
  busy = 0;
  most = 0;

  @Locked((id: string) => `account:${id}`)
  async pay(_id: string): Promise<void> {
    this.most = Math.max(this.most, ++this.busy);
    await Promise.resolve();
    this.busy--;
  }

  @Locked('audit', { profile: 'slow', wait: 0 })
  async audit(): Promise<string> {
    return 'audited';
  }

  @Locked('report', { locks: 'reports' })
  async report(): Promise<string> {
    return 'reported';
  }
}

describe('DistributedLockTestingModule', () => {
  it('gives real locks in memory, without a warning', async () => {
    const warnings: unknown[] = [];
    const logger: LoggerService = {
      log: () => undefined,
      warn: (text) => warnings.push(text),
      error: () => undefined,
    };
    const module = await Test.createTestingModule({
      imports: [
        DistributedLockTestingModule.forRoot(),
        DistributedLockTestingModule.forRoot({ name: 'reports' }),
      ],
      providers: [Account],
    })
      .setLogger(logger)
      .compile();
    await module.init();
    const account = module.get(Account);
    await Promise.all([account.pay('a'), account.pay('a'), account.pay('a')]);
    expect(account.most).toBe(1);
    expect(await account.audit()).toBe('audited'); // with a profile that the test did not give
    expect(await account.report()).toBe('reported');
    expect(module.get(getLocksToken('reports'))).not.toBe(module.get(LockService));
    expect(warnings).toEqual([]);
    await module.close();
    expect(await errorOf(account.audit())).toMatchObject({ code: 'LOCK_BUSY', reason: 'closed' });
  });

  it('uses the options and profiles that it is given', async () => {
    const module = await Test.createTestingModule({
      imports: [
        DistributedLockTestingModule.forRoot({ wait: 0, profiles: { slow: { onBusy: () => 'busy' } } }),
        DistributedLockTestingModule.forRoot({ name: 'reports' }),
      ],
      providers: [Account],
    }).compile();
    await module.init();
    const locks = module.get(LockService);
    const lease = await locks.acquire('audit');
    expect(await errorOf(locks.acquire('audit'))).toMatchObject({ reason: 'held' });
    expect(await module.get(Account).audit()).toBe('busy');
    await lease.release();
    await module.close();
    const wrong = { imports: [DistributedLockTestingModule.forRoot({ profiles: { slow: { ttl: 1 } } })] };
    expect(await errorOf(Test.createTestingModule(wrong).compile())).toBeInstanceOf(LockUsageError);
  });
});

describe('withLocks', () => {
  it('makes an instance made with new lock, for every registration and profile it names', async () => {
    const account = withLocks(new Account());
    await Promise.all([account.pay('a'), account.pay('a')]);
    expect(account.most).toBe(1);
    expect([await account.audit(), await account.report()]).toEqual(['audited', 'reported']);
  });

  it('makes instances share locks that they are given', async () => {
    const locks = createLockService();
    const [one, two] = [withLocks(new Account(), locks), withLocks(new Account(), locks)];
    const lease = await locks.acquire('audit');
    expect(await errorOf(one.audit())).toMatchObject({ code: 'LOCK_BUSY' });
    expect(await errorOf(two.audit())).toMatchObject({ code: 'LOCK_BUSY' });
    await lease.release();
    expect(await two.audit()).toBe('audited');
    await locks.close();
  });

  it('refuses an instance whose class has no @Locked method', () => {
    expect(() => withLocks(new Date())).toThrow(/Date has no @Locked method/);
  });
});
