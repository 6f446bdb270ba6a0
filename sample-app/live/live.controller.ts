import { Body, ConflictException, Controller, HttpCode, Post, Sse, type MessageEvent } from '@nestjs/common';
import { map, type Observable } from 'rxjs';
import { CrowdRequest, ProcessesRequest, RedisRequest } from './live-requests.js';
import { Stage, StageRefusal } from './stage.js';

/** What the buttons of the page do, and the stream that it draws. */
@Controller('live')
export class LiveController {
  constructor(private readonly stage: Stage) {}

  @Sse('ticks')
  ticks(): Observable<MessageEvent> {
    return this.stage.ticks().pipe(map((data) => ({ data })));
  }

  @Post('sales')
  @HttpCode(204)
  sale(@Body() { buyers }: CrowdRequest): Promise<void> {
    return done(this.stage.open(buyers));
  }

  @Post('processes')
  @HttpCode(204)
  processes(@Body() { count }: ProcessesRequest): Promise<void> {
    return done(this.stage.resize(count));
  }

  @Post('kill')
  @HttpCode(204)
  kill(): Promise<void> {
    return done(this.stage.killHolder());
  }

  @Post('freeze')
  @HttpCode(204)
  freeze(): Promise<void> {
    return done(this.stage.freezeHolder());
  }

  @Post('redis')
  @HttpCode(204)
  redis(@Body() { running }: RedisRequest): Promise<void> {
    return done(running ? this.stage.startRedis() : this.stage.stopRedis());
  }
}

async function done(action: Promise<void>): Promise<void> {
  try {
    await action;
  } catch (error) {
    if (error instanceof StageRefusal) throw new ConflictException({ reason: error.reason });
    throw error;
  }
}
