// An application that does nothing but shut down, in a process that nothing else keeps alive: REDIS BUSY-NAME
import 'reflect-metadata';
import { Injectable, Module, type OnApplicationShutdown, type OnModuleDestroy } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DistributedLockModule, type LockBusyError, Locked, LockService } from '../../lib/index.js';

const [redis = '', busy = ''] = process.argv.slice(2);

@Injectable()
class Flush implements OnModuleDestroy, OnApplicationShutdown {
  constructor(private readonly locks: LockService) {}

  @Locked('flush')
  async flush(phase: string): Promise<void> {
    console.log(`flushed ${phase}`);
  }

  async onModuleDestroy(): Promise<void> {
    await this.flush('first');
    await this.locks.acquire(busy, { wait: '1s' }).catch(({ reason }: LockBusyError) => console.log(reason));
    console.log(`inspected ${(await this.locks.inspect(busy)).holders.length}`);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.flush('last');
  }
}

@Module({ imports: [DistributedLockModule.forRoot({ redis })], providers: [Flush] })
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
await app.close();
console.log('closed');
