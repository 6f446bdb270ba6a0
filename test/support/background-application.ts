import {
  type DynamicModule,
  type INestApplicationContext,
  Injectable,
  Scope,
  type Type,
} from '@nestjs/common';
import { BullModule, getQueueToken, Processor, WorkerHost } from '@nestjs/bullmq';
import {
  CommandBus,
  CommandHandler,
  CqrsModule,
  EventBus,
  EventsHandler,
  type ICommandHandler,
  type IEventHandler,
  type IQueryHandler,
  QueryBus,
  QueryHandler,
} from '@nestjs/cqrs';
import { EventEmitter2, EventEmitterModule, OnEvent } from '@nestjs/event-emitter';
import { Cron, CronExpression, ScheduleModule, SchedulerRegistry } from '@nestjs/schedule';
import { Test } from '@nestjs/testing';
import { type Job, type Queue, QueueEvents } from 'bullmq';
import { Locked, type LockedOptions } from 'nestjs-distributed-lock';
import { LoggedLines } from './logged-lines.js';
import { NAME, Shop } from './transport-applications.js';

/** How a handler asks for its lock: it waits, it tries once, or it skips a busy one. */
export type Way = 'turn' | 'once' | 'skip';
const WAYS: Record<Way, LockedOptions> = { turn: {}, once: { wait: 0 }, skip: { onBusy: 'skip' } };
const EACH_WAY = Object.keys(WAYS) as Way[];

function schedule(way: Way): Type {
  @Injectable()
  class Schedule {
    constructor(readonly shop: Shop) {}

    @Cron(CronExpression.EVERY_YEAR, { name: way })
    @Locked(NAME, WAYS[way])
    async run(): Promise<void> {
      await this.shop.turn();
    }
  }
  return Schedule;
}

function listener(scope: Scope, way: Way): Type {
  @Injectable({ scope })
  class Listener {
    constructor(readonly shop: Shop) {}

    @OnEvent(`${way}.${scope}`)
    @Locked(NAME, WAYS[way])
    async hear(): Promise<void> {
      await this.shop.turn();
    }

    @OnEvent(`${way}.${scope}.loud`, { suppressErrors: false })
    @Locked(NAME, WAYS[way])
    async hearLoud(): Promise<void> {
      await this.shop.turn();
    }
  }
  return Listener;
}

/** The messages of CQRS for one way to lock, and the handlers of one scope. */
function messages(scope: Scope, way: Way) {
  class Sold {}
  class Sell {}
  class CountSold {}

  @EventsHandler(Sold, { scope })
  class SoldHandler implements IEventHandler<Sold> {
    constructor(readonly shop: Shop) {}

    @Locked(NAME, WAYS[way])
    async handle(_event: Sold): Promise<void> {
      await this.shop.turn();
    }
  }

  @CommandHandler(Sell, { scope })
  class SellHandler implements ICommandHandler<Sell> {
    constructor(readonly shop: Shop) {}

    @Locked(NAME, WAYS[way])
    async execute(_command: Sell): Promise<string> {
      return this.shop.turn();
    }
  }

  @QueryHandler(CountSold, { scope })
  class CountSoldHandler implements IQueryHandler<CountSold> {
    constructor(readonly shop: Shop) {}

    @Locked(NAME, WAYS[way])
    async execute(_query: CountSold): Promise<string> {
      return this.shop.turn();
    }
  }
  return { Sold, Sell, CountSold, handlers: [SoldHandler, SellHandler, CountSoldHandler] };
}

function processor(way: Way): Type {
  @Processor(way, { concurrency: 2 })
  class Orders extends WorkerHost {
    constructor(readonly shop: Shop) {
      super();
    }

    @Locked(NAME, WAYS[way])
    async process(_job: Job): Promise<string> {
      return this.shop.turn();
    }
  }
  return Orders;
}

/** Sets off one handler. The promise is that of whoever set it off. */
type Trigger = (way: Way) => Promise<unknown>;

