import { Catch, Controller, type ExceptionFilter, type MessageEvent, Sse } from '@nestjs/common';
import { APP_FILTER, HttpAdapterHost } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import type { AddressInfo } from 'node:net';
import { concat, firstValueFrom, NEVER, of, type Observable } from 'rxjs';
import {
  DistributedLockModule,
  type DistributedLockOptions,
  LockBusyError,
  LockedStream,
  type LockLogEntry,
  LockService,
} from '../../lib/index.js';
import { failureOf, until } from '../support/eventually.js';

@Controller()
class Rates {
  working = 0;

  @Sse('at-once')
  @LockedStream('secret', { wait: 0 })
  atOnce(): Observable<MessageEvent> {
    return of({ data: 'rate' });
  }

  @Sse('later')
  @LockedStream('secret', { wait: 50 })
  later(): Observable<MessageEvent> {
    return of({ data: 'rate' });
  }

  @Sse('quiet')
  @LockedStream('secret')
  quiet(): Observable<MessageEvent> {
    this.working += 1;
    return concat(of({ data: 'rate' }), NEVER);
  }

  @LockedStream('secret', { wait: 0 })
  inProcess(): Observable<unknown> {
    return of('rate');
  }
}

/** A filter of the application for one class of lock errors. */
@Catch(LockBusyError)
class OwnFilter implements ExceptionFilter<LockBusyError> {
  constructor(readonly adapters: HttpAdapterHost) {}

  catch(error: LockBusyError, host: { getArgByIndex(index: number): unknown }): void {
    this.adapters.httpAdapter.reply(host.getArgByIndex(1), { own: error.reason }, 409);
  }
}

async function open(options: DistributedLockOptions = {}, providers: object[] = []) {
  const entries: LockLogEntry[] = [];
  const logger = { warn: () => undefined, write: (entry: LockLogEntry) => void entries.push(entry) };
  const module = await Test.createTestingModule({
    imports: [
      DistributedLockModule.forRoot({ redis: 'memory', ttl: 300, shutdownGrace: 0, logger, ...options }),
    ],
    controllers: [Rates],
    providers: providers as never[],
  }).compile();
  const app = module.createNestApplication({ logger: false });
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  return {
    locks: app.get(LockService),
    rates: app.get(Rates),
    logged: () => entries.filter(({ event }) => event === 'refused'),
    async ask(path: string) {
      const answer = await fetch(`http://127.0.0.1:${port}/${path}`, { headers: { connection: 'close' } });
      const retryAfter = answer.headers.get('retry-after');
      return { status: answer.status, retryAfter, text: await answer.text() };
    },
    [Symbol.asyncDispose]: () => app.close(),
  };
}

const REFUSED = 'The resource is locked, try again later';

describe('server-sent events under @LockedStream', () => {
  it('are refused with a status while none was sent, and the log has the details', async () => {
    await using app = await open();
    await using _lease = await app.locks.acquire('secret');
    const { status, retryAfter, text } = await app.ask('at-once');
    expect([status, retryAfter, JSON.parse(text)]).toEqual([
      423,
      '1',
      { statusCode: 423, code: 'LOCK_BUSY', message: REFUSED, retryAfter: 1 },
    ]);
    expect(app.logged()).toMatchObject([
      { message: expect.stringContaining("'secret' is busy"), lock: 'secret', reason: 'held' },
    ]);
  });

  it('end with an event of the fixed message once the response has begun', async () => {
    await using app = await open();
    const lease = await app.locks.acquire('secret');
    const busy = await app.ask('later');
    expect(busy).toMatchObject({ status: 200, text: expect.stringContaining(`event: error`) });
    expect(busy.text).toContain(`data: ${REFUSED}`);
    await lease.release();
    const quiet = app.ask('quiet');
    await until('it works', () => app.rates.working === 1);
    await app.locks.revoke('secret', { reason: 'operator', force: true });
    const { text } = await quiet;
    expect(text).toContain('data: The lock was lost while the request was processed');
    expect(busy.text + text).not.toMatch(/secret|operator/);
  });

  it('fail with an error of the fixed message, since older versions of NestJS send that of every error', async () => {
    await using app = await open();
    await using _lease = await app.locks.acquire('secret');
    const error = await failureOf<LockBusyError>(firstValueFrom(app.rates.atOnce()));
    expect(error).toBeInstanceOf(LockBusyError);
    expect(error).toMatchObject({ message: REFUSED, code: 'LOCK_BUSY', reason: 'held' });
    expect((error.cause as Error).message).toContain("'secret' is busy");
  });

  it('are left to a filter of the application', async () => {
    await using app = await open({ filter: false }, [{ provide: APP_FILTER, useClass: OwnFilter }]);
    await using _lease = await app.locks.acquire('secret');
    expect(await app.ask('at-once')).toMatchObject({ status: 409, text: '{"own":"held"}' });
  });
});

describe('a @LockedStream method that answers no request', () => {
  it('fails with the error itself', async () => {
    await using app = await open();
    await using _lease = await app.locks.acquire('secret');
    const error = await failureOf<Error>(firstValueFrom(app.rates.inProcess()));
    expect(error.message).toContain("'secret' is busy");
  });
});
