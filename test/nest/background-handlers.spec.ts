import { EventEmitter2 } from '@nestjs/event-emitter';
import { UnhandledExceptionBus } from '@nestjs/cqrs';
import { Injectable, Module, Scope } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { randomUUID } from 'node:crypto';
import { LockBusyError, Locked, LockService } from '../../lib/index.js';
import { DistributedLockTestingModule } from '../../lib/testing/index.js';
import { type RunningRedis, startRedis } from '../../tools/redis/start-redis.js';
import {
  type Background,
  BACKGROUND_KINDS,
  openBackground,
  UNHEARD,
} from '../support/background-application.js';
import { failureOf, until } from '../support/eventually.js';
import { describeWithRealRedis } from '../support/real-redis.js';
import { NAME, Shop } from '../support/transport-applications.js';

const ANSWERED = BACKGROUND_KINDS.filter((kind) => !UNHEARD.includes(kind));
const BUSY = new RegExp(`The lock '${NAME}' is busy`);

describeWithRealRedis('a locked handler without a client', () => {
  let redis: RunningRedis;
  let background: Background;
  beforeAll(async () => {
    redis = await startRedis({ emulated: false });
    background = await openBackground(DistributedLockTestingModule.forRoot(), redis.url, randomUUID());
  });
  afterAll(async () => {
    await background.close();
    await redis.stop();
  });
  beforeEach(() => void (background.logged.lines.length = 0));

  const door = () => background.app.get(Shop).door;
  const held = () => background.app.get(LockService).acquire(NAME);

  it.each(BACKGROUND_KINDS)('holds its lock until its promise resolves: %s', async (kind) => {
    const before = door().passed;
    door().most = 0;
    await Promise.all([background.trigger[kind]('turn'), background.trigger[kind]('turn')]);
    await until('both have run', () => door().passed === before + 2);
    expect(door().most).toBe(1);
  });

  it.each(UNHEARD)('does not run when the lock is busy, and its package logs that once: %s', async (kind) => {
    await using _lease = await held();
    const before = door().passed;
    await background.trigger[kind]('once');
    await until('the error is logged', () => background.logged.about(NAME).length > 0);
    expect(background.logged.about(NAME)).toEqual([expect.stringMatching(/^error .*account:7/)]);
    expect(door().passed).toBe(before);
  });

  it.each(ANSWERED)('does not run when the lock is busy, and its caller learns it: %s', async (kind) => {
    await using _lease = await held();
    const before = door().passed;
    const refusal = await failureOf<Error>(background.trigger[kind]('once'));
    expect(refusal.message).toMatch(BUSY);
    expect(door().passed).toBe(before);
  });

  it.each(BACKGROUND_KINDS)("is left out silently with onBusy: 'skip': %s", async (kind) => {
    const lease = await held();
    const before = door().passed;
    await background.trigger[kind]('skip');
    await lease.release();
    await background.trigger[kind]('skip');
    await until('the second has run', () => door().passed > before);
    expect(door().passed).toBe(before + 1);
    expect(background.logged.about(NAME)).toEqual([]);
  });

  it('tells whoever emits with emitAsync if @OnEvent does not suppress errors', async () => {
    await using _lease = await held();
    const emitted = background.app.get(EventEmitter2).emitAsync(`once.${Scope.DEFAULT}.loud`);
    expect(await failureOf(emitted)).toBeInstanceOf(LockBusyError);
    expect(background.logged.about(NAME)).toEqual([]);
  });

  it('tells the UnhandledExceptionBus of CQRS', async () => {
    await using _lease = await held();
    const told: unknown[] = [];
    const subscription = background.app.get(UnhandledExceptionBus).subscribe((info) => told.push(info));
    await background.trigger['an event handler of CQRS']('once');
    await until('the bus is told', () => told.length > 0);
    expect(told).toEqual([expect.objectContaining({ exception: expect.any(LockBusyError) })]);
    subscription.unsubscribe();
  });
});

describe('an application without a server', () => {
  @Injectable()
  class Count {
    constructor(readonly shop: Shop) {}

    @Locked(NAME, { wait: 0 })
    async run(): Promise<void> {
      this.shop.heard.push(await this.shop.turn());
    }
  }

  @Module({ imports: [DistributedLockTestingModule.forRoot()], providers: [Shop, Count] })
  class Root {}

  it('locks in a standalone context, and its caller gets the error', async () => {
    const app = await NestFactory.createApplicationContext(Root, { logger: false });
    const count = app.get(Count);
    const lease = await app.get(LockService).acquire(NAME);
    expect(await failureOf(count.run())).toBeInstanceOf(LockBusyError);
    await lease.release();
    await count.run();
    expect(app.get(Shop).heard).toEqual([NAME]);
    await app.close();
  });
});
