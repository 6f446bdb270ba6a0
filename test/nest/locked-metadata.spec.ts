import {
  type ArgumentsHost,
  BadRequestException,
  Body,
  type CallHandler,
  type CanActivate,
  Catch,
  type ExceptionFilter,
  type ExecutionContext,
  Controller,
  Get,
  Header,
  HttpCode,
  type INestApplication,
  Injectable,
  Param,
  type PipeTransform,
  Post,
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
import { IsInt } from 'class-validator';
import type { ServerResponse } from 'node:http';
import request from 'supertest';
import { Locked, LockExceptionFilter, LockService } from '../../lib/index.js';
import { DistributedLockTestingModule, withLocks } from '../../lib/testing/index.js';
import { sleep } from '../support/door.js';
import { until } from '../support/eventually.js';

let guarded = 0;
const heard: string[] = [];

class CountingGuard implements CanActivate {
  canActivate(): boolean {
    return ++guarded > 0;
  }
}

/** Which enhancers a request went through, in their order. */
const passed: string[] = [];

class CountingInterceptor implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): ReturnType<CallHandler['handle']> {
    passed.push('interceptor');
    return next.handle();
  }
}

class CountingPipe implements PipeTransform {
  transform(value: unknown): unknown {
    passed.push('pipe');
    return value;
  }
}

@Catch(BadRequestException)
class CountingFilter implements ExceptionFilter {
  catch(error: BadRequestException, host: ArgumentsHost): void {
    passed.push('filter');
    const response = host.switchToHttp().getResponse<ServerResponse>();
    response.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify(error.message));
  }
}

class Order {
  @IsInt()
  quantity!: number;
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

@Controller('orders')
class OrderController {
  constructor(readonly locks: LockService) {}

  @Locked('orders')
  @Post('above')
  @UseGuards(CountingGuard)
  @UseInterceptors(CountingInterceptor)
  @UsePipes(CountingPipe, ValidationPipe)
  @UseFilters(CountingFilter)
  async above(@Body() { quantity }: Order): Promise<unknown> {
    return this.take(quantity);
  }

  @Post('below')
  @UseGuards(CountingGuard)
  @UseInterceptors(CountingInterceptor)
  @UsePipes(CountingPipe, ValidationPipe)
  @UseFilters(CountingFilter)
  @Locked('orders')
  async below(@Body() { quantity }: Order): Promise<unknown> {
    return this.take(quantity);
  }

  private take(quantity: number): unknown {
    passed.push(`method under ${this.locks.current()?.names.join()}`);
    if (quantity < 0) throw new BadRequestException('too few');
    return { quantity };
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

  @Locked('timeouts')
  @Timeout(1)
  async timeoutAbove(): Promise<void> {
    heard.push(`timeout above ${this.locks.current()?.names.join()}`);
  }

  @Timeout(1)
  @Locked('timeouts')
  async timeoutBelow(): Promise<void> {
    heard.push(`timeout below ${this.locks.current()?.names.join()}`);
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
    controllers: [BothWays, OrderController],
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

  it.each(['above', 'below'])(
    'works %s pipes, interceptors and filters, and what they know of a parameter',
    async (place) => {
      const post = (quantity: unknown) =>
        request(app.getHttpServer()).post(`/orders/${place}`).send({ quantity });
      const before = guarded;
      passed.length = 0;
      await post(2).expect(201, { quantity: 2 });
      expect(passed.splice(0)).toEqual(['interceptor', 'pipe', 'method under orders']);
      await post('two').expect(400); // the validation knows the class of the parameter
      expect(passed.splice(0)).toEqual(['interceptor', 'pipe', 'filter']);
      await post(-1).expect(400, '"too few"');
      expect(passed.splice(0)).toEqual(['interceptor', 'pipe', 'method under orders', 'filter']);
      expect(guarded).toBe(before + 3);
    },
  );

  it.each(['above', 'below'])('works %s @Timeout', async (place) => {
    await until('it has run', () => heard.includes(`timeout ${place} timeouts`));
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
  const LOCKED = Symbol.for('nestjs-distributed-lock:marks');
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

  it('above a transactional decorator loses no update, and below it may lose one', async () => {
    let committed = 0;
    // A transaction reads what was committed when it began, and writes at its end.
    const Transactional = (): MethodDecorator => (_target, _property, descriptor: PropertyDescriptor) => {
      const inner = descriptor.value as (this: unknown, balance: number) => Promise<number>;
      descriptor.value = async function () {
        const written = await inner.call(this, committed);
        await sleep(2); // COMMIT
        committed = written;
      };
    };
    @Injectable()
    class Account {
      @Locked('account')
      @Transactional()
      async right(balance?: number): Promise<number> {
        return balance! + 1;
      }

      @Transactional()
      @Locked('account')
      async wrong(balance?: number): Promise<number> {
        return balance! + 1;
      }
    }
    const account = withLocks(new Account());
    await Promise.all([account.right(), account.right(), account.right()]);
    expect(committed).toBe(3);
    await Promise.all([account.wrong(), account.wrong(), account.wrong()]);
    expect(committed).toBe(4);
  });
});
