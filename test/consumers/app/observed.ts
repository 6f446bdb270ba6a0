import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import assert from 'node:assert/strict';
import { subscribe } from 'node:diagnostics_channel';
import type { AddressInfo } from 'node:net';
import { DistributedLockModule, type LockEvents, LockService } from 'nestjs-distributed-lock';
import { instrumentLocks } from 'nestjs-distributed-lock/opentelemetry';
import { LockHealthIndicator } from 'nestjs-distributed-lock/terminus';

// The health check and the events of a user's application, with the Terminus that goes with its Nest.
@Controller('health')
class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly locks: LockHealthIndicator,
  ) {}

  @Get()
  check() {
    return this.health.check([() => this.locks.check('locks', { timeout: '1s' })]);
  }
}

@Module({
  imports: [DistributedLockModule.forRoot({ redis: 'memory' }), TerminusModule],
  controllers: [HealthController],
  providers: [LockHealthIndicator],
})
class AppModule {}

async function main(): Promise<void> {
  const fences: number[] = [];
  subscribe('nestjs-distributed-lock:granted', (message) => {
    const { fence } = message as LockEvents['nestjs-distributed-lock:granted'];
    fences.push(fence);
  });
  const stop = instrumentLocks();
  const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  const answer = await fetch(`http://127.0.0.1:${port}/health`);
  const { status, details } = (await answer.json()) as {
    status: string;
    details: { locks: { status: string } };
  };
  assert.deepEqual([answer.status, status, details.locks.status], [200, 'ok', 'up']);
  const lease = await app.get(LockService).acquire('stock:7');
  assert.deepEqual(fences, [lease.fence]);
  await lease.release();
  stop();
  await app.close();
}

void main();
