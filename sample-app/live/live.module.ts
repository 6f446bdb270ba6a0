import { Module, ValidationPipe, type DynamicModule } from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import { LiveController } from './live.controller.js';
import { Stage } from './stage.js';

/** The live page of the sale, over whoever started its processes. */
@Module({ controllers: [LiveController] })
export class LiveModule {
  static on(stage: Stage): DynamicModule {
    return {
      module: LiveModule,
      providers: [
        { provide: Stage, useValue: stage },
        { provide: APP_PIPE, useFactory: () => new ValidationPipe({ transform: true, whitelist: true }) },
      ],
    };
  }
}