/** What sets off the handlers of the packages that tell nobody of an error, and of those that tell the caller. */
export interface Background {
  readonly app: INestApplicationContext;
  readonly logged: LoggedLines;
  readonly trigger: Readonly<Record<BackgroundKind, Trigger>>;
  close(): Promise<void>;
}

/** The kinds of handlers that run beside the transports. */
export const BACKGROUND_KINDS = [
  '@Cron',
  '@OnEvent',
  '@OnEvent in the scope request',
  'an event handler of CQRS',
  'an event handler of CQRS in the scope request',
  'a command handler of CQRS',
  'a command handler of CQRS in the scope request',
  'a query handler of CQRS',
  'a query handler of CQRS in the scope request',
  'a processor of BullMQ',
] as const;
export type BackgroundKind = (typeof BACKGROUND_KINDS)[number];

/** The handlers whose errors end in a line of the log. */
export const UNHEARD = BACKGROUND_KINDS.filter((kind) => /^@|an event handler/.test(kind));

/** One application with all of them; `redis` is the URL of the server of the queues, `prefix` their place in it. */
export async function openBackground(
  locks: DynamicModule,
  redis: string,
  prefix: string,
): Promise<Background> {
  const logged = new LoggedLines();
  const { hostname: host, port } = new URL(redis);
  const connection = { host, port: Number(port) };
  const bus = Object.fromEntries(
    EACH_WAY.map((way) => [way, [Scope.DEFAULT, Scope.REQUEST].map((scope) => messages(scope, way))]),
  ) as Record<Way, [ReturnType<typeof messages>, ReturnType<typeof messages>]>;
  const module = await Test.createTestingModule({
    imports: [
      locks,
      ScheduleModule.forRoot(),
      EventEmitterModule.forRoot(),
      CqrsModule.forRoot(),
      BullModule.forRoot({ connection, prefix }),
      ...EACH_WAY.map((name) => BullModule.registerQueue({ name })),
    ],
    providers: [
      Shop,
      ...EACH_WAY.map(schedule),
      ...EACH_WAY.flatMap((way) => [Scope.DEFAULT, Scope.REQUEST].map((scope) => listener(scope, way))),
      ...EACH_WAY.flatMap((way) => bus[way].flatMap(({ handlers }) => handlers)),
      ...EACH_WAY.map(processor),
    ],
  })
    .setLogger(logged)
    .compile();
  const app = await module.init();
  const events = EACH_WAY.map((way) => new QueueEvents(way, { connection, prefix }));
  await Promise.all(events.map((each) => each.waitUntilReady()));

  const emitter = app.get(EventEmitter2);
  const heardIn = (scope: Scope) => (way: Way) => emitter.emitAsync(`${way}.${scope}`);
  const published = (index: 0 | 1) => async (way: Way) =>
    app.get(EventBus).publish(new bus[way][index].Sold());
  const executed = (index: 0 | 1) => (way: Way) => app.get(CommandBus).execute(new bus[way][index].Sell());
  const asked = (index: 0 | 1) => (way: Way) => app.get(QueryBus).execute(new bus[way][index].CountSold());
  const trigger: Background['trigger'] = {
    '@Cron': async (way) => app.get(SchedulerRegistry).getCronJob(way).fireOnTick(),
    '@OnEvent': heardIn(Scope.DEFAULT),
    '@OnEvent in the scope request': heardIn(Scope.REQUEST),
    'an event handler of CQRS': published(0),
    'an event handler of CQRS in the scope request': published(1),
    'a command handler of CQRS': executed(0),
    'a command handler of CQRS in the scope request': executed(1),
    'a query handler of CQRS': asked(0),
    'a query handler of CQRS in the scope request': asked(1),
    'a processor of BullMQ': async (way) => {
      const job = await app.get<Queue>(getQueueToken(way)).add('order', {});
      return job.waitUntilFinished(events[EACH_WAY.indexOf(way)]!);
    },
  };
  const close = async (): Promise<void> => {
    await Promise.all(events.map((each) => each.close()));
    await app.close();
  };
  return { app, logged, trigger, close };
}
