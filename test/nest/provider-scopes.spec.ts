import { Controller, Get, Injectable, Scope, type Type } from '@nestjs/common';
import { ContextIdFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { from, lastValueFrom, type Observable } from 'rxjs';
import request from 'supertest';
import { Locked, LockedStream, LockService } from '../../lib/index.js';
import { DistributedLockTestingModule } from '../../lib/testing/index.js';
import { Door } from '../support/door.js';

const NAME = 'account:7';

@Injectable()
class Shared {
  readonly door = new Door();
}

function accountOf(scope: Scope): Type<Account> {
  @Injectable({ scope })
  class ScopedAccount extends Account {}
  return ScopedAccount;
}

@Injectable()
class Account {
  constructor(
    readonly shared: Shared,
    readonly locks: LockService,
  ) {}

  @Locked(NAME)
  async promise(): Promise<string> {
    return this.turn();
  }

  @Locked(NAME)
  async *generator(): AsyncGenerator<string> {
    yield await this.turn();
  }

  @LockedStream(NAME)
  observable(): Observable<string> {
    return from(this.turn());
  }

  private turn(): Promise<string> {
    return this.shared.door.pass(this.locks.current()?.names.join() ?? 'not locked');
  }
}

/** Calls one method to its end. */
const CALLS = {
  promise: (account: Account) => account.promise(),
  'async generator': async (account: Account) => {
    let last = '';
    for await (const value of account.generator()) last = value;
    return last;
  },
  Observable: (account: Account) => lastValueFrom(account.observable()),
};
const SCOPES = { default: Scope.DEFAULT, request: Scope.REQUEST, transient: Scope.TRANSIENT };

describe.each(Object.entries(SCOPES))('a method of a provider in the scope %s', (name, scope) => {
  const ScopedAccount = accountOf(scope);
  const opened = Test.createTestingModule({
    imports: [DistributedLockTestingModule.forRoot()],
    providers: [Shared, ScopedAccount],
  }).compile();
  afterAll(async () => (await opened).close());

  it.each(Object.entries(CALLS))(
    'holds its lock for its %s, whichever instance is called',
    async (_, call) => {
      const module = await opened;
      const { door } = module.get(Shared);
      door.most = 0;
      const instances = await Promise.all(
        [1, 2, 3].map(() => module.resolve(ScopedAccount, ContextIdFactory.create())),
      );
      expect(new Set(instances).size).toBe(name === 'default' ? 1 : 3);
      expect(await Promise.all(instances.map(call))).toEqual([NAME, NAME, NAME]);
      expect(door.most).toBe(1);
      await (await module.get(LockService).acquire(NAME, { wait: 0 })).release();
    },
  );
});

// Nest has no transient handlers, so the table of transports has them for providers only.
it('NestJS serves a transient controller by an object that no constructor has made', async () => {
  @Controller({ path: 'sum', scope: Scope.TRANSIENT })
  class Sum {
    readonly made = true;

    @Get()
    sum(): string {
      return String(this.made);
    }
  }
  const module = await Test.createTestingModule({ controllers: [Sum] }).compile();
  const app = await module.createNestApplication({ logger: false }).init();
  await request(app.getHttpServer() as never)
    .get('/sum')
    .expect(200, 'undefined');
  await app.close();
});
