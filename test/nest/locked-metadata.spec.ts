import {
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  Controller,
  Get,
  Header,
  HttpCode,
  type INestApplication,
  Injectable,
  Param,
  type NestInterceptor,
  SetMetadata,
  Sse,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
  ValidationPipe,
} from '@nestjs/common';
import { OnQueueEvent, OnWorkerEvent } from '@nestjs/bullmq';
import { MetadataScanner } from '@nestjs/core';
import { EventEmitter2, EventEmitterModule, OnEvent } from '@nestjs/event-emitter';
import { Mutation, Query, ResolveField, Subscription } from '@nestjs/graphql';
import { EventPattern, MessagePattern } from '@nestjs/microservices';
import { CronExpression, Cron, Interval, ScheduleModule, Timeout, SchedulerRegistry } from '@nestjs/schedule';
import { Test } from '@nestjs/testing';
import { SubscribeMessage } from '@nestjs/websockets';
import request from 'supertest';
import { Locked, LockExceptionFilter, LockService } from '../../lib/index.js';
import { DistributedLockTestingModule } from '../../lib/testing/index.js';
import { sleep } from '../support/door.js';

let guarded = 0;
const heard: string[] = [];

class CountingGuard implements CanActivate {
  canActivate(): boolean {
    return ++guarded > 0;
  }
}

// Written as @nestjs/swagger writes it; test/consumers has the decorator itself.
const ApiOperation =
  (summary: string): MethodDecorator =>
  (_target, _property, { value }) =>
    Reflect.defineMetadata('swagger/apiOperation', { summary }, value as object);

class CacheLike implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): ReturnType<CallHandler['handle']> {
    return next.handle();
  }
}

@Controller()
class BothWays {
  constructor(readonly locks: LockService) {}

  @Locked((id: string) => `order:${id}`)
  @Get('above/:id')
  @HttpCode(202)
  @UseGuards(CountingGuard)
  async above(@Param('id') _id: string): Promise<unknown> {
    return this.locks.current()?.names;
  }

  @Get('below/:id')
  @HttpCode(202)
  @UseGuards(CountingGuard)
  @Locked((id: string) => `order:${id}`)
  async below(@Param('id') _id: string): Promise<unknown> {
    return this.locks.current()?.names;
  }
}

@Injectable()
class Jobs {
  constructor(readonly locks: LockService) {}

  @Locked('events')
  @OnEvent('above')
  async above(): Promise<void> {
    heard.push(`above ${this.locks.current()?.names.join()}`);
  }

  @OnEvent('below')
  @Locked('events')
  async below(): Promise<void> {
    heard.push(`below ${this.locks.current()?.names.join()}`);
  }

  @Locked('jobs')
  @Cron(CronExpression.EVERY_YEAR, { name: 'above' })
  async cronAbove(): Promise<void> {
    heard.push(`cron above ${this.locks.current()?.names.join()}`);
  }

  @Cron(CronExpression.EVERY_YEAR, { name: 'below' })
  @Locked('jobs')
  async cronBelow(): Promise<void> {
    heard.push(`cron below ${this.locks.current()?.names.join()}`);
  }
}

let app: INestApplication;
beforeAll(async () => {
  const module = await Test.createTestingModule({
    imports: [DistributedLockTestingModule.forRoot(), EventEmitterModule.forRoot(), ScheduleModule.forRoot()],
    controllers: [BothWays],
    providers: [Jobs],
  }).compile();
  app = module.createNestApplication({ logger: false });
  await app.init();
});
afterAll(() => app.close());

