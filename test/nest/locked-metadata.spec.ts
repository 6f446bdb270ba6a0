import {
  type CanActivate,
  Controller,
  Get,
  HttpCode,
  type INestApplication,
  Injectable,
  Param,
  SetMetadata,
  UseGuards,
} from '@nestjs/common';
import { MetadataScanner } from '@nestjs/core';
import { EventEmitter2, EventEmitterModule, OnEvent } from '@nestjs/event-emitter';
import { CronExpression, Cron, ScheduleModule, SchedulerRegistry } from '@nestjs/schedule';
import { Test } from '@nestjs/testing';
import request from 'supertest';
import { Locked, LockService } from '../../lib/index.js';
import { DistributedLockTestingModule, withLocks } from '../../lib/testing/index.js';
import { sleep } from '../support/door.js';

let guarded = 0;
const heard: string[] = [];

class CountingGuard implements CanActivate {
  canActivate(): boolean {
    return ++guarded > 0;
  }
}

// Written as @nestjs/microservices and @nestjs/swagger write it; test/consumers has the decorators themselves.
const MessagePattern =
  (pattern: string): MethodDecorator =>
  (_target, _property, { value }) => {
    Reflect.defineMetadata('microservices:pattern', [pattern], value as object);
    Reflect.defineMetadata('microservices:handler_type', 1, value as object);
  };
const ApiOperation =
  (summary: string): MethodDecorator =>
  (_target, _property, { value }) =>
    Reflect.defineMetadata('swagger/apiOperation', { summary }, value as object);

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

  it.each(['above', 'below'] as const)('works %s @MessagePattern and @ApiOperation', async (place) => {
    class Sums {
      @Locked('sums')
      @MessagePattern('above')
      @ApiOperation('above')
      async above(): Promise<unknown> {
        return 'above';
      }

      @MessagePattern('below')
      @ApiOperation('below')
      @Locked('sums')
      async below(): Promise<unknown> {
        return 'below';
      }
    }
    // As the scanners of those packages find it: by the name of the method, on the prototype of the instance.
    const sums = withLocks(new Sums(), app.get(LockService));
    expect(new MetadataScanner().getAllMethodNames(Sums.prototype)).toContain(place);
    const found = (Object.getPrototypeOf(sums) as Sums)[place];
    expect(Reflect.getMetadata('microservices:pattern', found)).toEqual([place]);
    expect(Reflect.getMetadata('microservices:handler_type', found)).toBe(1);
    expect(Reflect.getMetadata('swagger/apiOperation', found)).toEqual({ summary: place });
    const held = await app.get(LockService).acquire('sums');
    const called = found.call(sums);
    expect(await Promise.race([called, sleep(10)])).toBeUndefined(); // it waits for the lock
    await held.release();
    expect(await called).toBe(place);
  });

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