describe('@Locked among other decorators', () => {
  it.each(['above', 'below'])('works %s @Get, @HttpCode and @UseGuards', async (place) => {
    const before = guarded;
    await request(app.getHttpServer()).get(`/${place}/7`).expect(202, ['order:7']);
    expect(guarded).toBe(before + 1);
  });

  it.each(['above', 'below'])('works %s @OnEvent', async (place) => {
    await app.get(EventEmitter2).emitAsync(place);
    expect(heard).toContain(`${place} events`);
  });

  it.each(['above', 'below'])('works %s @Cron', async (place) => {
    await app.get(SchedulerRegistry).getCronJob(place).fireOnTick();
    await sleep(10);
    expect(heard).toContain(`cron ${place} jobs`);
  });

  // Each has a method of its own, since some decorators of one package exclude each other.
  const DECORATORS: Record<string, MethodDecorator> = {
    '@Get': Get('/'),
    '@HttpCode': HttpCode(202),
    '@Header': Header('x', 'y'),
    '@Sse': Sse('/'),
    '@UseGuards': UseGuards(CountingGuard),
    '@UsePipes': UsePipes(ValidationPipe),
    '@UseInterceptors': UseInterceptors(CacheLike),
    '@UseFilters': UseFilters(LockExceptionFilter),
    '@SetMetadata': SetMetadata('roles', ['admin']),
    '@ApiOperation': ApiOperation('sum'),
    '@Query': Query(() => String),
    '@Mutation': Mutation(() => String),
    '@Subscription': Subscription(() => String),
    '@ResolveField': ResolveField(() => String),
    '@MessagePattern': MessagePattern('sum'),
    '@EventPattern': EventPattern('summed') as MethodDecorator,
    '@SubscribeMessage': SubscribeMessage('sum'),
    '@Cron': Cron(CronExpression.EVERY_YEAR),
    '@Interval': Interval('sum', 1_000),
    '@Timeout': Timeout('sum', 1_000),
    '@OnEvent': OnEvent('sum'),
    '@OnWorkerEvent': OnWorkerEvent('completed'),
    '@OnQueueEvent': OnQueueEvent('completed'),
  };
  const LOCKED = Symbol.for('nestjs-distributed-lock:locked');
  const metadataOf = (method: object): [unknown, unknown][] =>
    (Reflect.getMetadataKeys(method) as unknown[])
      .filter((key) => key !== LOCKED)
      .map((key) => [key, Reflect.getMetadata(key, method) as unknown]);
  const classWith = (...decorators: MethodDecorator[]): (() => Promise<string>) => {
    class Sums {
      async sum(): Promise<string> {
        return 'sum';
      }
    }
    const descriptor = Object.getOwnPropertyDescriptor(Sums.prototype, 'sum')!;
    for (const each of decorators.reverse()) each(Sums.prototype, 'sum', descriptor);
    Object.defineProperty(Sums.prototype, 'sum', descriptor);
    // As the scanners of those packages find it: by the name of the method, on the prototype of the instance.
    expect(new MetadataScanner().getAllMethodNames(Sums.prototype)).toEqual(['sum']);
    return Sums.prototype.sum;
  };

  it.each(Object.entries(DECORATORS))(
    'keeps all metadata of %s above and below',
    async (_name, decorator) => {
      const locked = Locked('sums') as unknown as MethodDecorator;
      const plain = metadataOf(classWith(decorator));
      expect(plain.length).toBeGreaterThan(0);
      for (const method of [classWith(locked, decorator), classWith(decorator, locked)]) {
        expect(metadataOf(method)).toEqual(expect.arrayContaining(plain));
        expect(metadataOf(method)).toHaveLength(plain.length);
      }
    },
  );

  it('keeps metadata, name, length, kind and properties of the method', () => {
    const pattern = Symbol('pattern');
    class Service {
      @SetMetadata(pattern, 'upper')
      @Locked('name')
      @SetMetadata('microservices:pattern', [{ cmd: 'sum' }])
      async work(_a: number, _b: string): Promise<void> {}

      @Locked('name')
      async *steps(_a: number): AsyncGenerator<number> {
        yield 1;
      }
    }
    const { work, steps } = Service.prototype;
    expect(Reflect.getMetadata(pattern, work)).toBe('upper');
    expect(Reflect.getMetadata('microservices:pattern', work)).toEqual([{ cmd: 'sum' }]);
    expect([work.name, work.length, steps.name, steps.length]).toEqual(['work', 2, 'steps', 1]);
    expect([work.constructor.name, steps.constructor.name]).toEqual([
      'AsyncFunction',
      'AsyncGeneratorFunction',
    ]);
  });

  it('keeps the properties that a decorator below wrote on the method', () => {
    const mark = ((_target: object, _property: string, descriptor: PropertyDescriptor) =>
      void Object.assign(descriptor.value as object, { marked: true })) as MethodDecorator;
    class Service {
      @Locked('name')
      @mark
      async work(): Promise<void> {}
    }
    expect(Service.prototype.work).toHaveProperty('marked', true);
  });

  it('is outside a wrapping decorator below it, and inside one above it', async () => {
    const order: string[] = [];
    const wrapping = ((_target: object, _property: string, descriptor: PropertyDescriptor) => {
      const inner = descriptor.value as (this: Jobs, ...args: unknown[]) => Promise<unknown>;
      descriptor.value = async function (this: Jobs & { locks: LockService }, ...args: unknown[]) {
        order.push(this.locks.current() ? 'begin locked' : 'begin unlocked');
        await inner.apply(this, args);
        order.push(this.locks.current() ? 'commit locked' : 'commit unlocked');
      };
    }) as MethodDecorator;
    @Injectable()
    class Service {
      constructor(readonly locks: LockService) {}

      @Locked('name')
      @wrapping
      async right(): Promise<void> {}

      @wrapping
      @Locked('name')
      async wrong(): Promise<void> {}
    }
    const module = await Test.createTestingModule({
      imports: [DistributedLockTestingModule.forRoot()],
      providers: [Service],
    }).compile();
    await module.get(Service).right();
    await module.get(Service).wrong();
    expect(order).toEqual(['begin locked', 'commit locked', 'begin unlocked', 'commit unlocked']);
    await module.close();
  });
});
